//! The releases under way, and the wait for them at the end of a process.
//!
//! Invariants
//! 1. A release is under way from before its entry leaves its cache until the callback has
//!    returned.
//! 2. A wait is for what had begun before it, and not for what begins meanwhile: it ends under load.
//! 3. A wait from inside a release does not wait for that one, nor behind a wait that does.
//!
//! Why two counts? What begins is counted on the side whose turn it is; a wait gives the turn to the
//! other side and waits until this one is empty. It does so twice, since a release may have read the
//! turn before that, and be counted after.
//!
//! A wait from inside a release leaves the turn alone, since giving it is one wait's business at a
//! time. It lasts until there is a moment with nothing else under way, which load can put off: the
//! shutdown's bound ends it then.
//!
//! Lock order: `waiter`, then `changed`. Neither is held while anything else is done.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::ground::strand::{Layers, Within};
use crate::ground::sync::{AtomicU64, Condvar, Mutex, Ordering, look, thread_local};

#[derive(Default)]
pub(crate) struct UnderWay {
    turn: AtomicU64,
    counts: [AtomicU64; 2],
    waiting: AtomicU64,
    changed: (Mutex<()>, Condvar),
    waiter: Mutex<()>,
}

/// How many of the releases on each side are this strand's: of whichever engine.
pub(crate) type Mine = [u64; 2];

thread_local! {
    static MINE: Layers<Side> = const { Layers::new() };
}

thread_local! {
    static AFTERWARDS: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Releases are under way on this strand for as long as it lives.
pub(crate) struct Begun<'a> {
    /// None where it is counted elsewhere.
    _count: Option<CountGuard<'a>>,
    mine: Option<Within<Side>>,
}

/// One that is counted, on whatever thread, until this is dropped.
pub(crate) struct CountGuard<'a> {
    under_way: &'a UnderWay,
    side: Side,
}

/// Where something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Even,
    Odd,
}

/// The releases that this strand has under way: inside a callback that it runs, or a check of one.
pub(crate) fn mine() -> Mine {
    let mut mine = Mine::default();
    // A thread that is about to end has nothing more of its own.
    let _ = MINE.try_with(|sides| {
        sides.each(|side| {
            mine[side as usize] += 1;
            true
        });
    });
    mine
}

/// Whether the present code belongs to a release, or to a check, that its strand runs.
///
/// ```
/// use tenure::cache_resource;
///
/// #[cache_resource(on_release = |_| assert!(tenure::front::is_releasing()))]
/// fn pool() -> u32 {
///     7
/// }
///
/// drop(pool());
/// pool::clear();
/// assert!(!tenure::front::is_releasing());
/// ```
#[must_use]
pub fn is_releasing() -> bool {
    MINE.try_with(|sides| sides.last().is_some())
        .unwrap_or(false)
}

/// This strand goes on with a release that is counted on this side, and stays so when the guard is dropped: a wait from
/// inside of it does not wait for that.
pub(crate) fn carry(side: Side) -> Begun<'static> {
    Begun {
        _count: None,
        mine: Some(Within::put(&MINE, side)),
    }
}

/// This strand goes on with all of these, for who waits inside of them.
pub(crate) fn carry_all(mine: Mine) -> Vec<Begun<'static>> {
    let sides = [Side::Even, Side::Odd].into_iter().zip(mine);
    let each = sides.flat_map(|(side, count)| (0..count).map(move |_| side));
    each.map(carry).collect()
}

/// Has `work` done once this thread has released everything that it is about to release; now, where
/// that is nothing. For what a callback learns and may not act on: it would disturb the next one.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static STOP: AtomicBool = AtomicBool::new(false);
///
/// tenure::front::after_releases(|| STOP.store(true, Ordering::Relaxed));
/// assert!(STOP.load(Ordering::Relaxed));
/// ```
pub fn after_releases(work: fn()) {
    if !is_idle() {
        let _ = AFTERWARDS.try_with(|cell| cell.set(Some(work)));
    } else {
        work();
    }
}

/// Whether no strand of this thread releases anything.
fn is_idle() -> bool {
    MINE.try_with(Layers::is_empty).unwrap_or(true)
}

