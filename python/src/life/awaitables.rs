//! Awaitables: objects that are yet to be awaited, and so cannot be kept.
#![allow(unsafe_code)]

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::process::once::intern;
use crate::words::code;

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

/// Closes a coroutine that is refused and has not begun, or Python would warn that nobody awaited it. One
/// that has begun is somebody's, and anything else goes its own way.
///
/// # Errors
/// What closing it raises.
pub(crate) fn close_unbegun(object: &Bound<'_, PyAny>) -> PyResult<()> {
    if !is_coroutine(object) {
        return Ok(());
    }
    let inspect = object.py().import("inspect")?;
    let state = inspect.call_method1("getcoroutinestate", (object,))?;
    if state.eq(inspect.getattr("CORO_CREATED")?)? {
        object.call_method0("close")?;
    }
    Ok(())
}

/// The error for a blocking function that gives what can be awaited.
pub(crate) fn refused_awaitable(function: &str, coroutine: &Bound<'_, PyAny>) -> PyErr {
    refused(coroutine, |class| {
        format!(
            "{function} returned an object of {class}, which is yet to be awaited, so it cannot be kept. \
             Write {} and return what awaiting it gives. What can be used without being awaited is \
             returned by an async function too, or within a tuple",
            code::written_async(function)
        )
    })
}

/// The error for such a build by an async function, which has awaited too little.
pub(crate) fn refused_result(function: &str, result: &Bound<'_, PyAny>) -> PyErr {
    refused(result, |class| {
        format!(
            "{function} returned an object of {class}, which is yet to be awaited. Return what awaiting \
             it gives"
        )
    })
}

/// The error for the scope of a function that is yet to be awaited.
pub(crate) fn refused_scope(function: &str, value: &Bound<'_, PyAny>) -> PyErr {
    refused(value, |class| {
        format!(
            "the scope of {function} gave an object of {class}, which is yet to be awaited, and nothing \
             awaits it here. Write `def` for the scope, and have it read what has been found before: \
             a context variable, say"
        )
    })
}

/// The error for the tags of a call that are yet to be awaited.
pub(crate) fn refused_tags(function: &str, value: &Bound<'_, PyAny>) -> PyErr {
    refused(value, |class| {
        format!(
            "tags of {function} gave an object of {class}, which is yet to be awaited, and nothing awaits \
             it here. Write `def` for it, and return a list of strings"
        )
    })
}

/// The error for what is yet to be awaited and goes no further.
fn refused(object: &Bound<'_, PyAny>, text: impl FnOnce(&Bound<'_, PyType>) -> String) -> PyErr {
    match close_unbegun(object) {
        Ok(()) => PyTypeError::new_err(text(&object.get_type())),
        Err(error) => error,
    }
}

fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object; only its type is looked at.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}
