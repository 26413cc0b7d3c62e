//! How a function gives its resource: by returning, by yielding, or by awaiting first.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;

use crate::process::once::{Once, intern};
use crate::words::code;

/// How a function gives its resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Whether it is built and waited for by tasks.
    pub(crate) is_async: bool,
    /// Whether it yields its resource, and releases it behind the yield.
    pub(crate) is_generator: bool,
    /// Whether it gives a context manager, to be entered for the resource.
    pub(crate) enters: bool,
}

impl Shape {
    /// Looks at a function, a partial, or a callable object, which is asked by its class.
    pub(crate) fn of(func: &Bound<'_, PyAny>, enters: bool) -> PyResult<Self> {
        let shape = Self {
            is_async: is_async_function(func)?,
            is_generator: is_one_of(func, &["isgeneratorfunction", "isasyncgenfunction"])?,
            enters,
        };
        if shape.enters && shape.is_generator {
            return Err(PyTypeError::new_err(format!(
                "enter=True is for a function that returns a context manager, and {func:?} yields. \
                 Leave enter=True out: what follows the yield is the release"
            )));
        }
        if let Some(decorator) = manager_decorator(func)?
            && !(enters && decorator == "contextmanager")
        {
            let also = if enters { " and enter=True" } else { "" };
            return Err(PyTypeError::new_err(format!(
                "{func:?} is under @{decorator}, whose context managers are entered once and never again, \
                 so they cannot be kept. Take @{decorator}{also} away: a cached generator function yields \
                 its resource directly, and what follows the yield is its release"
            )));
        }
        Ok(shape)
    }

    /// Whether a release has something to do by itself.
    pub(crate) fn leaves(self) -> bool {
        self.is_generator || self.enters
    }

    /// Sees to it that what the function gave can be entered.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn manager(self, function: &str, manager: &Bound<'_, PyAny>) -> PyResult<()> {
        let class = manager.get_type();
        let enters = class.hasattr(intern!(manager.py(), "__enter__"))?;
        let enters_async = class.hasattr(intern!(manager.py(), "__aenter__"))?;
        if enters || (self.is_async && enters_async) {
            return Ok(());
        }
        let cure = if enters_async {
            format!(
                "an asynchronous context manager is entered by an async function: write {}, which returns \
                 it. Where the function itself is under @asynccontextmanager, take that and enter=True \
                 away: a cached generator function yields its resource directly",
                code::written_async(function)
            )
        } else {
            "return a context manager, or leave enter=True out".to_owned()
        };
        Err(PyTypeError::new_err(format!(
            "{function} has enter=True and returned an object of {class}, which cannot be entered here: \
             {cure}"
        )))
    }

    /// Refuses a context manager that can be entered only once, where nothing enters it: its second user
    /// could not.
    ///
    /// # Errors
    /// A `TypeError` that says what to write.
    pub(crate) fn refuse_manager(self, function: &str, given: &Bound<'_, PyAny>) -> PyResult<()> {
        static BASE: Once<Option<Py<PyAny>>> = Once::new();
        let py = given.py();
        let base = BASE.get_or_try_init(py, || {
            let contextlib = py.import(intern!(py, "contextlib"))?;
            let base = contextlib.getattr_opt(intern!(py, "_GeneratorContextManagerBase"))?;
            PyResult::Ok(base.map(Bound::unbind))
        })?;
        let Some(base) = base else { return Ok(()) };
        // Of its class alone: an object may say anything of itself.
        let class = given.get_type();
        if self.leaves() || !class.is_subclass(base.bind(py))? {
            return Ok(());
        }
        let enters_async = class.hasattr(intern!(py, "__aenter__"))?;
        let enter = if enters_async && !self.is_async {
            format!(
                "enter=True on {}, which returns it",
                code::written_async(function)
            )
        } else {
            "enter=True".to_owned()
        };
        Err(PyTypeError::new_err(format!(
            "{function} returned an object of {class}, a context manager that is entered once and never \
             again, so it cannot be kept. Write {enter}: what it is entered for is kept then. Where it is \
             the function's own @contextmanager or @asynccontextmanager, take that away: a cached \
             generator function yields its resource directly"
        )))
    }
}

/// Whether calling `func` gives a coroutine or an asynchronous generator.
pub(crate) fn is_async_function(func: &Bound<'_, PyAny>) -> PyResult<bool> {
    is_one_of(func, &["iscoroutinefunction", "isasyncgenfunction"])
}

/// The decorator of `contextlib` that has made a function, or the one inside a partial.
fn manager_decorator(func: &Bound<'_, PyAny>) -> PyResult<Option<&'static str>> {
    static CODES: Once<[(&str, Py<PyAny>); 2]> = Once::new();
    let py = func.py();
    let codes = CODES.get_or_try_init(py, || {
        let contextlib = py.import(intern!(py, "contextlib"))?;
        // All that one of them makes have one code, whatever they go around.
        let code = |name| {
            let made = contextlib.call_method1(name, (contextlib.getattr(name)?,))?;
            made.getattr(intern!(py, "__code__")).map(Bound::unbind)
        };
        let names = ("contextmanager", "asynccontextmanager");
        Ok::<_, PyErr>([(names.0, code(names.0)?), (names.1, code(names.1)?)])
    })?;
    let partial = py
        .import(intern!(py, "functools"))?
        .getattr(intern!(py, "partial"))?;
    let mut func = func.clone();
    while func.is_instance(&partial)? {
        func = func.getattr(intern!(py, "func"))?;
    }
    let Some(code) = func.getattr_opt(intern!(py, "__code__"))? else {
        return Ok(None);
    };
    let made_by = codes.iter().find(|(_, it)| it.is(&code));
    Ok(made_by.map(|(name, _)| *name))
}

/// Whether one of these questions of `inspect` is answered with yes, for a function or, where it is a
/// callable object, for the method of its class through which it is called.
fn is_one_of(func: &Bound<'_, PyAny>, questions: &[&str]) -> PyResult<bool> {
    let inspect = func.py().import("inspect")?;
    let call = func.get_type().getattr("__call__")?;
    for target in [func, &call] {
        for question in questions {
            if inspect.call_method1(*question, (target,))?.extract()? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The error for a generator without a `yield` on its way.
pub(crate) fn yielded_never(function: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "{function} ended without a yield. A cached generator function yields its resource once, and \
         what follows the yield is its release"
    ))
}

/// The error for one with two.
pub(crate) fn yielded_twice(function: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "{function} yielded a second time, where its release should end. A cached generator function \
         yields its resource once. To cache a generator itself, return it from a plain function"
    ))
}
