//! The bound on builds in the background: refreshes, and those that warm a cache.
//!
//! A refresh that finds no place is skipped, so that no backlog builds up behind slow ones. What warms
//! a cache waits for its turn.
//!
//! Invariant: while somebody waits, every place is taken. Whoever gives one up, or joins the queue,
//! looks for the next.
//!
//! Lock order: the queue's lock is a leaf; a turn begins outside of it.

use std::collections::VecDeque;

use crate::ground::sync::{Arc, AtomicBool, AtomicU64, Figure, Mutex, Ordering};

/// What is done once there is a place. It must not run for long, nor run anything foreign.
pub(crate) type Queued = Box<dyn FnOnce(Worker) + Send>;

/// How many builds run, and what waits for its turn.
#[derive(Default)]
pub(crate) struct Workers {
    taken: AtomicU64,
    /// How many there may be, as it was last said.
    most: Figure,
    queue: Mutex<VecDeque<Queued>>,
    /// In a child process: a thread that is not there may hold the lock.
    abandoned: AtomicBool,
}

/// A place among those that run; given up when it is dropped.
pub(crate) struct Worker(Arc<Workers>);

impl Workers {
    /// A place, unless `most` are taken.
    pub(crate) fn take(self: &Arc<Self>, most: usize) -> Option<Worker> {
        self.most.store(most as u64, Ordering::Relaxed);
        self.place(most as u64)
    }

    fn place(self: &Arc<Self>, most: u64) -> Option<Worker> {
        let more = |taken: u64| (taken < most).then(|| taken + 1);
        let (taken, unless) = (Ordering::AcqRel, Ordering::Acquire);
        self.taken.fetch_update(taken, unless, more).ok()?;
        Some(Worker(Arc::clone(self)))
    }

    /// Takes its turn at once, or once fewer than `most` places are taken, of which there is one at
    /// least.
    pub(crate) fn queue(self: &Arc<Self>, most: usize, turn: Queued) {
        self.most.store(most as u64, Ordering::Relaxed);
        self.queue.lock().push_back(turn);
        self.next();
    }

    /// Begins the turns that there are places for.
    fn next(self: &Arc<Self>) {
        if self.abandoned.load(Ordering::Relaxed) {
            return;
        }
        let most = self.most.load(Ordering::Relaxed).max(1);
        loop {
            let mut queue = self.queue.lock();
            if queue.is_empty() {
                return;
            }
            let Some(worker) = self.place(most) else {
                return;
            };
            let turn = queue.pop_front();
            drop(queue);
            match turn {
                Some(turn) => turn(worker),
                None => return,
            }
        }
    }

    /// Drops what waits for its turn.
    pub(crate) fn give_up(&self) {
        let queue = std::mem::take(&mut *self.queue.lock());
        drop(queue);
    }

    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.next();
    }
}
