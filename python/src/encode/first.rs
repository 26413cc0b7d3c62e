//! What callbacks are bound to and close over, as it was when it was first met there.
//!
//! A callback is a setting: it has no part in what a build makes, and what it holds is often made
//! to change, such as a list that collects what was released. So the content that such an object
//! had at the first decoration goes on counting for it while a cache that was decorated with it
//! lives. Another object counts by what it holds itself when it is first met, so a script that
//! makes an equal one anew is still the same. What has no key counts by a number of its own.
use pyo3::ffi;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

/// An object that a callback holds, and what counts for it. Kept by every cache whose callbacks
/// hold the object, so its address means this object while anything looks for it. The collector is
/// not shown it, because one reference is all that the caches and the engine share.
pub(crate) struct First {
    _value: Py<PyAny>,
    counts: u128,
}

impl First {
    pub(super) fn counts(&self) -> u128 {
        self.counts
    }
}

/// By address. An object that is gone is not found, since nothing keeps its `First` any more.
/// Locked only by who holds the interpreter, and nothing of Python's happens meanwhile.
static MET: Mutex<Option<HashMap<usize, Weak<First>>>> = Mutex::new(None);

/// What counts for an object that was met before.
pub(super) fn find(_py: Python<'_>, value: *mut ffi::PyObject) -> Option<Arc<First>> {
    let met = MET.lock().unwrap_or_else(|poison| poison.into_inner());
    met.as_ref()?.get(&(value as usize))?.upgrade()
}

/// Takes down what counts for an object from now on.
pub(super) fn meet(value: &Bound<'_, PyAny>, counts: u128) -> Arc<First> {
    let first = Arc::new(First {
        _value: value.clone().unbind(),
        counts,
    });
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
