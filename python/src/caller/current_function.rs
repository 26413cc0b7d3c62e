//! Which Python function the engine is busy with for the present caller, for the host that is asked.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use tenure::front::Layers;

thread_local! {
    static FUNCTIONS: Layers<*mut ffi::PyObject> = const { Layers::new() };
}

/// Marks a function as the one that the engine is busy with, for as long as it lives.
///
/// The function outlives the mark: the caller of the cached object holds both.
pub(crate) struct Current {
    number: u64,
}

impl Current {
    pub(crate) fn set(func: &Py<PyAny>) -> Self {
        Self {
            number: FUNCTIONS.with(|functions| functions.put(func.as_ptr())),
        }
    }

    /// The function, or `None` where no call is under way.
    pub(crate) fn function(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
        let func = FUNCTIONS.with(Layers::last)?;
        // SAFETY: a pointer is here only while the mark lives, and with it the function.
        Some(unsafe { Bound::from_borrowed_ptr(py, func) })
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        FUNCTIONS.with(|functions| functions.take(self.number));
    }
}
