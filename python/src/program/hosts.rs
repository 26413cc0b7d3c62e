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

/// The known hosts, in the order in which they were made known. No lock is held while one is looked at.
type All = Arc<[Arc<Known>]>;

static KNOWN: Mutex<Option<All>> = Mutex::new(None);

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
    let before = {
        let mut known = KNOWN.lock().expect("nothing panics under this lock");
        let there = known.iter().flat_map(|all| all.iter().cloned());
        let all = there.chain([host]).collect();
        known.replace(all)
    };
    drop(before);
}

fn known() -> All {
    let known = KNOWN.lock().expect("nothing panics under this lock");
    known.as_ref().map(Arc::clone).unwrap_or_default()
}

/// The adapter of the host that the program runs on, if it runs on one.
///
/// Costs a look into `sys.modules` for each known host.
///
/// # Errors
///
/// What the adapter raises: a framework that is too old, say.
pub(crate) fn find(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    for host in &*known() {
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
    for host in &*known() {
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
