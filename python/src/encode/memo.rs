//! The digests of long `bytes` and `str` objects, so that the same object need not be read
//! again.
//!
//! Only objects that cannot change are remembered (K13), and each is held by a reference of the
//! memo's own, so that its address cannot come to mean another object. What nobody else holds any
//! more is let go at the next garbage collection and at the next look for another object, so the
//! memo keeps nothing alive for long. It has few places, searched one after the other.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use std::sync::Mutex;

use crate::process::once::Once;

/// Contents from this length on are worth a place.
pub(super) const WORTH: usize = 1 << 16;

const PLACES: usize = 8;

struct Place {
    owner: Py<PyAny>,
    start: usize,
    len: usize,
    digest: u128,
}

struct Memo {
    places: [Option<Place>; PLACES],
    next: usize,
}

// No Python code runs and nothing is waited for while this is locked: references that are let
// go are taken out first and dropped afterwards.
static MEMO: Mutex<Memo> = Mutex::new(Memo {
    places: [const { None }; PLACES],
    next: 0,
});

/// The digest of these bytes, if they were read before as part of this very object.
pub(super) fn find(_py: Python<'_>, owner: *mut ffi::PyObject, bytes: &[u8]) -> Option<u128> {
    let memo = MEMO.lock().unwrap_or_else(|poison| poison.into_inner());
    memo.places.iter().flatten().find_map(|place| {
        (place.owner.as_ptr() == owner
            && place.start == bytes.as_ptr() as usize
            && place.len == bytes.len())
        .then_some(place.digest)
    })
}

/// Remembers the digest of a part of an object that cannot change.
///
/// # Safety
///
/// `owner` is a live object whose content cannot change while a reference to it is held, and
/// `bytes` is a part of it.
pub(super) unsafe fn remember(
    py: Python<'_>,
    owner: *mut ffi::PyObject,
    bytes: &[u8],
    digest: u128,
) {
    if watch(py).is_err() {
        // Without the watch nothing would let the object go, so it is not kept.
        return;
    }
    sweep(py);
    let place = Place {
        // SAFETY: the owner is live.
        owner: unsafe { Bound::from_borrowed_ptr(py, owner) }.unbind(),
        start: bytes.as_ptr() as usize,
        len: bytes.len(),
        digest,
    };
    let dropped = {
        let mut memo = MEMO.lock().unwrap_or_else(|poison| poison.into_inner());
        let free = memo.places.iter().position(Option::is_none);
        let at = free.unwrap_or(memo.next);
        memo.next = (at + 1) % PLACES;
        memo.places[at].replace(place)
    };
    drop(dropped);
}

/// Lets go of what only the memo holds.
fn sweep(_py: Python<'_>) {
    let mut dropped = [const { None }; PLACES];
    {
        let mut memo = MEMO.lock().unwrap_or_else(|poison| poison.into_inner());
        // Several places can hold parts of one object, so each counts the others too.
        let mut holds = [0; PLACES];
        for (at, place) in memo.places.iter().enumerate() {
            if let Some(place) = place {
                holds[at] = memo
                    .places
                    .iter()
                    .flatten()
                    .filter(|other| other.owner.is(&place.owner))
                    .count();
            }
        }
        for (at, place) in memo.places.iter_mut().enumerate() {
            // SAFETY: the memo holds the owner.
            let others = |place: &Place| unsafe {
                ffi::Py_REFCNT(place.owner.as_ptr()) > holds[at] as isize
            };
            if place.as_ref().is_some_and(|place| !others(place)) {
                dropped[at] = place.take();
            }
        }
    }
    drop(dropped);
}

/// Asks the collector to say when it has run, once per process.
fn watch(py: Python<'_>) -> PyResult<()> {
    static WATCHED: Once<()> = Once::new();
    WATCHED
        .get_or_try_init(py, || {
            let on_collect = PyCFunction::new_closure(
                py,
                Some(c"tenure_let_go"),
                None,
                |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                    sweep(args.py());
                },
            )?;
            py.import("gc")?
                .getattr("callbacks")?
                .call_method1("append", (on_collect,))?;
            Ok(())
        })
        .copied()
}
