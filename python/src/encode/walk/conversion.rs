//! The values that the functions of `hash_funcs` make of others.
#![allow(unsafe_code)]

use super::Walk;
use crate::encode::fault::{Fault, Outcome};
use crate::encode::hash_funcs::HashFuncs;
use crate::encode::names::display_name;
use crate::encode::tags;
use pyo3::ffi;
use pyo3::prelude::*;
use tenure::front::Meaning;

impl Walk<'_, '_, '_> {
    /// Writes what the user's function for the value's class gives: `true` if there is one.
    pub(in crate::encode) fn convert(
        &mut self,
        funcs: &HashFuncs,
        value: *mut ffi::PyObject,
    ) -> Outcome<bool> {
        // SAFETY: the caller keeps the value alive.
        let class = unsafe { ffi::Py_TYPE(value) };
        // What a function returns, where it is of the function's own class, and the object that
        // it was given are written by the built-in rules, lest `{str: str.lower}` go on for ever.
        let own = std::mem::replace(&mut self.converted, std::ptr::null_mut());
        if class == own
            || class == &raw mut ffi::PyBytes_Type
            || self.scope.converting.contains(&value)
        {
            return Ok(false);
        }
        let Some(rule) = funcs.find(class) else {
            return Ok(false);
        };
        // What the user's function makes of an object, it may make of the moment too.
        self.is_read_now = true;
        // SAFETY: as above.
        let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        self.scope.converting.push(value.as_ptr());
        let outcome = self.deeper(std::ptr::null_mut(), |walk| {
            let py = walk.py;
            let result = rule.call(&value).map_err(|error| {
                Fault::hash_func(py, rule.shown(py), display_name(class), error)
            })?;
            walk.enc.framed(tags::CONVERTED, rule.name.as_bytes());
            if rule.is_of_process(&value, &result)? {
                walk.enc.narrow(Meaning::Process);
            }
            walk.converted = class;
            walk.value(result.as_ptr()).map_err(|fault| {
                fault.at(
                    display_name(class),
                    "what its hash function returned".to_owned(),
                )
            })
        });
        self.scope.converting.pop();
        outcome?;
        Ok(true)
    }
}
