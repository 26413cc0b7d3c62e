//! A resource on loan, for the length of a `with` block.

use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::argument_array::ArgumentArray;
use crate::cached::Cached;
use crate::resource::Claim;

/// A resource on loan: `with f.lease(args) as resource`.
#[pyclass(frozen, module = "tenure", name = "Lease")]
pub(crate) struct Leased {
    cached: Py<Cached>,
    args: Py<PyTuple>,
    kwargs: Option<Py<PyDict>>,
    claims: Mutex<Vec<Claim>>,
}

impl Leased {
    pub(crate) fn new(
        cached: Bound<'_, Cached>,
        args: Bound<'_, PyTuple>,
        kwargs: Option<Bound<'_, PyDict>>,
    ) -> Self {
        Self {
            cached: cached.unbind(),
            args: args.unbind(),
            kwargs: kwargs.map(Bound::unbind),
            claims: Mutex::new(Vec::new()),
        }
    }

    fn claims(&self) -> MutexGuard<'_, Vec<Claim>> {
        self.claims.lock().expect("nothing panics under this lock")
    }
}

#[pymethods]
impl Leased {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        let array = ArgumentArray::new(None, self.args.bind(py), kwargs)?;
        let (object, claim) = self.cached.get().claimed(py, array.arguments())?;
        self.claims().push(claim);
        Ok(object)
    }

    fn __exit__(
        &self,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        let claim = self.claims().pop();
        drop(claim);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cached)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)
    }
}
