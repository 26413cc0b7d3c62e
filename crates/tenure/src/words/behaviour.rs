//! A front door's knowledge of its function's resources: how to check and to release them.

use std::any::Any;
use std::time::Duration;

use crate::ground::sync::Arc;
use crate::host::SessionId;
use crate::life::late_release::Later;
use crate::words::cause::Cause;
use crate::words::error::Interrupt;
use crate::words::fleet::KnownAs;

/// A front door's knowledge of a function's resources: how to check and to release them.
///
/// None of these is ever called under a lock.
///
/// ```
/// use tenure::{Behaviour, Cause, Engine, Function, Interrupt, KeyRef, ReleaseFailed, Settings};
///
/// struct Files;
///
/// impl Behaviour<String> for Files {
///     fn validate(&self, path: &String) -> Result<bool, Interrupt> {
///         Ok(!path.is_empty())
///     }
///     fn release(&self, path: String, cause: Cause) -> Result<(), ReleaseFailed> {
///         println!("{path} is closed: {cause}");
///         Ok(())
///     }
/// }
///
/// let engine = Engine::new();
/// let settings = Settings::default().validates(true);
/// let files = Function::<String, ()>::new(&engine, "file", settings, Box::new(Files))?;
/// files.get_or_build(&KeyRef::EMPTY, || Ok("a".to_owned())).unwrap();
/// files.clear().unwrap();
/// assert_eq!(files.info().released(Cause::Cleared), 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub trait Behaviour<V>: Any + Send + Sync {
    /// Whether the resource is still good. Asked at each access where
    /// [`Settings::validates`](crate::Settings::validates) is set.
    ///
    /// # Errors
    /// What ends the access instead; the entry stays.
    fn validate(&self, value: &V) -> Result<bool, Interrupt> {
        let _ = value;
        Ok(true)
    }

    /// Whether what was built becomes an entry. What does not goes to the callers of its build, and
    /// is released with cause [`Cause::Orphaned`] once they let go.
    ///
    /// # Errors
    /// What ends the call instead; the resource is released, and those who waited look again.
    fn keeps(&self, value: &V) -> Result<bool, Interrupt> {
        let _ = value;
        Ok(true)
    }

    /// How heavy the resource is, in any unit. Asked once, after the build, where
    /// [`Settings::weighs`](crate::Settings::weighs) is set.
    ///
    /// # Errors
    /// What ends the call instead; the resource is released, and those who waited look again.
    fn weight(&self, value: &V) -> Result<u64, Interrupt> {
        let _ = value;
        Ok(0)
    }

    /// The resource's own maximum age, or `None` where it never expires. Asked once, after the build,
    /// where [`Settings::own_ttl`](crate::Settings::own_ttl) is set. One of zero is not kept.
    ///
    /// # Errors
    /// What ends the call instead; the resource is released, and those who waited look again.
    fn ttl(&self, value: &V) -> Result<Option<Duration>, Interrupt> {
        let _ = value;
        Ok(None)
    }

    /// Whether a refresh gave the very resource that is kept already: then nothing is released, and
    /// the entry is as good as new.
    fn is_same(&self, kept: &V, built: &V) -> bool {
        let _ = (kept, built);
        false
    }

    /// Learns that no successor could be built for a resource that is too old, or soon will be. The old one
    /// may still be handed out, so no caller gets this failure.
    fn refresh_failed(&self, function: &str, failure: &dyn Any) {
        let _ = failure;
        tracing::warn!(%function, "no new resource could be built in the place of the old one");
    }

    /// Learns that a build has failed and that no caller gets the failure: all who waited have left, or
    /// nobody had asked.
    fn build_failed(&self, function: &str, failure: &dyn Any) {
        let _ = failure;
        tracing::error!(%function, "a build failed that nobody waited for any more");
    }

    /// Learns that the cache has released a resource that lay idle, or had to make room for others
    /// by its weight, which is given. Nobody has asked for that, so the log tells of it.
    fn gave_way(&self, function: &str, why: &str, weight: u64) {
        tracing::info!(%function, weight, "{why}");
    }

    /// Receives the resource when its entry has ended; dropping it is all that is needed where
    /// there is nothing to do.
    ///
    /// # Errors
    /// What went wrong, already logged: the engine counts it.
    fn release(&self, value: V, cause: Cause) -> Result<(), ReleaseFailed> {
        let _ = cause;
        drop(value);
        Ok(())
    }

    /// [`release`](Self::release), for a front door whose releases may go on after they have begun:
    /// what [`later`](Later::begin) gives then says when they have ended. This is what an engine calls.
    ///
    /// # Errors
    /// What went wrong at once, already logged.
    fn release_or_begin(
        &self,
        value: V,
        cause: Cause,
        later: &Later<'_>,
    ) -> Result<(), ReleaseFailed> {
        let _ = later;
        self.release(value, cause)
    }

    /// The scope that the present code is in, where the settings leave that to the front door
    /// ([`Scope::Custom`](crate::Scope::Custom)): a name that no session has.
    ///
    /// # Errors
    /// What ends the call instead.
    fn scope(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(None)
    }

    /// Whether the front door's own scope tells callers apart, as tenants are, and not places, as threads
    /// are: what is built for whoever comes is then not built on what it keeps.
    fn scope_is_of_callers(&self) -> bool {
        false
    }

    /// The word by which a listing names who shares an entry, where that is no session.
    fn scope_word(&self) -> &'static str {
        "global"
    }

    /// Whether this scope, which the present code has just been said to be in, is over: what is built
    /// for it goes to its callers then and is not kept.
    ///
    /// # Errors
    /// What ends the call instead; the scope counts as over.
    fn scope_has_ended(&self, scope: &str) -> Result<bool, Interrupt> {
        let _ = scope;
        Ok(false)
    }

    /// What the members of a fleet call the function, where they share what it keeps for all, or for a scope
    /// that tells callers apart. `None`: it is this process's own.
    fn known_as(&self) -> Option<KnownAs> {
        None
    }

    /// The function's name with its module, where its name for people leaves that out.
    fn full_name(&self) -> Option<Arc<str>> {
        None
    }

    /// The place that the resource lives on and is released with, by a number that no other has: an event
    /// loop, say. [`Engine::end_place`](crate::Engine::end_place) says that it ends.
    fn place(&self, value: &V) -> Option<u64> {
        let _ = value;
        None
    }

    /// How callers hold resources.
    fn holding(&self) -> Holding {
        Holding::Leases
    }

    /// Whether anyone outside the cache uses the resource, where leases do not tell.
    fn in_use(&self, value: &V) -> bool {
        let _ = value;
        false
    }

    /// Whether someone who uses it has asked for it to stay meanwhile, where leases do not tell.
    /// It then stays without a drain too.
    fn is_claimed(&self, value: &V) -> bool {
        let _ = value;
        false
    }
}

/// How it is known that a caller still uses a resource.
///
/// ```
/// use tenure::front::Holding;
/// use tenure::Behaviour;
///
/// struct Plain;
/// impl Behaviour<u32> for Plain {}
/// assert_eq!(Plain.holding(), Holding::Leases);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Only through a [`Lease`](crate::Lease).
    Leases,
    /// Also in ways that only [`Behaviour::in_use`] and [`Behaviour::is_claimed`] see; they are
    /// asked again and again.
    Watched,
}

/// A release callback failed, and the front door has logged it.
///
/// ```
/// use tenure::{Cause, Behaviour, Engine, Function, KeyRef, ReleaseFailed, Settings};
///
/// struct Stuck;
/// impl Behaviour<u32> for Stuck {
///     fn release(&self, _: u32, _: Cause) -> Result<(), ReleaseFailed> {
///         Err(ReleaseFailed)
///     }
/// }
///
/// let engine = Engine::new();
/// let stuck = Function::<u32, ()>::new(&engine, "stuck", Settings::default(), Box::new(Stuck))?;
/// stuck.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
/// stuck.clear().unwrap();
/// assert_eq!(stuck.info().release_failures, 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseFailed;
