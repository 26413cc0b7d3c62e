//! What is yet to be awaited, and so cannot be kept.
#![allow(unsafe_code)]

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
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

/// Whether an object can be awaited: a coroutine, from a lambda around an async function, say, a task, a
/// future, a pool that has yet to connect. A blocking function that gives one has not done its work.
pub(crate) fn can_be_awaited(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: only the type of a live object is read.
    unsafe {
        let of_async = (*ffi::Py_TYPE(object.as_ptr())).tp_as_async;
        !of_async.is_null() && (*of_async).am_await.is_some()
    }
}

/// Whether an async function ended with what is yet to be awaited: a coroutine, a task or a future. A
/// client that can be awaited and used as well has been, by whoever could.
pub(crate) fn is_unfinished(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    if !can_be_awaited(object) || is_coroutine(object) {
        return Ok(can_be_awaited(object));
    }
    // As `asyncio.isfuture` tells futures and tasks, whoever made them.
    let class = object.get_type();
    if class.hasattr(intern!(py, "_asyncio_future_blocking"))? {
        return Ok(true);
    }
    // Compiled coroutines, and those of `types.coroutine`.
    for method in ["send", "throw", "close"] {
        if !class.hasattr(method)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The error for a blocking function that gives what can be awaited. A coroutine that has not begun is
/// closed, or Python would warn that nobody awaited it; one that has begun is somebody's.
pub(crate) fn refused_awaitable(function: &str, coroutine: &Bound<'_, PyAny>) -> PyErr {
    let class = coroutine.get_type();
    let close = || -> PyResult<()> {
        let inspect = coroutine.py().import("inspect")?;
        let state = inspect.call_method1("getcoroutinestate", (coroutine,))?;
        if state.eq(inspect.getattr("CORO_CREATED")?)? {
            coroutine.call_method0("close")?;
        }
        Ok(())
    };
    let closed = is_coroutine(coroutine).then(close);
    closed.and_then(Result::err).unwrap_or_else(|| {
        PyTypeError::new_err(format!(
            "{function} returned an object of {class}, which is yet to be awaited, so it cannot be kept. \
             Write `async def {function}` and return what awaiting it gives. What can be used without \
             being awaited is returned by an async function too, or within a tuple"
        ))
    })
}

/// The error for such a build by an async function, which has awaited too little.
pub(crate) fn refused_result(function: &str, result: &Bound<'_, PyAny>) -> PyErr {
    let class = result.get_type();
    PyTypeError::new_err(format!(
        "{function} returned an object of {class}, which is yet to be awaited. Return what awaiting it gives"
    ))
}

fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object; only its type is looked at.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}
