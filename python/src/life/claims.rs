//! The wishes of callers that an object stay: those of `with f.lease(...)`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

/// The claims on one object.
#[derive(Default)]
struct Claims {
    count: usize,
    /// Whether it was asked for them: who lets go of the object may wait for the last one.
    awaited: bool,
}

/// Those on each object that has any, by address: a claim holds a reference, so no other object can
/// come to stand there. Locked only by who holds the interpreter, so that it is free after a fork.
static CLAIMS: LazyLock<Mutex<HashMap<usize, Claims>>> = LazyLock::new(Mutex::default);

/// How many claims there are in all. Whoever looks at an object that has ended, with a claim on it,
/// sees that one: it was made before the lease of its entry was given back.
static CLAIMED: AtomicUsize = AtomicUsize::new(0);

fn claims() -> MutexGuard<'static, HashMap<usize, Claims>> {
    CLAIMS.lock().expect("nothing panics under this lock")
}

/// Whether there is any claim.
#[inline]
pub(crate) fn are_any() -> bool {
    CLAIMED.load(Ordering::Relaxed) > 0
}

/// The number of claims on the object at this address. Asked by who holds the interpreter.
pub(crate) fn on(address: usize) -> usize {
    claims().get(&address).map_or(0, |it| it.count)
}

/// Whether there is a claim on the object at this address, for who waits until there is none: the end of the last one says
/// so. Asked by who holds the interpreter.
pub(crate) fn await_end(address: usize) -> bool {
    let mut claims = claims();
    let claims = claims.get_mut(&address);
    claims.map(|it| it.awaited = true).is_some()
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
        claims().entry(address(&object)).or_default().count += 1;
        Self { object }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }

    /// Ends it. Gives the object's address where it was the last one, and its end is waited for.
    pub(crate) fn end(self) -> Option<usize> {
        let address = address(&self.object);
        let is_last = |it: &Claims| it.awaited && it.count == 1;
        let is_awaited = claims().get(&address).is_some_and(is_last);
        drop(self);
        is_awaited.then_some(address)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.fetch_sub(1, Ordering::Relaxed);
        // The object itself is let go after the lock.
        let mut claims = claims();
        let address = address(&self.object);
        if let Some(it) = claims.get_mut(&address) {
            it.count -= 1;
            if it.count == 0 {
                claims.remove(&address);
            }
        }
    }
}
