//! The turn of a release: what it holds until it has ended, an async one too.
//!
//! Lock order: the lock of a turn is a leaf.

use std::cell::RefCell;

use crate::ground::sync::{Arc, Mutex, thread_local};

/// One turn: over when nothing holds it any more.
#[derive(Clone)]
pub(crate) struct Turn(Arc<Open>);

#[derive(Default)]
struct Open {
    /// What begins by being dropped.
    next: Mutex<Option<Box<dyn Send>>>,
}

thread_local! {
    /// The turn of what this thread releases.
    static PRESENT: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Open::default()))
    }

    /// The turn that a release which begins here holds until it has ended.
    pub(crate) fn present() -> Option<Self> {
        PRESENT.try_with(|it| it.borrow().clone()).ok().flatten()
    }

    /// Has what this thread releases hold the turn, for as long as the guard lives.
    pub(crate) fn enter(self) -> Present {
        Present(swapped(Some(self)))
    }

    /// Whether nothing else holds it.
    pub(crate) fn is_over(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Has `next` dropped when the turn is over.
    pub(crate) fn before(self, next: impl Send + 'static) {
        *self.0.next.lock() = Some(Box::new(next));
    }
}

fn swapped(turn: Option<Turn>) -> Option<Turn> {
    PRESENT.try_with(|it| it.replace(turn)).ok().flatten()
}

/// A guard: what this thread releases meanwhile holds a turn. It has the one before.
pub(crate) struct Present(Option<Turn>);

impl Drop for Present {
    fn drop(&mut self) {
        let own = swapped(self.0.take());
        drop(own);
    }
}
