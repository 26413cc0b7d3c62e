//! A cached function with something in its place, for the length of a block.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::function::bound::BoundCached;
use crate::function::cached::Cached;
use crate::function::stand_in::{By, StandIn};
use crate::process;
use crate::process::once::intern;
use crate::words::code;

/// What takes the place of a cached function, from `begin` to `end`.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct Override {
    function: Py<Cached>,
    /// The instance, where it is for the calls of one alone.
    instance: Option<Py<PyAny>>,
    value: Py<PyAny>,
    is_function: bool,
    begun: Mutex<Vec<u64>>,
}

/// What was replaced under the engine of this number, and not given back yet. Locked only by who holds the
/// interpreter, so that it is free after a fork.
static REPLACED: Mutex<Vec<(u32, u64, Py<Cached>)>> = Mutex::new(Vec::new());

static NUMBERS: AtomicU64 = AtomicU64::new(1);

fn taken(is_meant: impl Fn(u32, u64) -> bool) -> Vec<(u64, Py<Cached>)> {
    let mut replaced = REPLACED.lock().expect("nothing panics under this lock");
    let all = std::mem::take(&mut *replaced).into_iter();
    let (meant, rest) = all.partition(|it| is_meant(it.0, it.1));
    *replaced = rest;
    let meant: Vec<(u32, u64, Py<Cached>)> = meant;
    meant.into_iter().map(|it| (it.1, it.2)).collect()
}

/// Gives back what was replaced under this engine, or one above it.
pub(crate) fn take_back(_: Python<'_>, generation: u32) {
    for (number, function) in taken(|of, _| of >= generation) {
        function.get().give_back(number);
    }
}

#[pymethods]
impl Override {
    #[new]
    #[pyo3(signature = (function, value, /))]
    fn new(function: &Bound<'_, PyAny>, value: Bound<'_, PyAny>) -> PyResult<Self> {
        let (function, instance) = if let Ok(cached) = function.cast::<Cached>() {
            (cached.clone().unbind(), None)
        } else if let Ok(bound) = function.cast::<BoundCached>() {
            let (cached, instance) = bound.get().parts();
            (
                cached.clone_ref(value.py()),
                Some(instance.clone_ref(value.py())),
            )
        } else {
            return Err(no_cached_function(function));
        };
        let is_function = is_function(&value)?;
        if is_function {
            check(function.get(), &value)?;
        }
        Ok(Self {
            function,
            instance,
            value: value.unbind(),
            is_function,
            begun: Mutex::default(),
        })
    }

    /// From now on, on every thread and loop. Gives what it has put there.
    fn begin(&self, py: Python<'_>) -> Py<PyAny> {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let value = self.value.clone_ref(py);
        let generation = process::generation();
        self.function.get().replace(StandIn {
            generation,
            number,
            instance: self.instance.as_ref().map(|it| it.clone_ref(py)),
            by: match self.is_function {
                true => By::Function(value),
                false => By::Value(value),
            },
        });
        let replaced = (generation, number, self.function.clone_ref(py));
        REPLACED
            .lock()
            .expect("nothing panics under this lock")
            .push(replaced);
        self.begun
            .lock()
            .expect("nothing panics under this lock")
            .push(number);
        self.value.clone_ref(py)
    }

    /// Takes back what was begun last.
    fn end(&self) {
        let number = self
            .begun
            .lock()
            .expect("nothing panics under this lock")
            .pop();
        for (number, function) in taken(|_, it| Some(it) == number) {
            function.get().give_back(number);
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.instance)?;
        visit.call(&self.value)
    }
}

/// Whether calls go to it: to what is written as a function. Everything else is the value itself, such as a mock or a
/// model that can be called.
fn is_function(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if value.is_instance_of::<Cached>() || value.is_instance_of::<BoundCached>() {
        return Ok(true);
    }
    let py = value.py();
    let inspect = py.import(intern!(py, "inspect"))?;
    if inspect
        .call_method1(intern!(py, "isroutine"), (value,))?
        .is_truthy()?
    {
        return Ok(true);
    }
    let partial = py
        .import(intern!(py, "functools"))?
        .getattr(intern!(py, "partial"))?;
    value.is_instance(&partial)
}

/// Refuses a function that gives something else than a resource.
fn check(function: &Cached, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = value.py();
    let inspect = py.import(intern!(py, "inspect"))?;
    let is = |what: &str| inspect.call_method1(what, (value,))?.is_truthy();
    let name = function.name();
    if is("isgeneratorfunction")? || is("isasyncgenfunction")? {
        return Err(PyTypeError::new_err(format!(
            "what stands in the place of {name} yields, and nothing tears it down. Give the value itself, or a function \
             that returns it: tenure.testing.override({called}, lambda *args: ...)",
            called = code::called(name),
        )));
    }
    if is("iscoroutinefunction")? && function.coroutines().is_none() {
        return Err(PyTypeError::new_err(format!(
            "{name} is not async, and what stands in its place is. Write it as a `def`, or give the value itself"
        )));
    }
    Ok(())
}

fn no_cached_function(given: &Bound<'_, PyAny>) -> PyErr {
    let class = given.get_type();
    let class = class
        .fully_qualified_name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "tenure.testing.override takes a function that tenure.cache_resource has decorated, and was given an object of \
         the class {class}. Write override(f, value) for a function, override(Class.f, value) for a method, \
         override(obj.f, value) for that of one instance"
    ))
}
