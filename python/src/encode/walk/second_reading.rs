//! Whether an object reads the same twice in a row.
//!
//! What an object gives to be pickled is told by code of its class, and may be another at every
//! reading: a number that is handed out anew, a time, a random name. Nothing can be found again
//! under such a key, so the object is refused with the field that changed (K18). Only what was
//! told by such code is read again, and only before something is built for it.
#![allow(unsafe_code)]

use super::{Classes, Walk};
use crate::encode::fault::{Fault, Outcome};
use crate::encode::hash_funcs::HashFuncs;
use crate::encode::names::class_of;
use crate::encode::pins::Role;
use crate::encode::reading::Trace;
use pyo3::ffi;
use pyo3::prelude::*;
use tenure::Encoder;
use tenure::front::Digests;

/// Refuses a value that reads differently twice in a row.
pub(in crate::encode) fn read_twice(
    py: Python<'_>,
    value: *mut ffi::PyObject,
    rules: Option<&HashFuncs>,
    role: Option<Role>,
    classes: Classes,
) -> Outcome {
    let mut trace = Box::<Trace>::default();
    for _ in 0..2 {
        let mut enc = Encoder::with(Digests::Own);
        let mut walk = Walk::new(py, &mut enc, rules, classes);
        walk.scope.role = role;
        walk.scope.trace = Some(trace);
        walk.value(value)?;
        trace = walk.scope.trace.take().unwrap_or_default().again();
    }
    Ok(())
}

impl Walk<'_, '_, '_> {
    /// Refuses a value that reads differently twice in a row by itself, without the user's rules.
    pub(in crate::encode) fn read_twice(&self, value: *mut ffi::PyObject) -> Outcome {
        read_twice(self.py, value, None, self.scope.role, self.classes)
    }

    /// Writes a value and compares it with what an earlier reading wrote. What the user's rules
    /// are for is not read again: it is theirs to say what that is keyed by.
    pub(in crate::encode) fn traced(&mut self, value: *mut ffi::PyObject) -> Outcome {
        if let Some(funcs) = self.scope.rules
            && self.on_own(|_| Ok(funcs.covers(value)))?
        {
            return Ok(());
        }
        let start = self.enc.len();
        self.own(value)?;
        let digest = self.enc.digests().of(&self.enc.as_bytes()[start..]);
        if self
            .scope
            .trace
            .as_mut()
            .is_none_or(|trace| trace.is_as_before(digest))
        {
            return Ok(());
        }
        // SAFETY: the caller keeps the value alive.
        let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        self.on_own(|_| {
            Err(Fault::no_key(
                class_of(&value),
                "is another one at every reading, so that nothing is found again",
            ))
        })
    }
}
