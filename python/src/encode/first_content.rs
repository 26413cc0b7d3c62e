//! The content of what callbacks are bound to and close over, as it was when it was first met
//! there.
//!
//! A callback is a setting: it has no part in what a build makes, and what it holds is often made
//! to change, such as a list that collects what was released. So the content that such an object
//! had at the first decoration goes on counting for it while a cache that was decorated with it
//! lives. Another object counts by what it holds itself when it is first met, so a script that
//! makes an equal one anew is still the same. What has no key counts by a number of its own.
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use tenure::front::Digests;

/// An object that a callback holds, and what counts for it. Kept by every cache whose callbacks
/// hold the object.
pub(crate) struct First {
    value: Kept,
    counts: u128,
    bound: u128,
    /// Those in it, which its own content was made of.
    _held: Vec<Arc<First>>,
}

/// The object itself, so that its address means this object and no later one.
///
/// Why weakly where it can be? The collector is not shown it, because one reference is all that the
/// caches and the engine share; and a function knows the names of its module, with the decorated
/// function among them, which would then never go.
enum Kept {
    Weakly(Py<PyWeakrefReference>),
    Strongly { _value: Py<PyAny> },
}

impl First {
    fn new(value: &Bound<'_, PyAny>, counts: u128, held: Vec<Arc<First>>, calls: bool) -> Self {
        let bound = if calls {
            let mut bound = Digests::Own.begin();
            for first in &held {
                bound.update(&first.bound.to_le_bytes());
            }
            bound.finish()
        } else {
            number()
        };
        let value = match PyWeakrefReference::new(value) {
            Ok(reference) => Kept::Weakly(reference.unbind()),
            // Lists, dicts and tuples take no weak references.
            Err(_) => Kept::Strongly {
                _value: value.clone().unbind(),
            },
        };
        Self {
            value,
            counts,
            bound,
            _held: held,
        }
    }

    pub(super) fn counts(&self) -> u128 {
        self.counts
    }

    /// Which object it is, and of what is only there to call others, which ones those are.
    pub(crate) fn bound(&self) -> u128 {
        self.bound
    }

    fn is_alive(&self, py: Python<'_>) -> bool {
        match &self.value {
            Kept::Weakly(reference) => reference.bind(py).upgrade().is_some(),
            Kept::Strongly { .. } => true,
        }
    }
}

/// By address. Locked only by who holds the interpreter, and nothing of Python's happens meanwhile.
static MET: Mutex<Option<HashMap<usize, Weak<First>>>> = Mutex::new(None);

/// The content that counts for an object that was met before.
pub(super) fn find(py: Python<'_>, value: *mut ffi::PyObject) -> Option<Arc<First>> {
    let first = {
        let met = MET.lock().unwrap_or_else(|poison| poison.into_inner());
        met.as_ref()?.get(&(value as usize))?.upgrade()
    };
    // Another object may have come to stand there.
    first.filter(|first| first.is_alive(py))
}

/// Takes down what counts for an object from now on. It holds others that were met, and is perhaps
/// only there to call them.
pub(super) fn meet(
    value: &Bound<'_, PyAny>,
    counts: u128,
    held: Vec<Arc<First>>,
    calls: bool,
) -> Arc<First> {
    let first = Arc::new(First::new(value, counts, held, calls));
    let mut met = MET.lock().unwrap_or_else(|poison| poison.into_inner());
    let met = met.get_or_insert_default();
    met.retain(|_, first| first.strong_count() > 0);
    met.insert(value.as_ptr() as usize, Arc::downgrade(&first));
    first
}

/// A number that no other object was given.
pub(super) fn number() -> u128 {
    static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    u128::from(NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}
