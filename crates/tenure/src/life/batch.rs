//! What a clear leads to, as one.
//!
//! 1. Whatever a clear leads to holds its batch until it is over: an async callback until it has ended, an entry that is
//!    still leased until the last lease is gone and the callback has ended too.
//! 2. A batch that begins within another one holds that one: what a callback clears is waited for by
//!    whoever waits for the callback.
//!
//! Why is a thread-local enough? A clear and a callback that blocks run on one thread to their end,
//! and an async callback enters its batch for each poll.

use std::cell::RefCell;

use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, thread_local};

thread_local! {
    /// The batch of what this thread releases.
    static PRESENT: RefCell<Option<Batch>> = const { RefCell::new(None) };
}

/// Releases that somebody may wait for together.
#[derive(Clone)]
pub(crate) struct Batch {
    open: Arc<Open>,
}

/// Drops with the last release of the batch, and lets go of the batch around it after that.
struct Open {
    over: Arc<Latch<()>>,
    within: Option<Batch>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.over.tell(());
    }
}

impl Batch {
    /// A batch within the present one, which tells when it is over.
    pub(crate) fn begin(over: &Arc<Latch<()>>) -> Self {
        Self {
            open: Arc::new(Open {
                over: Arc::clone(over),
                within: Self::present(),
            }),
        }
    }

    /// The batch that what is released here belongs to.
    pub(crate) fn present() -> Option<Self> {
        PRESENT.try_with(|it| it.borrow().clone()).ok().flatten()
    }

    /// Whether who waits for this clear waits for the batch as well.
    pub(crate) fn is_awaited_by(&self, over: &Arc<Latch<()>>) -> bool {
        std::iter::successors(Some(self), |it| it.open.within.as_ref())
            .any(|it| Arc::ptr_eq(&it.open.over, over))
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
