//! The parts of a default that are read at each call all the same.
#![allow(unsafe_code)]

use super::{Rule, Walk};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::process::once::intern;

impl<'py> Walk<'_, '_, 'py> {
    /// Takes down whether an object on the way through a default must be read at each call: it
    /// stands for another one, or is what the context or the thread of the caller holds.
    pub(in crate::encode) fn mind_stand_in(&mut self, value: &Bound<'py, PyAny>, rule: &Rule) {
        let stands_in = match rule {
            Rule::StandIn(_) => Ok(true),
            Rule::Known(form) if form.stands_in() => Ok(true),
            // Deep inside an object it is a means of that object's: a pool that keeps one
            // connection for each thread is one pool.
            _ => is_of_the_caller(&value.get_type())
                .and_then(|is_it| Ok(is_it && self.is_handed_through()?)),
        };
        self.is_read_now = self.is_read_now || stands_in.unwrap_or(true);
    }

    /// Whether what is being written is reached through what holds it: as a member of built-in
    /// containers, and as what an object answers with whatever its name.
    fn is_handed_through(&self) -> PyResult<bool> {
        for &open in &self.open {
            // SAFETY: what is open is alive; the steps of hash functions, which are null, settle
            // nothing.
            let Some(open) = (unsafe { Bound::from_borrowed_ptr_or_opt(self.py, open) }) else {
                return Ok(true);
            };
            let class = open.get_type();
            // SAFETY: a live class.
            let flags = unsafe { ffi::PyType_GetFlags(class.as_type_ptr()) };
            let is_built_in = flags & ffi::Py_TPFLAGS_HEAPTYPE == 0;
            if !is_built_in && !class.hasattr(intern!(self.py, "__getattr__"))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether the class is one of what each thread or context has its own content for.
fn is_of_the_caller(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let local = py.import(intern!(py, "_thread"))?.getattr("_local")?;
    let variable = py
        .import(intern!(py, "_contextvars"))?
        .getattr("ContextVar")?;
    Ok(class.is_subclass(&local)? || class.is(&variable))
}
