//! What a failed build gives to everyone who waited for it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTraceback;

/// What a failed build gives to everyone who waited: the exception itself.
#[derive(Clone)]
pub(crate) struct Failure(Arc<Raised>);

struct Raised {
    error: PyErr,
    traceback: Option<Py<PyTraceback>>,
}

impl Failure {
    pub(crate) fn new(py: Python<'_>, error: PyErr) -> Self {
        let traceback = error.traceback(py).map(Bound::unbind);
        Self(Arc::new(Raised { error, traceback }))
    }

    /// The exception, with the traceback of the build and of no other waiter.
    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        let error = self.0.error.clone_ref(py);
        let traceback = self.0.traceback.as_ref().map(|it| it.bind(py).clone());
        error.set_traceback(py, traceback);
        error
    }
}
