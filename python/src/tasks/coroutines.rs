//! The coroutines that calls of a cached async function give: of two functions that have its name.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::function::plan::Arguments;
use crate::process::once::intern;

/// The makers of the coroutines that calls of a cached async function give.
pub(crate) struct Coroutines {
    /// Makes that of a call which has its resource at hand.
    ready: Py<PyAny>,
    /// Makes that of a call which has to find, wait or build.
    call: Py<PyAny>,
    /// Makes that of a call of what stands in the function's place.
    instead: Py<PyAny>,
    /// Whether it has been said that a resource outlives its loop.
    has_told: AtomicBool,
}

impl Coroutines {
    pub(crate) fn of(func: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = func.py();
        let loops = py.import(intern!(py, "tenure._loops"))?;
        let made = loops.call_method1(intern!(py, "coroutines"), (func,))?;
        let (ready, call, instead) = made.extract()?;
        Ok(Self {
            ready,
            call,
            instead,
            has_told: AtomicBool::new(false),
        })
    }

    /// The coroutine that gives this resource, or null with an exception set.
    #[inline]
    pub(crate) fn ready(&self, resource: &Py<PyAny>) -> *mut ffi::PyObject {
        // SAFETY: two live objects, by someone who has the interpreter and so the resource.
        unsafe { ffi::PyObject_CallOneArg(self.ready.as_ptr(), resource.as_ptr()) }
    }

    /// The coroutine that gives what stands in the function's place.
    pub(crate) fn of_value(&self, py: Python<'_>, value: &Py<PyAny>) -> PyResult<Py<PyAny>> {
        self.ready.call1(py, (value,))
    }

    /// The coroutine that gives what a function in this one's place gives, which may be async.
    pub(crate) fn of_function(
        &self,
        function: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        self.instead.call1(function.py(), (function, args, kwargs))
    }

    /// The coroutine of a call of `cached` that has yet to find its resource; a lease takes it.
    pub(crate) fn call(
        &self,
        py: Python<'_>,
        cached: &Bound<'_, PyAny>,
        arguments: Arguments,
        leased: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (args, kwargs) = arguments.packed(py)?;
        let call = self.call.bind(py);
        Ok(call.call1((cached, args, kwargs, leased))?.unbind())
    }

    /// Whether it has been said that a resource outlives its loop.
    pub(crate) fn have_told(&self) -> bool {
        self.has_told.load(Ordering::Relaxed)
    }

    /// Whether it is to be said now: the first time.
    pub(crate) fn tell_once(&self) -> bool {
        !self.has_told.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.ready)?;
        visit.call(&self.call)?;
        visit.call(&self.instead)
    }
}
