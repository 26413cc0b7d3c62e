//! The modules that the program has imported: a look that imports nothing.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The modules that the program has imported, by their names.
pub(crate) fn all(py: Python<'_>) -> Bound<'_, PyDict> {
    // SAFETY: the interpreter's own dict, borrowed.
    #[allow(unsafe_code)]
    unsafe {
        Bound::from_borrowed_ptr(py, ffi::PyImport_GetModuleDict()).cast_into_unchecked()
    }
}

/// A module that the program has imported, without a Python frame.
pub(crate) fn imported<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: a dict and a string, both live; a missing name gives null without an exception.
    #[allow(unsafe_code)]
    let found: Option<Bound<'_, PyAny>> = unsafe {
        let modules = all(py);
        let module = ffi::PyDict_GetItemWithError(modules.as_ptr(), name.as_ptr());
        Bound::from_borrowed_ptr_or_opt(py, module)
    };
    found.filter(|module| !module.is_none())
}
