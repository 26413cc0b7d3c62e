//! The exceptions that Tenure raises, and the one place where kinds of failure become them.
//!
//! Built-in exceptions come first: each of ours but the root also is the built-in one that a
//! caller would expect, so that `except TypeError` goes on working. In a program that has loaded the
//! framework of a host, those for which that has an error of its own are that error too.
#![allow(unsafe_code)]

use crate::process::once::Once;
use crate::program::hosts;
use pyo3::exceptions::{
    PyConnectionError, PyException, PyRecursionError, PyRuntimeError, PyTimeoutError, PyTypeError,
    PyValueError,
};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use std::ffi::CStr;

/// A failure with a class of its own in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An argument has no key.
    Unhashable,
    /// An argument is nested too deeply to be read.
    TooDeep,
    /// A function of `hash_funcs` raised.
    UserHash,
    /// A function needs its own entry.
    Cycle,
    /// A session-scoped function was called where there is no session.
    Scope,
    /// A build took longer than its caller was to wait.
    Timeout,
    /// A setting of the right type has a value that cannot be.
    SettingValue,
    /// A setting is of a type that cannot be.
    SettingType,
}

impl Kind {
    /// The name of its class in the errors of a host, where the framework raises its own error for this.
    fn in_hosts(self) -> &'static str {
        match self {
            Self::Unhashable => "UnhashableParamError",
            Self::TooDeep => "NestingError",
            Self::UserHash => "UserHashError",
            Self::Cycle => "CacheCycleError",
            Self::Scope => "ScopeError",
            Self::Timeout => "BuildTimeout",
            Self::SettingValue => "SettingValueError",
            Self::SettingType => "SettingTypeError",
        }
    }
}

struct Classes {
    root: Py<PyType>,
    unhashable: Py<PyType>,
    too_deep: Py<PyType>,
    user_hash: Py<PyType>,
    cycle: Py<PyType>,
    scope: Py<PyType>,
    timeout: Py<PyType>,
    lost: Py<PyType>,
}

static CLASSES: Once<Classes> = Once::new();

/// The exception for a failure, with its sentence and, where another exception is behind it, its
/// cause (`raise … from …`).
pub(crate) fn raise(py: Python<'_>, kind: Kind, text: String, cause: Option<PyErr>) -> PyErr {
    let class = match class(py, kind) {
        Ok(class) => class,
        Err(error) => return error,
    };
    let error = PyErr::from_type(class, (text,));
    if cause.is_some() {
        error.set_cause(py, cause);
    }
    error
}

/// The error for a setting whose value cannot be: a `ValueError`.
pub(crate) fn setting_value(py: Python<'_>, text: String) -> PyErr {
    raise(py, Kind::SettingValue, text, None)
}

/// The error for a setting whose type cannot be: a `TypeError`.
pub(crate) fn setting_type(py: Python<'_>, text: String) -> PyErr {
    raise(py, Kind::SettingType, text, None)
}

/// The same error, with a note of whose setting has raised it.
pub(crate) fn raised_by(py: Python<'_>, setting: &str, function: &str, error: PyErr) -> PyErr {
    let value = error.value(py);
    let text = format!("raised by {setting} of {function}");
    let noted = || -> PyResult<()> {
        // A program may raise one object again and again.
        let is_noted = match value.getattr_opt("__notes__")? {
            Some(notes) => notes.contains(&text)?,
            None => false,
        };
        if !is_noted {
            value.call_method1("add_note", (&text,))?;
        }
        Ok(())
    };
    // What takes no note says what it says.
    let _ = noted();
    error
}

fn class(py: Python<'_>, kind: Kind) -> PyResult<Bound<'_, PyType>> {
    if let Some(class) = hosts::error_class(py, kind.in_hosts())? {
        return Ok(class.cast_into()?);
    }
    let classes = classes(py)?;
    let class = match kind {
        Kind::Unhashable => &classes.unhashable,
        Kind::TooDeep => &classes.too_deep,
        Kind::UserHash => &classes.user_hash,
        Kind::Cycle => &classes.cycle,
        Kind::Scope => &classes.scope,
        Kind::Timeout => &classes.timeout,
        Kind::SettingValue => return Ok(py.get_type::<PyValueError>()),
        Kind::SettingType => return Ok(py.get_type::<PyTypeError>()),
    };
    Ok(class.bind(py).clone())
}

/// Puts the exceptions into the module under their public names.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let classes = classes(py)?;
    module.add("TenureError", classes.root.bind(py))?;
    module.add("UnhashableParamError", classes.unhashable.bind(py))?;
    module.add("NestingError", classes.too_deep.bind(py))?;
    module.add("UserHashError", classes.user_hash.bind(py))?;
    module.add("CacheCycleError", classes.cycle.bind(py))?;
    module.add("ScopeError", classes.scope.bind(py))?;
    module.add("BuildTimeout", classes.timeout.bind(py))?;
    module.add("ResourceLost", classes.lost.bind(py))
}

fn classes(py: Python<'_>) -> PyResult<&Classes> {
    CLASSES.get_or_try_init(py, || {
        let root = new_class(
            py,
            c"tenure.TenureError",
            c"What every error of Tenure's own derives from.",
            &[py.get_type::<PyException>()],
        )?;
        let base = root.bind(py).clone();
        let unhashable = new_class(
            py,
            c"tenure.UnhashableParamError",
            c"An argument of a cached function has no key.",
            &[base.clone(), py.get_type::<PyTypeError>()],
        )?;
        let too_deep = new_class(
            py,
            c"tenure.NestingError",
            c"An argument of a cached function is nested too deeply to be read.",
            &[
                unhashable.bind(py).clone(),
                py.get_type::<PyRecursionError>(),
            ],
        )?;
        let runtime = py.get_type::<PyRuntimeError>();
        let user_hash = new_class(
            py,
            c"tenure.UserHashError",
            c"A function given in hash_funcs raised.",
            &[base.clone(), runtime.clone()],
        )?;
        let cycle = new_class(
            py,
            c"tenure.CacheCycleError",
            c"A cached function needs its own entry to be built.",
            &[base.clone(), runtime.clone()],
        )?;
        let scope = new_class(
            py,
            c"tenure.ScopeError",
            c"A session-scoped function was called where there is no session.",
            &[base.clone(), runtime],
        )?;
        let timeout = new_class(
            py,
            c"tenure.BuildTimeout",
            c"A resource was not built within its function's build_timeout; the build goes on.",
            &[base.clone(), py.get_type::<PyTimeoutError>()],
        )?;
        let lost = new_class(
            py,
            c"tenure.ResourceLost",
            c"What a handle stands for was lost with its actor or node; the next call of the function builds anew.",
            &[base, py.get_type::<PyConnectionError>()],
        )?;
        Ok(Classes {
            root,
            unhashable,
            too_deep,
            user_hash,
            cycle,
            scope,
            timeout,
            lost,
        })
    })
}

fn new_class(
    py: Python<'_>,
    name: &CStr,
    doc: &CStr,
    bases: &[Bound<'_, PyType>],
) -> PyResult<Py<PyType>> {
    let bases = PyTuple::new(py, bases)?;
    // SAFETY: the strings end in NUL, `bases` is a live tuple of classes, and the call returns a
    // new reference to a class or NULL with an exception set.
    unsafe {
        let class = ffi::PyErr_NewExceptionWithDoc(
            name.as_ptr(),
            doc.as_ptr(),
            bases.as_ptr(),
            std::ptr::null_mut(),
        );
        Ok(Bound::from_owned_ptr_or_err(py, class)?
            .cast_into_unchecked::<PyType>()
            .unbind())
    }
}
