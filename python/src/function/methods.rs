//! A cached function's methods in Python, and what it has as the function that it stands for.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::function::argument_array::ArgumentArray;
use crate::function::bound::BoundCached;
use crate::function::by_hand::HeldTuple;
use crate::function::cached::{Cached, make_here};
use crate::function::leased::Leased;
use crate::process::once::intern;
use crate::tasks::call::{TaskCall, make_on_loop};
use crate::words::explanation::Explanation;
use crate::words::info::Info;

#[pymethods]
impl Cached {
    /// A call by those who ask for `__call__` by name; a call itself does not come this way.
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__(
        slf: &Bound<'_, Self>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        Self::call_any(slf, ArgumentArray::new(None, args, kwargs)?.arguments())
    }

    /// A call of an async function, to be taken step by step.
    fn _begin(
        slf: &Bound<'_, Self>,
        args: Bound<'_, PyTuple>,
        kwargs: Option<Bound<'_, PyDict>>,
        leased: Option<Py<Leased>>,
    ) -> PyResult<TaskCall> {
        TaskCall::new(slf, args, kwargs, leased)
    }

    /// The name of the actor of a call with these arguments, where the resource lives in a cluster.
    #[pyo3(signature = (*args, **kwargs))]
    fn _actor(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<String> {
        self.cluster_name(py, ArgumentArray::new(None, args, kwargs)?.arguments())
    }

    /// The tags of the resource of a call with these arguments.
    #[pyo3(signature = (*args, **kwargs))]
    fn _tags(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Vec<String>> {
        let own = self.tags(py, ArgumentArray::new(None, args, kwargs)?.arguments())?;
        let all = self.options.settings.tags.iter().chain(own.iter());
        Ok(all.map(|it| it.to_string()).collect())
    }

    /// Clears the entry of a call with these arguments; without arguments, every entry.
    #[pyo3(signature = (*args, **kwargs))]
    fn clear(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let array = ArgumentArray::new(None, args, kwargs)?;
        self.clear_for(py, (!array.is_empty()).then(|| array.arguments()))
    }

    /// Has the entry of a call with these arguments expire; without arguments, every entry. What is
    /// expired is handed out for no longer than `max_stale` allows, and is refreshed.
    #[pyo3(signature = (*args, **kwargs))]
    fn expire(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let array = ArgumentArray::new(None, args, kwargs)?;
        self.expire_for(py, (!array.is_empty()).then(|| array.arguments()))
    }

    /// Has resources built in the background, before the first caller comes: one for each item, which is
    /// a tuple of the arguments of a call, a dict of them by name, or its one argument.
    #[pyo3(signature = (calls = None, /))]
    fn warm(slf: &Bound<'_, Self>, calls: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let module = slf.py().import(intern!(slf.py(), "tenure._warm"))?;
        let warming = module.call_method1(intern!(slf.py(), "warm"), (slf, calls))?;
        Ok(warming.unbind())
    }

    /// Has the resource of one call built in the background, in a task of this loop where there is one.
    /// `done` is told `None` where it is there, and what has gone wrong otherwise.
    fn _warm(
        slf: &Bound<'_, Self>,
        args: Bound<'_, PyTuple>,
        kwargs: Option<Bound<'_, PyDict>>,
        home: Option<Py<PyAny>>,
        done: Py<PyAny>,
    ) -> PyResult<()> {
        let make = if home.is_some() {
            make_on_loop
        } else {
            make_here
        };
        let given = (args.unbind(), kwargs.map(Bound::unbind));
        slf.get().warm_one(slf.as_any(), given, home, make, done)
    }

    /// Clears the entries that the predicate means: it is asked of each resource and its figures, and
    /// answers `True` or `False`. Gives how many were cleared.
    #[pyo3(signature = (predicate, /))]
    fn clear_if(&self, py: Python<'_>, predicate: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.clear_where(py, predicate)
    }

    /// The resource of a call with these arguments, if it is kept, and `None` otherwise. Builds
    /// nothing, waits for nothing, asks no `validate`, and counts as no use.
    #[pyo3(signature = (*args, **kwargs))]
    fn peek(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.kept(py, ArgumentArray::new(None, args, kwargs)?.arguments())
    }

    /// Gives back a resource that was found broken: the next call builds anew. What its entry's key
    /// has got since stays, and so does everything where the entry has ended already.
    #[pyo3(signature = (resource, /))]
    fn discard(&self, py: Python<'_>, resource: &Bound<'_, PyAny>) -> PyResult<()> {
        self.discard_this(py, resource)
    }

    /// What a call with these arguments would meet: `tenure.explain` tells.
    #[pyo3(signature = (*args, **kwargs))]
    fn _explain(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Explanation> {
        let array = ArgumentArray::new(None, args, kwargs)?;
        self.explained(py, array.arguments())
    }

    /// Each resource that somebody may hold: `tenure.holders` tells who does.
    fn _held(&self, py: Python<'_>) -> PyResult<Vec<HeldTuple>> {
        self.held(py)
    }

    /// The figures of this function.
    fn info(&self, py: Python<'_>) -> PyResult<Info> {
        self.figures(py)
    }

    /// A context manager that gives the resource and keeps it from being released meanwhile.
    #[pyo3(signature = (*args, **kwargs))]
    fn lease(
        slf: &Bound<'_, Self>,
        args: Bound<'_, PyTuple>,
        kwargs: Option<Bound<'_, PyDict>>,
    ) -> Leased {
        Leased::new(slf.clone(), args, kwargs)
    }

    /// The function's annotations, unless others were set. From Python 3.14 on they are evaluated
    /// when somebody asks, and `update_wrapper` passes on only how.
    #[getter]
    fn __annotations__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let name = intern!(slf.py(), "__annotations__");
        let attributes = slf.getattr(intern!(slf.py(), "__dict__"))?;
        let attributes = attributes.cast::<PyDict>()?;
        match attributes.get_item(name)? {
            Some(set) => Ok(set),
            // As what it stands for is seen from outside: a function that yields shows what it yields.
            None => match attributes.get_item(intern!(slf.py(), "__wrapped__"))? {
                Some(wrapped) => wrapped.getattr(name),
                None => slf.get().func(slf.py()).getattr(name),
            },
        }
    }

    #[setter(__annotations__)]
    fn set_annotations(slf: &Bound<'_, Self>, annotations: Bound<'_, PyAny>) -> PyResult<()> {
        let attributes = slf.getattr(intern!(slf.py(), "__dict__"))?;
        attributes.set_item(intern!(slf.py(), "__annotations__"), annotations)
    }

    fn __get__(
        slf: Bound<'_, Self>,
        instance: Option<Bound<'_, PyAny>>,
        _owner: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        match instance {
            None => Ok(slf.into_any().unbind()),
            Some(instance) => BoundCached::make(slf, instance),
        }
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        // Like a function: found again by its name.
        let name = slf.getattr(intern!(slf.py(), "__qualname__"))?;
        Ok(name.unbind())
    }

    fn __repr__(&self) -> String {
        format!("<cached function {}>", self.name())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }
}
