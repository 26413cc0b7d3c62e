//! The budget for the weight of all entries of a process.
//!
//! Invariants
//! 1. What the caches hold together is within the budget at every moment: room is made before an entry
//!    is added, and nobody else adds one meanwhile.
//! 2. Of all entries that have a weight, the one used longest ago goes first.
//!
//! Lock order: the budget's turn, a cache's lock, then what is held, which is a leaf. Nothing is released
//! under any of them.

use crate::directory::Weaks;
use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Mutex, MutexGuard, Weak};
use crate::life::drain::End;

/// A cache whose entries have weights, whatever their types.
pub(crate) trait Weighed: Send + Sync {
    /// When the entry was used that was used longest ago.
    fn longest_unused(&self) -> Option<Nanos>;
    /// Takes that entry out. What this gives releases it.
    fn take_longest_unused(&self) -> Option<End>;
}

/// The budget of an engine.
#[derive(Default)]
pub(crate) struct Budget {
    /// Taken by whoever adds an entry that has a weight, for as long as that takes.
    turn: Mutex<()>,
    /// More than any weight can be: what is added must be there to be taken off.
    held: Mutex<u128>,
    caches: Caches,
}

struct Caches(Weaks<dyn Weighed>);

impl Default for Caches {
    fn default() -> Self {
        Self(Weaks::new())
    }
}

/// The turn of one who adds, and what had to go for it.
pub(crate) struct Room<'a> {
    /// Released once the turn is over.
    pub(crate) evicted: Vec<End>,
    turn: MutexGuard<'a, ()>,
    /// Kept until then: the last reference to a cache releases what it holds.
    caches: Vec<Arc<dyn Weighed>>,
}

impl Room<'_> {
    /// Ends the turn, and gives what has to be released.
    pub(crate) fn close(self) -> Vec<End> {
        let Self {
            evicted,
            turn,
            caches,
        } = self;
        drop(turn);
        drop(caches);
        evicted
    }
}

impl Budget {
    pub(crate) fn join(&self, cache: Weak<dyn Weighed>) {
        self.caches.0.add(cache);
    }

    pub(crate) fn add(&self, weight: u64) {
        *self.held.lock() += u128::from(weight);
    }

    pub(crate) fn subtract(&self, weight: u128) {
        if weight > 0 {
            *self.held.lock() -= weight;
        }
    }

    #[cfg(shuttle)]
    pub(crate) fn held(&self) -> u128 {
        *self.held.lock()
    }

    /// Makes room for so much within `most`, and keeps others from adding meanwhile. The caller has
    /// begun a release and holds no lock.
    pub(crate) fn make_room(&self, weight: u64, most: u64) -> Room<'_> {
        let caches = self.caches.0.live();
        let turn = self.turn.lock();
        let mut evicted = Vec::new();
        while *self.held.lock() + u128::from(weight) > u128::from(most) {
            let longest_unused = caches
                .iter()
                .filter_map(|cache| Some((cache.longest_unused()?, cache)))
                .min_by_key(|(used_at, _)| *used_at);
            // Nothing is there that could go: what is held is on its way out.
            let Some((_, cache)) = longest_unused else {
                break;
            };
            evicted.extend(cache.take_longest_unused());
        }
        Room {
            evicted,
            turn,
            caches,
        }
    }
}
