//! How a function gives its resource: by returning, by yielding, or by awaiting first.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;

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
            is_async: is_one_of(func, &["iscoroutinefunction", "isasyncgenfunction"])?,
            is_generator: is_one_of(func, &["isgeneratorfunction", "isasyncgenfunction"])?,
            enters,
        };
        if shape.enters && shape.is_generator {
            return Err(PyTypeError::new_err(format!(
                "enter=True is for a function that returns a context manager, and {func:?} yields. \
                 Leave enter=True out: what follows the yield is the release"
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
            "an asynchronous context manager is entered by an async function: write `async def`"
        } else {
            "return a context manager, or leave enter=True out"
        };
        Err(PyTypeError::new_err(format!(
            "{function} has enter=True and returned an object of {class}, which cannot be entered here: \
             {cure}"
        )))
    }
}

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
