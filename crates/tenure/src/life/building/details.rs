//! What a front door knows of a call beside its key, and is asked where the call has to build.

use crate::ground::sync::Arc;
use crate::life::building::again::Again;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Interrupt;
use crate::words::tags::Tags;

/// What a front door knows of one call beside its key, and is asked, under no lock, where the call has to
/// build. A closure that gives the call's [`Again`] is one, of a call without tags.
///
/// ```
/// use tenure::front::{Again, Details, Patiently};
/// use tenure::{Engine, Function, Interrupt, KeyRef, Settings, Tags};
///
/// struct OfTenant(u32);
///
/// impl Details<u32, ()> for OfTenant {
///     fn again(&self) -> Option<Again<u32, ()>> {
///         None
///     }
///     fn tags(&self) -> Result<Tags, Interrupt> {
///         Ok([format!("tenant:{}", self.0)].into_iter().collect())
///     }
/// }
///
/// # let engine = Engine::new();
/// let settings = Settings::default().tags_calls(true);
/// let pools = Function::<u32, ()>::plain(&engine, "pool", settings)?;
/// pools.get_or_refresh(&KeyRef::EMPTY, &Patiently, || Ok(7), &OfTenant(7)).unwrap();
/// engine.clear_tag("tenant:8");
/// assert_eq!(pools.info().entries, 1);
/// engine.clear_tag("tenant:7");
/// assert_eq!(pools.info().entries, 0);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub trait Details<V: Resource, F: Failure> {
    /// The call's build as it can be made without it. Nothing where it cannot leave the call.
    fn again(&self) -> Option<Again<V, F>>;

    /// The tags that what the call builds is to carry. Asked once, before the build, where
    /// [`Settings::tags_calls`](crate::Settings::tags_calls) is set.
    ///
    /// # Errors
    /// What ends the call instead.
    fn tags(&self) -> Result<Tags, Interrupt> {
        Ok(Tags::default())
    }

    /// The arguments that count, as text, where a listing is to show them. Asked where the call builds.
    fn arguments(&self) -> Option<Arc<str>> {
        None
    }
}

impl<V: Resource, F: Failure, T: Fn() -> Option<Again<V, F>>> Details<V, F> for T {
    fn again(&self) -> Option<Again<V, F>> {
        self()
    }
}
