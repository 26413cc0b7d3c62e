//! Builds that no caller stands behind: what a front door gives, so that one can be made.

use crate::ground::sync::{Arc, spawn};
use crate::life::building::detached::Detached;
use crate::words::bounds::{Failure, Resource};

/// The build of one call, as it can be made again and on another thread: it sees to it that the
/// [`Detached`] build it is given ends, now or later.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tenure::front::{Again, Patiently};
/// use tenure::{Engine, Function, KeyRef, ManualClock, Refresh, Settings};
///
/// let clock = ManualClock::new();
/// let engine = Engine::with_clock(clock.clone());
/// let settings = Settings::default().ttl(Duration::from_secs(60)).refresh(Refresh::Background);
/// let rates = Function::<u32, String>::plain(&engine, "rates", settings)?;
/// let again = || -> Option<Again<u32, String>> {
///     Some(Arc::new(|build| {
///         let outcome = build.run(|| Ok(8));
///         build.finish(outcome, |interrupt| format!("{interrupt:?}"));
///     }))
/// };
/// let call = || rates.get_or_refresh(&KeyRef::EMPTY, &Patiently, || Ok(7), &again).unwrap();
/// assert_eq!(*call(), 7);
/// clock.advance(Duration::from_secs(61));
/// assert_eq!(*call(), 7); // too old, and handed out while its successor is built
/// engine.run_due();
/// assert_eq!(*call(), 8);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub type Again<V, F> = Arc<dyn Fn(Detached<V, F>) + Send + Sync>;

/// How a call comes by its [`Again`], where it needs one. Nothing where its build cannot leave it.
pub(crate) type Asks<'a, V, F> = &'a dyn Fn() -> Option<Again<V, F>>;

/// Has a build made by `again` once it is its turn; on a thread of its own where it has to wait for that.
pub(crate) fn begin<V: Resource, F: Failure>(build: Detached<V, F>, again: &Again<V, F>) {
    if !build.is_held() {
        return again(build);
    }
    let (again, function) = (Arc::clone(again), Arc::clone(build.function()));
    let thread = spawn("tenure-build", move || {
        build.await_turn();
        again(build);
    });
    if let Err(error) = thread {
        tracing::error!(%function, %error, "no thread for a build that waits for its turn");
    }
}
