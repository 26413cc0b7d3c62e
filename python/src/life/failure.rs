//! The failure of a build, as everyone gets it who waited for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyBaseExceptionGroup, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTraceback, PyTuple, PyType};

use crate::process::once::intern;

/// The failure of a build: the exception itself, for everyone who waited.
#[derive(Clone)]
pub(crate) struct Failure(Arc<Raised>);

struct Raised {
    error: PyErr,
    traceback: Option<Py<PyTraceback>>,
    /// Whether a task has got the exception itself.
    is_taken: AtomicBool,
}

impl Failure {
    pub(crate) fn new(py: Python<'_>, error: PyErr) -> Self {
        let traceback = error.traceback(py).map(Bound::unbind);
        Self(Arc::new(Raised {
            error,
            traceback,
            is_taken: AtomicBool::new(false),
        }))
    }

    /// The exception, with the traceback of the build and of no other waiter.
    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        self.with_traceback(py, self.0.error.clone_ref(py))
    }

    /// The exception for a task, whose traceback grows while those of others do: the first gets it
    /// itself, the others copies, where it can be copied without running code of its own.
    pub(crate) fn raise_own(&self, py: Python<'_>) -> PyErr {
        if !self.0.is_taken.swap(true, Ordering::Relaxed) {
            return self.raise(py);
        }
        match copied(self.0.error.value(py).as_any()) {
            Ok(copy) => self.with_traceback(py, PyErr::from_value(copy)),
            Err(_) => self.raise(py),
        }
    }

    fn with_traceback(&self, py: Python<'_>, error: PyErr) -> PyErr {
        let traceback = self.0.traceback.as_ref().map(|it| it.bind(py).clone());
        error.set_traceback(py, traceback);
        error
    }
}

/// An exception of the same class, arguments, attributes and causes.
fn copied<'py>(error: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = error.py();
    let class = error.get_type();
    let copy = made_anew(&class, error)?;
    copy_members(&class, error, &copy)?;
    let own = error.getattr(intern!(py, "__dict__"))?;
    copy.getattr(intern!(py, "__dict__"))?
        .cast_into::<PyDict>()?
        .update(own.cast()?)?;
    // Notes are added to a list.
    if let Some(notes) = error.getattr_opt(intern!(py, "__notes__"))?
        && let Ok(notes) = notes.cast_into::<PyList>()
    {
        copy.setattr(intern!(py, "__notes__"), notes.as_sequence().to_list()?)?;
    }
    for name in ["args", "__cause__", "__context__", "__suppress_context__"] {
        copy.setattr(name, error.getattr(name)?)?;
    }
    Ok(copy)
}

/// An exception of this class, made by the built-in one that it comes from: how a program's own class
/// makes its exceptions is nobody's business here, and may ask for other arguments than they keep.
fn made_anew<'py>(
    class: &Bound<'py, PyType>,
    error: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let new = intern!(py, "__new__");
    if error.is_instance_of::<PyBaseExceptionGroup>() {
        let (message, errors) = (error.getattr("message")?, error.getattr("exceptions")?);
        let group = py.get_type::<PyBaseExceptionGroup>();
        return group.call_method1(new, (class, message, errors));
    }
    for base in class.mro() {
        let base: Bound<'_, PyType> = base.cast_into()?;
        if is_of_program(&base)? {
            continue;
        }
        let args: Bound<'_, PyTuple> = error.getattr(intern!(py, "args"))?.cast_into()?;
        let with_class = std::iter::once(class.clone().into_any()).chain(args.iter());
        let with_class = PyTuple::new(py, with_class.collect::<Vec<_>>())?;
        return base.call_method1(new, with_class);
    }
    Err(PyTypeError::new_err("an exception has a built-in class"))
}

/// Whether a class was made by a `class` statement or its like.
fn is_of_program(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let flags: std::ffi::c_ulong = class.getattr(intern!(class.py(), "__flags__"))?.extract()?;
    Ok(flags & ffi::Py_TPFLAGS_HEAPTYPE != 0)
}

/// Copies the slots, of built-in classes too: the number of an `OSError`, say.
fn copy_members<'py>(
    class: &Bound<'py, PyType>,
    error: &Bound<'py, PyAny>,
    copy: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = class.py();
    let types = py.import(intern!(py, "types"))?;
    let member = types.getattr(intern!(py, "MemberDescriptorType"))?;
    let computed = types.getattr(intern!(py, "GetSetDescriptorType"))?;
    for base in class.mro() {
        let is_of_program = is_of_program(base.cast()?)?;
        let items = base
            .getattr(intern!(py, "__dict__"))?
            .call_method0("items")?;
        for item in items.try_iter()? {
            let (name, what): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
            let Ok(name) = name.cast_into::<PyString>() else {
                continue;
            };
            let kind = what.get_type();
            let is_one = kind.is(&member) || kind.is(&computed) && !is_of_program;
            if !is_one || name.to_str()?.starts_with("__") {
                continue;
            }
            let Some(value) = error.getattr_opt(&name)? else {
                continue;
            };
            // Some are read-only, and what is empty is shown as `None`, which is another thing to write.
            let has_it = copy.getattr_opt(&name)?.is_some_and(|it| it.is(&value));
            if !has_it {
                copy.setattr(&name, value)?;
            }
        }
    }
    Ok(())
}
