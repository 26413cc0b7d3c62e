//! A cached method in the hands of an instance.
#![allow(unsafe_code)]

use std::mem::offset_of;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{Borrowed, PyTraverseError, PyVisit};

use crate::function::argument_array::ArgumentArray;
use crate::function::by_hand::HeldTuple;
use crate::function::cached::Cached;
use crate::function::leased::Leased;
use crate::function::plan::Arguments;
use crate::function::vectorcall;
use crate::process::once::intern;
use crate::words::explanation::Explanation;
use crate::words::info::Info;

// The instance is the first argument. Not a doc comment, which would stand where the method's own is
// looked for.
#[pyclass(frozen, module = "tenure", name = "BoundCachedFunction")]
pub(crate) struct BoundCached {
    vectorcall: ffi::vectorcallfunc,
    cached: Py<Cached>,
    instance: Py<PyAny>,
}

impl BoundCached {
    /// The method, and the instance.
    pub(crate) fn parts(&self) -> (&Py<Cached>, &Py<PyAny>) {
        (&self.cached, &self.instance)
    }

    pub(crate) fn make(
        cached: Bound<'_, Cached>,
        instance: Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let py = instance.py();
        let bound = Self {
            vectorcall: call_bound,
            cached: cached.unbind(),
            instance: instance.unbind(),
        };
        let bound = Bound::new(py, bound)?;
        static READY: std::sync::Once = std::sync::Once::new();
        // SAFETY: the first object, which nobody else has seen; the field holds `call_bound`.
        READY.call_once(|| unsafe {
            vectorcall::install(&bound, offset_of!(Self, vectorcall), false);
        });
        Ok(bound.into_any().unbind())
    }
}

unsafe extern "C" fn call_bound(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    flagged: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as in `call`; the arguments are copied behind the instance, and held by the caller.
    unsafe {
        let py = Python::assume_attached();
        let callable: Borrowed<'_, '_, PyAny> = Borrowed::from_ptr(py, callable);
        let bound = callable.cast_unchecked::<BoundCached>();
        let given = Arguments::new(arguments, flagged, names);
        let all = given.behind(bound.get().instance.as_ptr());
        let array = Arguments::new(all.as_ptr(), given.positional() + 1, names);
        bound.get().cached.get().vectorcall()(
            bound.get().cached.as_ptr(),
            array.first(),
            array.positional(),
            names,
        )
    }
}

#[pymethods]
impl BoundCached {
    /// A call by those who ask for `__call__` by name; a call itself does not come this way.
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let array = ArgumentArray::new(Some(self.instance.bind(py)), args, kwargs)?;
        Cached::call_any(self.cached.bind(py), array.arguments())
    }

    /// The instance.
    #[getter]
    fn __self__(&self, py: Python<'_>) -> Py<PyAny> {
        self.instance.clone_ref(py)
    }

    #[getter]
    fn __doc__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.cached.getattr(py, intern!(py, "__doc__"))
    }

    /// The signature for `inspect.signature`: without the instance.
    #[getter]
    fn __signature__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let method = py
            .import(intern!(py, "types"))?
            .getattr(intern!(py, "MethodType"))?
            .call1((&self.cached, &self.instance))?;
        py.import(intern!(py, "inspect"))?
            .call_method1(intern!(py, "signature"), (method,))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            self.cached.is(&other.cached) && self.instance.is(&other.instance)
        })
    }

    fn __hash__(&self) -> usize {
        let parts = (self.cached.as_ptr().addr(), self.instance.as_ptr().addr());
        parts.0 ^ parts.1.rotate_left(20)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Py<PyAny>)> {
        // Like a method: found again on its instance.
        let getattr = py.import(intern!(py, "builtins"))?.getattr("getattr")?;
        let name = self.cached.getattr(py, intern!(py, "__name__"))?;
        let place = (&self.instance, name).into_pyobject(py)?;
        Ok((getattr, place.into_any().unbind()))
    }

    /// The cached function that the class holds.
    #[getter]
    fn __func__(&self, py: Python<'_>) -> Py<Cached> {
        self.cached.clone_ref(py)
    }

    /// Clears the entry of a call with these arguments; without arguments, every entry of the
    /// method, whatever the instance.
    #[pyo3(signature = (*args, **kwargs))]
    fn clear(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let given = !args.is_empty() || kwargs.is_some_and(|kwargs| !kwargs.is_empty());
        let array = ArgumentArray::new(Some(self.instance.bind(py)), args, kwargs)?;
        let cached = self.cached.get();
        cached.clear_for(py, given.then(|| array.arguments()))
    }

    /// As for a function: the entry of a call with these arguments; without arguments, every entry of
    /// the method, whatever the instance.
    #[pyo3(signature = (*args, **kwargs))]
    fn expire(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let given = !args.is_empty() || kwargs.is_some_and(|kwargs| !kwargs.is_empty());
        let array = ArgumentArray::new(Some(self.instance.bind(py)), args, kwargs)?;
        let cached = self.cached.get();
        cached.expire_for(py, given.then(|| array.arguments()))
    }

    /// As for a function, with the instance as the first argument of each call.
    #[pyo3(signature = (calls = None, /))]
    fn warm(&self, py: Python<'_>, calls: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let module = py.import(intern!(py, "tenure._warm"))?;
        let given = (&self.cached, calls, (&self.instance,));
        Ok(module.call_method1(intern!(py, "warm"), given)?.unbind())
    }

    /// As for a function: over the method's entries, whatever the instance.
    #[pyo3(signature = (predicate, /))]
    fn clear_if(&self, py: Python<'_>, predicate: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.cached.get().clear_where(py, predicate)
    }

    /// As for a function, with the instance as the first argument.
    #[pyo3(signature = (*args, **kwargs))]
    fn peek(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let array = ArgumentArray::new(Some(self.instance.bind(py)), args, kwargs)?;
        self.cached.get().kept(py, array.arguments())
    }

    /// As for a function: the resource tells which entry is meant, whatever the instance.
    #[pyo3(signature = (resource, /))]
    fn discard(&self, py: Python<'_>, resource: &Bound<'_, PyAny>) -> PyResult<()> {
        self.cached.get().discard_this(py, resource)
    }

    /// What a call with these arguments would meet: `tenure.explain` tells.
    #[pyo3(signature = (*args, **kwargs))]
    fn _explain(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Explanation> {
        let array = ArgumentArray::new(Some(self.instance.bind(py)), args, kwargs)?;
        self.cached.get().explained(py, array.arguments())
    }

    /// The resources of all instances that somebody may hold.
    fn _held(&self, py: Python<'_>) -> PyResult<Vec<HeldTuple>> {
        self.cached.get().held(py)
    }

    /// The figures of the method, over all instances.
    fn info(&self, py: Python<'_>) -> PyResult<Info> {
        self.cached.get().figures(py)
    }

    /// As for a function, with the instance as the first argument.
    #[pyo3(signature = (*args, **kwargs))]
    fn lease(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Leased> {
        let behind = std::iter::once(self.instance.bind(py).clone()).chain(args.iter());
        let args = PyTuple::new(py, behind.collect::<Vec<_>>())?;
        Ok(Leased::new(self.cached.bind(py).clone(), args, kwargs))
    }

    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        // `__name__`, `__doc__` and the like, as a method has them of its function.
        self.cached.getattr(py, name)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let instance = self.instance.bind(py).repr()?;
        Ok(format!(
            "<cached method {} of {instance}>",
            self.cached.get().name()
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cached)?;
        visit.call(&self.instance)
    }
}
