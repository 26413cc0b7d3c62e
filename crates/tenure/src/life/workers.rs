//! The bound on refreshes in the background.

use crate::ground::sync::{Arc, AtomicU64, Ordering};

/// How many refreshes run.
#[derive(Default)]
pub(crate) struct Workers(AtomicU64);

/// A place among those that run; given up when it is dropped.
pub(crate) struct Worker(Arc<Workers>);

impl Workers {
    /// A place, unless `most` are taken: a refresh that finds none is skipped and not put off, so that no
    /// backlog builds up behind slow ones.
    pub(crate) fn take(self: &Arc<Self>, most: usize) -> Option<Worker> {
        let most = most as u64;
        let more = |taken: u64| (taken < most).then(|| taken + 1);
        let (taken, unless) = (Ordering::AcqRel, Ordering::Acquire);
        self.0.fetch_update(taken, unless, more).ok()?;
        Some(Worker(Arc::clone(self)))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
