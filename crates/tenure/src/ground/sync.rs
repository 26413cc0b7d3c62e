//! Every lock, atomic and thread of the crate, so that a model checker can stand in for all of them.
//!
//! Three faces of one interface: `std` in a normal build, `loom` under `--cfg loom`, `shuttle`
//! under `--cfg shuttle`. Locks never poison: a panic in foreign code never happens under one of
//! them.
//!
//! Why the locks of `std`? A forked child has only the thread that forked. What other threads held
//! at that moment stays held, and a child may only use locks of its own. Those of `parking_lot`
//! share one table of sleepers, which some other thread may have held.

use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError};
use std::time::Duration;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::collections::HashMap;
#[cfg(not(any(loom, shuttle)))]
#[allow(unused_imports)]
pub(crate) use std::sync::atomic::AtomicU64;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
#[cfg(not(any(loom, shuttle)))]
use std::sync::{Condvar as Cv, Mutex as Mx, MutexGuard as Guard};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::thread::LocalKey;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::thread_local;

#[cfg(loom)]
#[allow(unused_imports)]
pub(crate) use loom::sync::atomic::AtomicU64;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, Ordering};
#[cfg(loom)]
use loom::sync::{Condvar as Cv, Mutex as Mx, MutexGuard as Guard};
#[cfg(loom)]
pub(crate) use loom::thread::LocalKey;

#[cfg(shuttle)]
#[allow(unused_imports)]
pub(crate) use shuttle::sync::atomic::AtomicU64;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, Ordering};
#[cfg(shuttle)]
use shuttle::sync::{Condvar as Cv, Mutex as Mx, MutexGuard as Guard};
#[cfg(shuttle)]
pub(crate) use shuttle::thread::LocalKey;

