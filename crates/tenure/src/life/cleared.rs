//! The wait for everything that a clear has taken out.
//!
//! 1. A clear begins a [`Batch`], and whatever it leads to holds the batch until it is over: an async
//!    callback until it has ended, an entry that is still leased until the last lease is gone and
//!    the callback has ended too.
//! 2. A batch that begins within another one holds that one: what a callback clears is waited for by
//!    whoever waits for the callback.
//!
//! Why is a thread-local enough? A clear and a callback that blocks run on one thread to their end,
//! and an async callback enters its batch for each poll.

use std::cell::RefCell;
use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;

use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, thread_local};
use crate::life::ended_by::EndedBy;

thread_local! {
    /// The batch of what this thread releases.
    static PRESENT: RefCell<Option<Batch>> = const { RefCell::new(None) };
}

/// Releases that somebody may wait for together.
#[derive(Clone)]
pub(crate) struct Batch {
    _open: Arc<Open>,
}

/// Drops with the last release of the batch, and lets go of the batch around it after that.
struct Open {
    over: Arc<Latch<()>>,
    _within: Option<Batch>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.over.tell(());
    }
}

impl Batch {
    /// The batch that what is released here belongs to.
    pub(crate) fn present() -> Option<Self> {
        PRESENT.try_with(|it| it.borrow().clone()).ok().flatten()
    }

    /// Has what this thread releases belong to the batch, for as long as the guard lives.
    pub(crate) fn enter(self) -> Belongs {
        Belongs(swapped(Some(self)))
    }
}

/// A guard: what is released meanwhile belongs to a batch. It holds the one before.
pub(crate) struct Belongs(Option<Batch>);

impl Drop for Belongs {
    fn drop(&mut self) {
        let own = swapped(self.0.take());
        drop(own);
    }
}

fn swapped(batch: Option<Batch>) -> Option<Batch> {
    PRESENT.try_with(|it| it.replace(batch)).ok().flatten()
}

/// A clear under way.
pub(crate) struct Clearing {
    over: Arc<Latch<()>>,
    _belongs: Belongs,
    _ended_by: EndedBy,
}

impl Clearing {
    #[track_caller]
    pub(crate) fn begin() -> Self {
        let over = Arc::<Latch<()>>::default();
        let batch = Batch {
            _open: Arc::new(Open {
                over: Arc::clone(&over),
                _within: Batch::present(),
            }),
        };
        Self {
            over,
            _belongs: batch.enter(),
            _ended_by: EndedBy::caller(),
        }
    }

    pub(crate) fn end(self) -> Cleared {
        Cleared(self.over)
    }
}

/// A clear that has happened. Nothing has to be done with it; a task may await it, until everything
/// that the clear took out has been released: until no lease of it is left, and each `on_release`
/// has ended, an async one too. For `select!`, a time-out and the like it is made a future by
/// [`into_future`](IntoFuture::into_future).
///
/// A task that holds a lease of its own waits for itself: drop the lease first. A build that is under
/// way is not waited for: what it gives goes to its callers only.
///
/// ```
/// use tenure::cache_resource;
///
/// # struct Pool;
/// # impl Pool {
/// #     fn query(&self, _: &str) {}
/// #     async fn close(self) {}
/// # }
/// #[cache_resource(on_release = Pool::close)]
/// async fn pool() -> Pool {
///     Pool
/// }
///
/// # futures_executor::block_on(async {
/// pool().await.query("select 1");
/// pool::clear().await; // it has been closed
/// pool::clear(); // the same without the wait
/// # });
/// ```
pub struct Cleared(Arc<Latch<()>>);

impl fmt::Debug for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleared").finish_non_exhaustive()
    }
}

impl Cleared {
    /// The clear of a function that has kept nothing yet.
    pub(crate) fn nothing() -> Self {
        Clearing::begin().end()
    }
}

impl IntoFuture for Cleared {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(poll_fn(move |cx| self.0.poll(cx)))
    }
}
