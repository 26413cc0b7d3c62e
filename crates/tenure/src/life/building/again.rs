//! Builds that no caller stands behind: what a front door gives, so that one can be made.

use std::future::poll_fn;
use std::task::Poll;

use crate::ground::sync::Arc;
use crate::life::aging::workers::Worker;
use crate::life::building::detached::Detached;
use crate::life::building::polled::Polled;
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

/// Has a build made by `again` in the background: by this worker at once, or by one that is free once it is its turn.
pub(crate) fn begin<V: Resource, F: Failure>(
    build: Detached<V, F>,
    worker: Worker,
    again: &Again<V, F>,
) {
    if !build.is_held() {
        build.by(worker);
        return again(build);
    }
    // Meanwhile others build.
    drop(worker);
    let again = Arc::clone(again);
    once_permitted(build, move |build| {
        let services = Arc::clone(build.services());
        let timed = Arc::clone(&services);
        let made = move |worker| {
            let now = timed.clock.now();
            timed.timer.at(now, move |_| {
                build.by(worker);
                again(build);
            });
        };
        let most = services.config.refresh_workers();
        services.workers.queue(most, Box::new(made));
    });
}

/// Gives a build to `carry` once it is its turn among the members of a fleet: now, or by the timer. No thread waits
/// for that.
pub(crate) fn once_permitted<V: Resource, F: Failure>(
    build: Detached<V, F>,
    carry: impl FnOnce(Detached<V, F>) + Send + 'static,
) {
    if !build.is_held() {
        return carry(build);
    }
    let services = Arc::clone(build.services());
    let turn = async move {
        poll_fn(|cx| match build.poll_turn(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        carry(build);
    };
    Polled::begin(services, Box::pin(turn));
}