/// The checkers' macros do not know `const` initial values.
#[cfg(any(loom, shuttle))]
macro_rules! model_thread_local {
    ($(#[$doc:meta])* static $name:ident: $type:ty = const { $value:expr };) => {
        #[cfg(loom)]
        loom::thread_local! { $(#[$doc])* static $name: $type = $value; }
        #[cfg(shuttle)]
        shuttle::thread_local! { $(#[$doc])* static $name: $type = $value; }
    };
}
#[cfg(any(loom, shuttle))]
pub(crate) use model_thread_local as thread_local;

/// A map that every run walks in the same order, so that a run can be repeated.
#[cfg(any(loom, shuttle))]
pub(crate) type HashMap<K, V> =
    std::collections::HashMap<K, V, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>;

pub(crate) use std::sync::{Arc, OnceLock, Weak};

/// A figure, a number or a setting: nothing hangs on when a thread learns of it, so no model checker
/// has to look at it.
pub(crate) use std::sync::atomic::AtomicU64 as Figure;

/// The lock of a record that nothing hangs on, held for a few instructions: no model checker has to look at it.
pub(crate) use std::sync::Mutex as Record;

/// A switch of the whole process, in a static that stands before any model runs.
pub(crate) use std::sync::atomic::AtomicBool as Switch;

/// A sequentially consistent look.
///
/// loom knows no total order of such loads, and would let two threads each miss what the other has
/// just written; an exchange that changes nothing it puts in order.
#[inline]
pub(crate) fn look(number: &AtomicU64) -> u64 {
    if cfg!(loom) {
        number.fetch_add(0, Ordering::SeqCst)
    } else {
        number.load(Ordering::SeqCst)
    }
}

/// Something that is made once, by whoever needs it first.
#[cfg(not(loom))]
pub(crate) use std::sync::OnceLock as Once;

/// A cell that is made once, for a checker that has to see that what was made was made before it is
/// looked at.
#[cfg(loom)]
pub(crate) struct Once<T> {
    made: OnceLock<T>,
    is_made: AtomicBool,
    making: Mutex<()>,
}

#[cfg(loom)]
impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self {
            made: OnceLock::new(),
            is_made: AtomicBool::new(false),
            making: Mutex::new(()),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let is_made = self.is_made.load(Ordering::Acquire);
        is_made.then(|| self.made.get().expect("made"))
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let _making = self.making.lock();
        let made = self.made.get_or_init(make);
        self.is_made.store(true, Ordering::Release);
        made
    }
}

#[cfg(loom)]
impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A value that many references share, and the last of them drops.
#[cfg(not(loom))]
pub(crate) struct Value<T>(T);

#[cfg(not(loom))]
impl<T> Value<T> {
    #[inline]
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}

/// A shared value under a checker that has to see who looks, so that it finds a look that no order
/// of events keeps from coming after the drop.
#[cfg(loom)]
pub(crate) struct Value<T> {
    cell: loom::cell::UnsafeCell<T>,
    gone: std::sync::atomic::AtomicBool,
}

#[cfg(loom)]
#[allow(unsafe_code)]
impl<T> Value<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            cell: loom::cell::UnsafeCell::new(value),
            gone: false.into(),
        }
    }

    pub(crate) fn get(&self) -> &T {
        assert!(
            !self.gone.load(Ordering::SeqCst),
            "looked at after its drop"
        );
        // SAFETY: nobody changes the value before its drop, and the checker fails the model where
        // this look is not ordered before that.
        self.cell.with(|value| unsafe { &*value })
    }

    /// Drops the value. Its memory stays, so that a later look is seen.
    ///
    /// # Safety
    /// By whoever had the last reference.
    pub(crate) unsafe fn end(&self) {
        assert!(!self.gone.swap(true, Ordering::SeqCst), "dropped twice");
        let value = self.cell.with_mut(|value| value);
        // SAFETY: dropped once, by whoever had the last reference.
        unsafe { std::ptr::drop_in_place(value) };
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(Mx<T>);

impl<T> Mutex<T> {
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) const fn new(value: T) -> Self {
        Self(Mx::new(value))
    }

    #[cfg(any(loom, shuttle))]
    pub(crate) fn new(value: T) -> Self {
        Self(Mx::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(unpoisoned(self.0.lock())))
    }
}

#[inline]
fn unpoisoned<G>(outcome: LockResult<G>) -> G {
    outcome.unwrap_or_else(PoisonError::into_inner)
}

/// Empty only while its thread waits for a condition.
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T>(Option<Guard<'a, T>>);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("held")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("held")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(Cv);

/// Tells whether a timed wait ran out. A model has no time, so there it never does.
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(Cv::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("held");
        guard.0 = Some(unpoisoned(self.0.wait(held)));
    }

    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn wait_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        let held = guard.0.take().expect("held");
        let (held, outcome) = unpoisoned(self.0.wait_timeout(held, timeout));
        guard.0 = Some(held);
        WaitTimeoutResult(outcome.timed_out())
    }

    #[cfg(any(loom, shuttle))]
    pub(crate) fn wait_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        _timeout: Duration,
    ) -> WaitTimeoutResult {
        self.wait(guard);
        WaitTimeoutResult(false)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Numbers threads from zero, in the order in which they first ask; `None` for one that ends.
#[cfg(not(any(loom, shuttle)))]
#[inline]
pub(crate) fn thread_number() -> Option<usize> {
    thread_local! {
        /// The number plus one, or nothing yet.
        static NUMBER: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }
    let number = NUMBER.try_with(|number| match number.get() {
        0 => {
            static NUMBERS: Figure = Figure::new(1);
            let next = NUMBERS.fetch_add(1, Ordering::Relaxed) as usize;
            number.set(next);
            next
        }
        number => number,
    });
    number.ok().map(|number| number - 1)
}

/// A model's threads have numbers that are the same in every run.
#[cfg(loom)]
pub(crate) fn thread_number() -> Option<usize> {
    let id = format!("{:?}", loom::thread::current().id());
    id.trim_matches(|it: char| !it.is_ascii_digit())
        .parse()
        .ok()
}

/// A model's threads have numbers that are the same in every run.
#[cfg(shuttle)]
pub(crate) fn thread_number() -> Option<usize> {
    Some(shuttle::current::me().into())
}

/// Starts a named thread that dies with the process.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}

/// Models drive deadlines by hand, so no background thread starts by itself.
#[cfg(any(loom, shuttle))]
pub(crate) fn spawn(_name: &str, _work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    Ok(())
}
