//! Every lock, atomic and thread of the crate, so that a model checker can stand in for all of them.
//!
//! Three faces of one interface: `parking_lot` and `std` in a normal build, `loom` under
//! `--cfg loom`, `shuttle` under `--cfg shuttle`. Locks never poison: a panic in foreign code
//! never happens under one of them.

#[cfg(not(any(loom, shuttle)))]
mod real {
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
    pub(crate) use std::thread_local;

    /// Starts a named thread that dies with the process.
    pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map(drop)
    }
}
#[cfg(not(any(loom, shuttle)))]
pub(crate) use real::*;

#[cfg(any(loom, shuttle))]
mod model {
    use std::ops::{Deref, DerefMut};
    use std::time::Duration;

    #[cfg(loom)]
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
    #[cfg(loom)]
    use loom::sync::{Condvar as Cv, Mutex as Mx, MutexGuard as Guard};
    #[cfg(loom)]
    pub(crate) use loom::thread_local;
    #[cfg(shuttle)]
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
    #[cfg(shuttle)]
    use shuttle::sync::{Condvar as Cv, Mutex as Mx, MutexGuard as Guard};
    #[cfg(shuttle)]
    pub(crate) use shuttle::thread_local;

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(Mx<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Mx::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().expect("no panic under a lock")))
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    pub(crate) struct MutexGuard<'a, T>(Option<Guard<'a, T>>);

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            self.0.as_ref().expect("held")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("held")
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(Cv);

    /// Tells whether a timed wait ran out; a model has no time, so it never does.
    pub(crate) struct WaitTimeoutResult;

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(&self) -> bool {
            false
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(Cv::new())
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let held = guard.0.take().expect("held");
            guard.0 = Some(self.0.wait(held).expect("no panic under a lock"));
        }

        pub(crate) fn wait_for<T>(
            &self,
            guard: &mut MutexGuard<'_, T>,
            _timeout: Duration,
        ) -> WaitTimeoutResult {
            self.wait(guard);
            WaitTimeoutResult
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// Models drive deadlines by hand, so no background thread starts by itself.
    pub(crate) fn spawn(_name: &str, _work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        Ok(())
    }
}
#[cfg(any(loom, shuttle))]
pub(crate) use model::*;

pub(crate) use std::sync::{Arc, OnceLock, Weak};
