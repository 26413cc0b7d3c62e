//! Whether an object reads the same twice in a row.
//!
//! What an object gives to be pickled is told by code of its class, and may be another at every
//! reading: a number that is handed out anew, a time, a random name. Nothing can be found again
//! under such a key, so the object is refused with the field that changed (K18). Only what was
//! told by such code is read again, and only before something is built for it.
#![allow(unsafe_code)]

use super::fault::{Fault, Outcome};
use super::types::class_of;
use super::{Context, Role, Walk, keyed};
use pyo3::ffi;
use pyo3::prelude::*;
use tenure::Encoder;

/// How the content of an argument is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of it was read in the objects themselves.
    Seen,
    /// Code of their classes told some of it.
    Told,
}

/// The digests of the values of one reading, each after those inside it.
pub(super) struct Trace {
    earlier: Option<Vec<u128>>,
    digests: Vec<u128>,
}

/// Refuses an argument that reads differently twice in a row.
///
/// # Errors
///
/// The error for an argument without a key, and what reading it raises.
pub(crate) fn check(
    py: Python<'_>,
    value: *mut ffi::PyObject,
    param: &str,
    cx: &Context<'_>,
) -> PyResult<()> {
    read_twice(py, value, cx, None).map_err(|fault| fault.raise(py, param, cx))
}

pub(super) fn read_twice(
    py: Python<'_>,
    value: *mut ffi::PyObject,
    cx: &Context<'_>,
    role: Option<Role>,
) -> Outcome {
    let mut earlier = None;
    for _ in 0..2 {
        let mut enc = Encoder::new();
        let mut walk = Walk::new(py, &mut enc, cx);
        walk.role = role;
        walk.trace = Some(Box::new(Trace {
            earlier,
            digests: Vec::new(),
        }));
        walk.value(value)?;
        earlier = walk.trace.map(|trace| trace.digests);
    }
    Ok(())
}

impl Walk<'_, '_, '_> {
    /// Writes a value and compares it with what an earlier reading wrote. What the user's rules
    /// are for is not read again: it is theirs to say what that is keyed by.
    pub(super) fn traced(&mut self, value: *mut ffi::PyObject) -> Outcome {
        if let Some(funcs) = self.rules
            && self.on_own(|_| Ok(funcs.covers(value)))?
        {
            return Ok(());
        }
        let start = self.enc.len();
        self.own(value)?;
        let digest = keyed(&self.enc.as_bytes()[start..]);
        let Some(trace) = &mut self.trace else {
            return Ok(());
        };
        let at = trace.digests.len();
        trace.digests.push(digest);
        match &trace.earlier {
            Some(earlier) if earlier.get(at) != Some(&digest) => {
                // SAFETY: the caller keeps the value alive.
                let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
                self.on_own(|_| {
                    Err(Fault::no_key(
                        class_of(&value),
                        "is another one at every reading, so that nothing is found again",
                    ))
                })
            }
            _ => Ok(()),
        }
    }
}
