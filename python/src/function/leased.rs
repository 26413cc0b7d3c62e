//! A resource on loan, for the length of a `with` block.

use std::any::Any;
use std::sync::{Mutex, MutexGuard};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::function::argument_array::ArgumentArray;
use crate::function::cached::Cached;
use crate::life::claims::Claim;
use crate::life::interrupts;
use crate::life::resource::Held;
use crate::process;
use crate::words::code;

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

    /// Holds one more resource until the block ends.
    pub(crate) fn add(&self, claim: Claim) {
        self.claims().push(claim);
    }

    /// Ends the loan of what was lent last. What waits for that, since it has left the cache, is released here.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        let claim = self.claims().pop();
        let Some(object) = claim.and_then(Claim::end) else {
            return Ok(());
        };
        interrupts::to_caller(py, || {
            let is_meant = |resource: &dyn Any| {
                let held = resource.downcast_ref::<Held>();
                held.is_some_and(|held| held.is_at(object))
            };
            // It may have been lent under another engine than the one in force.
            for engine in process::engines() {
                engine.look_where(&is_meant);
            }
            Ok(())
        })
    }

    fn claims(&self) -> MutexGuard<'_, Vec<Claim>> {
        self.claims.lock().expect("nothing panics under this lock")
    }
}

#[pymethods]
impl Leased {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.cached.get().check_lendable(py)?;
        if self.cached.get().coroutines().is_some() {
            let name = self.cached.get().name();
            return Err(PyTypeError::new_err(format!(
                "{name} is an async function: write `async with {}.lease(...)`",
                code::called(name)
            )));
        }
        let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        let array = ArgumentArray::new(None, self.args.bind(py), kwargs)?;
        if let Some(instead) = self.cached.get().instead(py, array.arguments())? {
            return Ok(instead);
        }
        let (object, claim) = self.cached.get().claimed(py, array.arguments())?;
        self.add(claim);
        Ok(object)
    }

    fn __aenter__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let (py, it) = (slf.py(), slf.get());
        it.cached.get().check_lendable(py)?;
        let cached = it.cached.bind(py);
        let Some(coroutines) = cached.get().coroutines() else {
            let name = cached.get().name();
            return Err(PyTypeError::new_err(format!(
                "{name} is not an async function: write `with {}.lease(...)`",
                code::called(name)
            )));
        };
        let kwargs = it.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        let array = ArgumentArray::new(None, it.args.bind(py), kwargs)?;
        if let Some(instead) = cached.get().instead(py, array.arguments())? {
            return Ok(instead);
        }
        coroutines.call(py, cached.as_any(), array.arguments(), Some(slf.as_any()))
    }

    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        class: &Bound<'py, PyAny>,
        error: &Bound<'py, PyAny>,
        traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        slf.get().__exit__(py, class, error, traceback)?;
        let coroutines = slf.get().cached.get().coroutines();
        let coroutines = coroutines.expect("entered as that of an async function");
        // SAFETY: a new reference, or null with an exception set.
        #[allow(unsafe_code)]
        unsafe {
            Bound::from_owned_ptr_or_err(py, coroutines.ready(&py.None()))
        }
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.end(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cached)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)?;
        let claims = self.claims.try_lock();
        claims
            .iter()
            .flat_map(|it| it.iter())
            .try_for_each(|it| it.traverse(&visit))
    }
}
