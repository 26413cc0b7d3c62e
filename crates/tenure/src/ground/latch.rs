//! A value that is told once, and the thread or task that waits for it.
//!
//! Invariant: a waker is foreign, and is cloned, woken and dropped outside of the lock.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::sync::{Condvar, Mutex};

/// A value that somebody tells and somebody else takes.
pub(crate) struct Latch<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    told: Option<T>,
    waker: Option<Waker>,
}

impl<T> Default for Latch<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                told: None,
                waker: None,
            }),
            changed: Condvar::new(),
        }
    }
}

impl<T> Latch<T> {
    pub(crate) fn tell(&self, value: T) {
        let mut state = self.state.lock();
        state.told = Some(value);
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Blocks until it is told, at most for `bound`.
    pub(crate) fn wait(&self, bound: Duration) -> Option<T> {
        let mut state = self.state.lock();
        while state.told.is_none() {
            if self.changed.wait_for(&mut state, bound).timed_out() {
                break;
            }
        }
        state.told.take()
    }

    /// A look by the task that waits.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<T> {
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        if let Some(told) = state.told.take() {
            return Poll::Ready(told);
        }
        let before = state.waker.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}
