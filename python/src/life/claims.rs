//! The wishes of callers that an object stay: those of `with f.lease(...)`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

/// How many claims there are on each object that has any, by address: a claim holds a reference,
/// so no other object can come to stand there. Locked only by who holds the interpreter, so that it
/// is free after a fork.
static CLAIMS: LazyLock<Mutex<HashMap<usize, usize>>> = LazyLock::new(Mutex::default);

/// How many claims there are in all. Whoever looks at an object that has ended, with a claim on it,
/// sees that one: it was made before the lease of its entry was given back.
static CLAIMED: AtomicUsize = AtomicUsize::new(0);

fn claims() -> MutexGuard<'static, HashMap<usize, usize>> {
    CLAIMS.lock().expect("nothing panics under this lock")
}

/// Whether there is any claim.
#[inline]
pub(crate) fn are_any() -> bool {
    CLAIMED.load(Ordering::Relaxed) > 0
}

/// The number of claims on the object at this address. Asked by who holds the interpreter.
pub(crate) fn on(address: usize) -> usize {
    claims().get(&address).copied().unwrap_or_default()
}

fn address(object: &Py<PyAny>) -> usize {
    object.as_ptr().addr()
}

/// A caller's wish that an object stay.
pub(crate) struct Claim {
    object: Py<PyAny>,
}

impl Claim {
    /// Keeps an object that an entry holds from being released until it is dropped.
    pub(crate) fn new(object: Py<PyAny>) -> Self {
        CLAIMED.fetch_add(1, Ordering::Relaxed);
        *claims().entry(address(&object)).or_default() += 1;
        Self { object }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }

    /// Ends it. Gives the object's address where it was the last one.
    pub(crate) fn end(self) -> Option<usize> {
        let address = address(&self.object);
        drop(self);
        (on(address) == 0).then_some(address)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.fetch_sub(1, Ordering::Relaxed);
        // The object itself is let go after the lock.
        let mut claims = claims();
        let address = address(&self.object);
        if let Some(count) = claims.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                claims.remove(&address);
            }
        }
    }
}
