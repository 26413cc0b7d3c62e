//! What a failed build gives to everyone who waited for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTraceback, PyTuple, PyType};

/// What a failed build gives to everyone who waited: the exception itself.
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

    /// The same for a task, whose traceback grows while those of others do: the first gets the
    /// exception itself, the others copies, where it can be copied without running code of its own.
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
    let args: Bound<'_, PyTuple> = error.getattr(intern!(py, "args"))?.cast_into()?;
    let with_class = std::iter::once(class.clone().into_any()).chain(args.iter());
    let with_class = PyTuple::new(py, with_class.collect::<Vec<_>>())?;
    let copy = class.call_method1(intern!(py, "__new__"), with_class)?;
    copy_members(&class, error, &copy)?;
    let own = error.getattr(intern!(py, "__dict__"))?;
    copy.getattr(intern!(py, "__dict__"))?
        .cast_into::<PyDict>()?
        .update(own.cast()?)?;
    for name in ["__cause__", "__context__", "__suppress_context__"] {
        copy.setattr(name, error.getattr(name)?)?;
    }
    Ok(copy)
}

/// What stands in slots, of built-in classes too: the number of an `OSError`, say.
fn copy_members<'py>(
    class: &Bound<'py, PyType>,
    error: &Bound<'py, PyAny>,
    copy: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = class.py();
    let member = py
        .import(intern!(py, "types"))?
        .getattr(intern!(py, "MemberDescriptorType"))?;
    for base in class.mro() {
        let items = base
            .getattr(intern!(py, "__dict__"))?
            .call_method0("items")?;
        for item in items.try_iter()? {
            let (name, what): (String, Bound<'_, PyAny>) = item?.extract()?;
            if !what.get_type().is(&member) || name.starts_with("__") {
                continue;
            }
            if let Some(value) = error.getattr_opt(name.as_str())? {
                copy.setattr(name.as_str(), value)?;
            }
        }
    }
    Ok(())
}
