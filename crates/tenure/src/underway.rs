//! The releases under way, and the wait for them at the end of a process.
//!
//! Invariants
//! 1. A release is under way from before its entry leaves its cache until the callback has
//!    returned.
//! 2. A wait is for what had begun before it, and not for what begins meanwhile: it ends under load.
//! 3. A wait from inside a release does not wait for that one.
//!
//! Why two counts? What begins is counted on the side whose turn it is; a wait gives the turn to the
//! other side and waits until this one is empty. It does so twice, since a release may have read the
//! turn before that, and be counted after.
//!
//! Lock order: `waiter`, then `changed`. Neither is held while anything else is done.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::sync::{AtomicU64, Condvar, Mutex, Ordering, thread_local};

#[derive(Default)]
pub(crate) struct UnderWay {
    turn: AtomicU64,
    counts: [AtomicU64; 2],
    waiting: AtomicU64,
    changed: (Mutex<()>, Condvar),
    waiter: Mutex<()>,
}

/// How many of the releases on each side are this thread's: of whichever engine.
pub(crate) type Mine = [u64; 2];

thread_local! {
    static MINE: Cell<Mine> = const { Cell::new([0; 2]) };
}

/// Releases are under way on this thread for as long as it lives.
pub(crate) struct Begun<'a> {
    under_way: &'a UnderWay,
    side: usize,
    _not_send: PhantomData<*const ()>,
}

/// What this thread has under way: inside a callback that it runs, or a check of one.
pub(crate) fn mine() -> Mine {
    // A thread that is about to end has nothing more of its own.
    MINE.try_with(Cell::get).unwrap_or_default()
}

fn count(side: usize, change: impl FnOnce(u64) -> u64) {
    let _ = MINE.try_with(|cell| {
        let mut mine = cell.get();
        mine[side] = change(mine[side]);
        cell.set(mine);
    });
}

impl UnderWay {
    #[inline]
    pub(crate) fn begin(&self) -> Begun<'_> {
        let side = (self.turn.load(Ordering::SeqCst) % 2) as usize;
        self.counts[side].fetch_add(1, Ordering::SeqCst);
        count(side, |mine| mine + 1);
        Begun {
            under_way: self,
            side,
            _not_send: PhantomData,
        }
    }

    /// The same, where this thread has not begun already.
    #[inline]
    pub(crate) fn begin_once(&self) -> Option<Begun<'_>> {
        (mine() == [0; 2]).then(|| self.begin())
    }

    /// Waits until everything that has begun is over, but for `mine`.
    pub(crate) fn settle(&self, mine: Mine) {
        let _waiter = self.waiter.lock();
        for _ in 0..2 {
            let side = (self.turn.fetch_add(1, Ordering::SeqCst) % 2) as usize;
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let mut changed = self.changed.0.lock();
            while self.counts[side].load(Ordering::SeqCst) > mine[side] {
                self.changed.1.wait(&mut changed);
            }
            drop(changed);
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Begun<'_> {
    #[inline]
    fn drop(&mut self) {
        count(self.side, |mine| mine - 1);
        let under_way = self.under_way;
        under_way.counts[self.side].fetch_sub(1, Ordering::SeqCst);
        if under_way.waiting.load(Ordering::SeqCst) > 0 {
            // Whoever saw the count before this is asleep by now.
            drop(under_way.changed.0.lock());
            under_way.changed.1.notify_all();
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn l6_a_wait_is_for_what_had_begun_and_not_for_what_begins() {
        let under_way = UnderWay::default();
        let before = under_way.begin();
        let (told, hears) = channel();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                told.send(()).unwrap();
                under_way.settle([0; 2]);
            });
            hears.recv().unwrap();
            while under_way.waiting.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            let during = under_way.begin();
            assert!(!waits.is_finished());
            drop(before);
            // The second turn is for the side on which this one has begun.
            while under_way.turn.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
            let later = under_way.begin();
            drop(during);
            waits.join().unwrap();
            drop(later);
        });
        assert_eq!(mine(), [0; 2]);
    }

    #[test]
    fn l6_a_release_does_not_wait_for_itself() {
        let under_way = UnderWay::default();
        let _outer = under_way.begin();
        let _inner = under_way.begin();
        assert!(under_way.begin_once().is_none());
        under_way.settle(mine());
    }

    #[test]
    fn l6_a_wait_ends_under_load() {
        let under_way = UnderWay::default();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // At every moment, one of them is under way.
                    let mut last = under_way.begin();
                    while !stop.load(Ordering::Relaxed) {
                        last = under_way.begin();
                    }
                    drop(last);
                });
            }
            for _ in 0..100 {
                under_way.settle([0; 2]);
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