impl UnderWay {
    #[inline]
    pub(crate) fn begin(&self) -> Begun<'_> {
        let side = self.count();
        let count = self.take_over(side);
        Begun {
            _count: Some(count),
            mine: Some(Within::put(&MINE, side)),
        }
    }

    /// Begins a release as [`begin`](Self::begin) does, where this strand has not begun already.
    #[inline]
    pub(crate) fn begin_once(&self) -> Option<Begun<'_>> {
        (!is_releasing()).then(|| self.begin())
    }

    /// Counts one that no thread has begun yet, until it is [taken over](Self::take_over).
    #[inline]
    pub(crate) fn count(&self) -> Side {
        let side = match look(&self.turn) % 2 {
            0 => Side::Even,
            _ => Side::Odd,
        };
        self.counts[side as usize].fetch_add(1, Ordering::SeqCst);
        side
    }

    /// Takes over one that was counted on this side.
    #[inline]
    pub(crate) fn take_over(&self, side: Side) -> CountGuard<'_> {
        CountGuard {
            under_way: self,
            side,
        }
    }

    /// Waits until everything that has begun is over, but for `mine`.
    pub(crate) fn settle(&self, mine: Mine) {
        if mine != Mine::default() {
            // Whoever holds the turn may wait for `mine`.
            for side in 0..2 {
                self.await_side(side, mine, None);
            }
            return;
        }
        let _waiter = self.waiter.lock();
        // Both sides: one that read the turn before it changed may be counted after.
        for _ in 0..2 {
            let side = (self.turn.fetch_add(1, Ordering::SeqCst) % 2) as usize;
            self.await_side(side, mine, None);
        }
    }

    /// Waits for a moment with nothing under way but `mine`, so long at most. Whether there was one on each side.
    pub(crate) fn settle_within(&self, mine: Mine, bound: Duration) -> bool {
        let until = Instant::now().checked_add(bound);
        (0..2).all(|side| self.await_side(side, mine, until))
    }

    /// Waits for a moment with nothing under way on this side but `mine`, until then at most. Whether there was one.
    fn await_side(&self, side: usize, mine: Mine, until: Option<Instant>) -> bool {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut changed = self.changed.0.lock();
        let mut is_over = true;
        while is_over && look(&self.counts[side]) > mine[side] {
            match until {
                None => self.changed.1.wait(&mut changed),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    is_over = !self.changed.1.wait_for(&mut changed, left).timed_out();
                }
            }
        }
        drop(changed);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        is_over
    }

    /// How many have begun and are not over.
    pub(crate) fn len(&self) -> u64 {
        self.counts.iter().map(look).sum()
    }

    /// In a child process: the threads that waited are not there, and may have held the locks.
    pub(crate) fn abandon(&self) {
        self.waiting.store(0, Ordering::SeqCst);
    }
}

impl Drop for Begun<'_> {
    #[inline]
    fn drop(&mut self) {
        self.mine = None;
        if is_idle()
            && let Ok(Some(work)) = AFTERWARDS.try_with(Cell::take)
        {
            work();
        }
    }
}

impl Drop for CountGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        let under_way = self.under_way;
        under_way.counts[self.side as usize].fetch_sub(1, Ordering::SeqCst);
        if look(&under_way.waiting) > 0 {
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

    fn until_someone_waits(under_way: &UnderWay) {
        while under_way.waiting.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
    }

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
            until_someone_waits(&under_way);
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
    fn l6_a_release_does_not_wait_for_what_its_strand_carries() {
        let under_way = UnderWay::default();
        let counted = under_way.take_over(under_way.count());
        let carried = carry(counted.side);
        assert!(is_releasing());
        let around = mine();
        under_way.settle(around);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _for_who_waits = carry_all(around);
                let _own = under_way.begin();
                under_way.settle(mine());
            });
        });
        drop(carried);
        assert_eq!((mine(), under_way.len()), ([0; 2], 1));
        drop(counted);
        assert_eq!(under_way.len(), 0);
    }

    #[test]
    fn l6_what_no_thread_has_begun_yet_is_waited_for_too() {
        let leaving = UnderWay::default();
        let side = leaving.count();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| leaving.settle([0; 2]));
            until_someone_waits(&leaving);
            assert!(!waits.is_finished());
            assert!(!is_releasing());
            drop(leaving.take_over(side));
            waits.join().unwrap();
        });
    }

    #[test]
    fn l3_what_is_put_off_is_done_once_after_the_last_release_of_the_thread() {
        thread_local! {
            static DONE: Cell<u64> = const { Cell::new(0) };
        }
        let done = || DONE.with(Cell::get);
        let under_way = UnderWay::default();
        let outer = under_way.begin();
        let inner = under_way.begin();
        after_releases(|| DONE.with(|it| it.set(it.get() + 1)));
        after_releases(|| DONE.with(|it| it.set(it.get() + 1)));
        drop(inner);
        assert_eq!(done(), 0);
        drop(outer);
        assert_eq!(done(), 1);
        drop(under_way.begin());
        assert_eq!(done(), 1);
        after_releases(|| DONE.with(|it| it.set(it.get() + 1)));
        assert_eq!(done(), 2);
    }

    #[test]
    fn l6_a_wait_inside_a_release_does_not_wait_behind_a_wait_for_that_release() {
        let under_way = UnderWay::default();
        let begun = under_way.begin();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| under_way.settle([0; 2]));
            until_someone_waits(&under_way);
            under_way.settle(mine());
            assert!(!waits.is_finished());
            drop(begun);
            waits.join().unwrap();
        });
    }

    #[test]
    fn l6_a_wait_with_a_bound_ends_with_it() {
        let under_way = UnderWay::default();
        assert!(under_way.settle_within([0; 2], Duration::ZERO));
        let begun = under_way.begin();
        assert!(under_way.settle_within(mine(), Duration::ZERO));
        assert!(!under_way.settle_within([0; 2], Duration::ZERO));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| under_way.settle_within([0; 2], Duration::MAX));
            until_someone_waits(&under_way);
            drop(begun);
            assert!(waits.join().unwrap());
        });
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
