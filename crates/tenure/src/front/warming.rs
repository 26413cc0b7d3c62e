//! The progress of builds that make a cache warm.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::{Poll, Waker};

use tracing::field::display;

use crate::ground::sync::{Arc, Condvar, Mutex};
use crate::life::aging::warm::Warmed;
use crate::words::fallible::Told;

/// Builds in the background that make a cache warm before the first user comes; from `name::warm(…)` and
/// [`Cache::warm`](crate::Cache::warm). Nothing has to be done with it: they go on by themselves. A thread
/// may [`wait`](Self::wait) for them and a task await them, and a health check may ask whether all
/// [is ready](Self::is_ready).
///
/// ```
/// #[tenure::cache_resource]
/// fn model(name: &str) -> Result<usize, std::num::ParseIntError> {
///     name.parse()
/// }
///
/// let warming = model::warm(["7", "8", "nine"]);
/// warming.wait();
/// assert!(warming.is_ready());
/// assert_eq!(warming.failures(), 1); // it is logged too
/// assert_eq!(model::info().entries, 2);
/// ```
#[derive(Clone)]
pub struct Warming(Arc<Progress>);

struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Builds that are not over, and one while more may come.
    left: usize,
    failures: usize,
    wakers: Vec<Waker>,
}

impl fmt::Debug for Warming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warming")
            .field("is_ready", &self.is_ready())
            .field("failures", &self.failures())
            .finish()
    }
}

impl Warming {
    /// Builds that are yet to be named, up to [`all`](Self::all).
    #[doc(hidden)]
    #[must_use]
    pub fn begin() -> Self {
        Self(Arc::new(Progress {
            state: Mutex::new(State {
                left: 1,
                failures: 0,
                wakers: Vec::new(),
            }),
            changed: Condvar::new(),
        }))
    }

    /// One more build of this function. To be told what became of it.
    pub(super) fn one<F: Told>(
        &self,
        function: &Arc<str>,
    ) -> impl FnOnce(Warmed<F>) + Send + 'static + use<F> {
        self.0.state.lock().left += 1;
        let (progress, function) = (Arc::clone(&self.0), Arc::clone(function));
        move |warmed| {
            let (what, error) = match warmed {
                Warmed::Kept | Warmed::Built => return progress.over(false),
                Warmed::Failed(failure) => ("its build failed", failure.text()),
                Warmed::Lost => ("nobody could carry its build to the end", None),
            };
            let error = error.map(display);
            tracing::error!(%function, error, "a resource was not warmed: {what}");
            progress.over(true);
        }
    }

    /// All have been named.
    #[doc(hidden)]
    #[must_use]
    pub fn all(self) -> Self {
        self.0.over(false);
        self
    }

    /// Whether all of them are over, also where some have failed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.state.lock().left == 0
    }

    /// How many have failed so far.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.0.state.lock().failures
    }

    /// Blocks until all of them are over. In a task, await this instead.
    pub fn wait(&self) {
        let mut state = self.0.state.lock();
        while state.left > 0 {
            self.0.changed.wait(&mut state);
        }
    }
}

impl Progress {
    fn over(&self, failed: bool) {
        let mut state = self.state.lock();
        state.left -= 1;
        state.failures += usize::from(failed);
        if state.left > 0 {
            return;
        }
        let wakers = std::mem::take(&mut state.wakers);
        self.changed.notify_all();
        drop(state);
        for waker in wakers {
            waker.wake();
        }
    }
}

impl IntoFuture for Warming {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(poll_fn(move |cx| {
            // A waker is foreign, and is cloned outside of the lock.
            let waker = cx.waker().clone();
            let mut state = self.0.state.lock();
            if state.left == 0 {
                return Poll::Ready(());
            }
            state.wakers.push(waker);
            Poll::Pending
        }))
    }
}
