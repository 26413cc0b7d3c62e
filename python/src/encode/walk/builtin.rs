//! Integers, strings and bytes of any length.
#![allow(unsafe_code)]

use super::Walk;
use crate::encode::fault::Outcome;
use crate::encode::scalars::{bytes_of, int, str_bytes};
use crate::encode::tags;
use pyo3::ffi;
use pyo3::prelude::*;

impl Walk<'_, '_, '_> {
    /// Writes the value of an `int` of any size, of this class or a derived one.
    pub(in crate::encode) fn integer(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: `value` is a live `int` or an instance of a subclass.
        if unsafe { int(self.enc, value) } {
            return Ok(());
        }
        let py = self.py;
        // SAFETY: as above. `int.__format__` is reached through the base class, so that no
        // method of a subclass runs.
        let hex = unsafe {
            let text = ffi::PyNumber_ToBase(value, 16);
            Bound::from_owned_ptr_or_err(py, text)?
        };
        // SAFETY: `PyNumber_ToBase` gives an ASCII string, which is ready.
        let (_, digits) = unsafe { str_bytes(hex.as_ptr()) }.expect("a new string is ready");
        self.enc.framed(tags::BIG, digits);
        Ok(())
    }

    /// Writes a string of any length, of this class or a derived one.
    #[allow(deprecated, reason = "as above")]
    pub(in crate::encode) fn string(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: `value` is a live string that the caller keeps alive.
        unsafe {
            if ffi::PyUnicode_IS_READY(value) == 0 && ffi::PyUnicode_READY(value) != 0 {
                return Err(PyErr::fetch(self.py).into());
            }
            let (tag, bytes) = str_bytes(value).expect("the string was made ready");
            if ffi::Py_TYPE(value) == &raw mut ffi::PyUnicode_Type {
                self.immutable(tag, value, bytes);
            } else {
                self.bulk(tag, bytes);
            }
        }
        Ok(())
    }

    /// Writes a `bytes` object of any length, of this class or a derived one.
    pub(in crate::encode) fn bytes(&mut self, value: *mut ffi::PyObject) {
        // SAFETY: `value` is a live `bytes` object that the caller keeps alive.
        unsafe {
            let bytes = bytes_of(value);
            if ffi::Py_TYPE(value) == &raw mut ffi::PyBytes_Type {
                self.immutable(tags::BYTES, value, bytes);
            } else {
                self.bulk(tags::BYTES, bytes);
            }
        }
    }
}
