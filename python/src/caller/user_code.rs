//! Calls of what the program wrote, which may never come back.
//!
//! While Python ends, and before Python 3.14, a thread that asks for the interpreter is ended where
//! it stands: its stack is unwound. A Rust frame on the way would abort the whole process, so the
//! innermost one holds such a thread until the process is gone.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::mem;
use std::ptr;

use pyo3::exceptions::PyRecursionError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// Why not the types of `pyo3::ffi`? They promise that nothing unwinds through them.
type Vectorcall = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    ffi::Py_ssize_t,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

type Call = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// Holds a thread that is being unwound, but for a panic. A call that comes back forgets it.
struct Lost;

impl Drop for Lost {
    fn drop(&mut self) {
        while !std::thread::panicking() {
            std::thread::park();
        }
    }
}

/// Runs what may run the program's code anywhere within.
#[inline(always)]
pub(crate) fn held<T>(work: impl FnOnce() -> T) -> T {
    let lost = Lost;
    let result = work();
    mem::forget(lost);
    result
}

/// The part of a thread's stack without which nothing is called: Python needs some of it to raise an error.
const ROOM: usize = 16 << 10;

/// Refuses to call what may call a cached function, and so this again, where the thread's stack has no room for Python. That
/// counts its frames, and what lies between two calls of cached functions is many times as large as one; from 3.14 on it looks
/// at the stack itself. What releases a resource is called all the same.
pub(crate) fn room() -> PyResult<()> {
    match stacker::remaining_stack() {
        Some(left) if left < ROOM => Err(PyRecursionError::new_err(
            "maximum recursion depth exceeded: this thread's stack has no room for another call out of a cached \
             function, which takes more of it than a plain one. Nest them less deeply, or give the thread more (see \
             threading.stack_size)",
        )),
        _ => Ok(()),
    }
}

/// Calls `callable` as a vectorcall does.
///
/// # Safety
///
/// `first` points to `positional` live objects and as many more as `names`, a tuple of strings or
/// null, has items; the caller holds them all.
pub(crate) unsafe fn call<'py>(
    callable: &Bound<'py, PyAny>,
    first: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    // SAFETY: live objects, as the caller vouches; the function pointers differ from what they
    // are cast to only in that they may unwind. `black_box` keeps that from being reasoned away.
    unsafe {
        let result = match ffi::PyVectorcall_Function(callable.as_ptr()) {
            Some(direct) => {
                let direct: Vectorcall = mem::transmute(black_box(direct));
                held(|| direct(callable.as_ptr(), first, positional as _, names))
            }
            None => {
                let (args, kwargs) = packed(py, first, positional, names)?;
                let plain: unsafe extern "C" fn(_, _, _) -> _ = ffi::PyObject_Call;
                let plain: Call = mem::transmute(black_box(plain));
                let kwargs = kwargs.as_ref().map_or(ptr::null_mut(), Bound::as_ptr);
                held(|| plain(callable.as_ptr(), args.as_ptr(), kwargs))
            }
        };
        Bound::from_owned_ptr_or_err(py, result)
    }
}

/// Calls `callable` with these arguments, by position.
pub(crate) fn apply<'py, const N: usize>(
    callable: &Bound<'py, PyAny>,
    arguments: [&Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = arguments.map(Bound::as_ptr);
    // SAFETY: so many live objects, and no names.
    unsafe { call(callable, arguments.as_ptr(), N, ptr::null_mut()) }
}

/// The arguments of a call as a tuple and a dict, which is none where there are no names.
pub(crate) type Packed<'py> = (Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>);

/// # Safety
///
/// As for [`call`].
pub(crate) unsafe fn packed<'py>(
    py: Python<'py>,
    first: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
) -> PyResult<Packed<'py>> {
    // SAFETY: what the caller vouches for.
    let at = |at: usize| unsafe { Bound::<PyAny>::from_borrowed_ptr(py, *first.add(at)) };
    let args = PyTuple::new(py, (0..positional).map(at).collect::<Vec<_>>())?;
    // SAFETY: null, or a live tuple.
    let names = unsafe { Bound::<PyAny>::from_borrowed_ptr_or_opt(py, names) };
    let Some(names) = names else {
        return Ok((args, None));
    };
    let kwargs = PyDict::new(py);
    for (place, name) in names.try_iter()?.enumerate() {
        kwargs.set_item(name?, at(positional + place))?;
    }
    Ok((args, Some(kwargs)))
}
