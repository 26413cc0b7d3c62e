//! The hosts that the package knows, by the names of modules.
//!
//! A host is in use where its framework has been imported by the program itself: Tenure imports none
//! on its own account, so that a program without it neither needs it nor pays for it. The package
//! says which hosts there are, and nothing here is made for one of them.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::program::modules;

/// A host by names.
pub(crate) struct Known {
    /// The package's own part, which is imported once it is needed.
    adapter: String,
    /// The framework's module that a program has imported which may run on it.
    framework: Py<PyString>,
    /// The framework's module of errors, where some of Tenure's are the framework's too.
    errors: Option<Py<PyString>>,
}

static KNOWN: Mutex<Vec<Arc<Known>>> = Mutex::new(Vec::new());

/// Makes a host known.
#[pyfunction]
#[pyo3(signature = (adapter, *, framework, errors = None))]
pub(crate) fn register_host(
    py: Python<'_>,
    adapter: String,
    framework: &str,
    errors: Option<&str>,
) {
    let intern = |name: &str| PyString::intern(py, name).unbind();
    let host = Arc::new(Known {
        adapter,
        framework: intern(framework),
        errors: errors.map(intern),
    });
    let mut known = KNOWN.lock().expect("nothing panics under this lock");
    known.push(host);
}

/// All of them. No lock is held while one is looked at.
fn known() -> impl Iterator<Item = Arc<Known>> {
    (0..).map_while(|at| {
        let known = KNOWN.lock().expect("nothing panics under this lock");
        known.get(at).map(Arc::clone)
    })
}

/// The adapter of the host that the program runs on, if it runs on one.
///
/// Costs a look into `sys.modules` for each known host.
///
/// # Errors
///
/// What the adapter raises: a framework that is too old, say.
pub(crate) fn find(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    for host in known() {
        if modules::imported(py, host.framework.bind(py)).is_none() {
            continue;
        }
        let found = py.import(&*host.adapter)?.call_method0("find")?;
        if !found.is_none() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// An exception of Tenure's that is a framework's too, in a program that has loaded the framework's
/// errors.
///
/// # Errors
///
/// What importing it raises.
pub(crate) fn error_class<'py>(py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    for host in known() {
        let Some(errors) = &host.errors else { continue };
        if !modules::all(py).contains(errors)? {
            continue;
        }
        let ours = py.import(format!("{}.errors", host.adapter))?;
        if let Some(class) = ours.getattr_opt(name)? {
            return Ok(Some(class));
        }
    }
    Ok(None)
}
