//! What can be awaited or iterated only once, and so can be neither kept nor called without `await`.
#![allow(unsafe_code)]

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Whether calling `func` gives a coroutine or an asynchronous generator.
pub(crate) fn is_async_function(func: &Bound<'_, PyAny>) -> PyResult<bool> {
    let inspect = func.py().import("inspect")?;
    // A callable object is asked by its class.
    let call = func.get_type().getattr("__call__")?;
    for target in [func, &call] {
        for question in ["iscoroutinefunction", "isasyncgenfunction"] {
            if inspect.call_method1(question, (target,))?.extract()? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The error for a function that cannot be cached because it is one of these.
pub(crate) fn refused_function(func: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "{func:?} is an async function: what it returns can be awaited only once, so it cannot be \
         kept. Cache a function that makes the resource without await, and await its methods"
    ))
}

/// Whether a build ended with a coroutine, from a lambda around an async function, say.
pub(crate) fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object; only its type is looked at.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}

/// The error for such a build. A coroutine that has not begun is closed, or Python would warn that
/// nobody awaited it; one that has begun is somebody's.
pub(crate) fn refused_coroutine(function: &str, coroutine: &Bound<'_, PyAny>) -> PyErr {
    let close = || -> PyResult<()> {
        let inspect = coroutine.py().import("inspect")?;
        let state = inspect.call_method1("getcoroutinestate", (coroutine,))?;
        if state.eq(inspect.getattr("CORO_CREATED")?)? {
            coroutine.call_method0("close")?;
        }
        Ok(())
    };
    close().err().unwrap_or_else(|| {
        PyTypeError::new_err(format!(
            "{function} returned a coroutine, which can be awaited only once, so it cannot be \
             kept. Return what awaiting it gives"
        ))
    })
}
