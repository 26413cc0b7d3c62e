//! Vectorcall for a class of PyO3: calls reach Rust without a tuple or a dict of arguments.
//!
//! PyO3 has no slot for it. The class gets it after it was made and before it is used: where in an
//! object the function pointer stands, and the flag that says so.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;

use crate::caller::user_code;

/// Has calls of a class's objects go through the function pointer that `T` holds at `field`, from
/// its first object on.
///
/// # Safety
///
/// `field` is the offset in `T` of a valid `vectorcallfunc`, and no object of the class has been
/// handed out.
pub(crate) unsafe fn install<T>(first: &Bound<'_, T>, field: usize, is_method: bool)
where
    T: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync,
{
    let class: *mut ffi::PyTypeObject = first.as_any().get_type().as_ptr().cast();
    let value = ptr::from_ref(first.get()).addr() - first.as_ptr().addr();
    // SAFETY: a live heap type whose objects all have `T` at the same place; the caller vouches
    // for the field.
    unsafe {
        (*class).tp_vectorcall_offset = (value + field) as ffi::Py_ssize_t;
        (*class).tp_call = Some(ffi::PyVectorcall_Call);
        add_flags(class, ffi::Py_TPFLAGS_HAVE_VECTORCALL);
        if is_method {
            add_flags(class, ffi::Py_TPFLAGS_METHOD_DESCRIPTOR);
        }
        ffi::PyType_Modified(class);
    }
}

/// # Safety
///
/// `class` is a live heap type.
unsafe fn add_flags(class: *mut ffi::PyTypeObject, flags: std::ffi::c_ulong) {
    // SAFETY: the caller's promise; flags change only here and only before the class is shared.
    unsafe {
        let there = (&raw mut (*class).tp_flags).cast::<std::ffi::c_ulong>();
        *there |= flags;
    }
}

/// Runs `work` and gives what a C function must: a new reference, or null with an exception set.
pub(crate) fn guarded(work: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>>) -> *mut ffi::PyObject {
    let work = |py: Python<'_>| {
        let outcome = catch_unwind(AssertUnwindSafe(|| user_code::held(|| work(py))));
        let error = match outcome {
            Ok(Ok(object)) => return object.into_ptr(),
            Ok(Err(error)) => error,
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("a panic without a text");
                PanicException::new_err((text.to_owned(),))
            }
        };
        error.restore(py);
        ptr::null_mut()
    };
    // SAFETY: whoever calls has the interpreter; while it ends too, when `attach` would refuse.
    unsafe { Python::attach_unchecked(work) }
}
