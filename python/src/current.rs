//! Which Python function the engine is busy with on this thread, for the host that is asked.

use std::cell::Cell;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

thread_local! {
    static FUNCTION: Cell<*mut ffi::PyObject> = const { Cell::new(ptr::null_mut()) };
}

/// Marks a function as the one that the engine is busy with, for as long as it lives.
///
/// The function outlives the mark: the caller of the cached object holds both.
pub(crate) struct Current {
    before: *mut ffi::PyObject,
}

impl Current {
    pub(crate) fn set(func: &Py<PyAny>) -> Self {
        Self {
            before: FUNCTION.replace(func.as_ptr()),
        }
    }

    /// The function, or `None` where no call is under way.
    pub(crate) fn function(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
        let func = FUNCTION.get();
        // SAFETY: a pointer is here only while the mark lives, and with it the function.
        #[allow(unsafe_code)]
        unsafe {
            Bound::from_borrowed_ptr_or_opt(py, func)
        }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        FUNCTION.set(self.before);
    }
}
