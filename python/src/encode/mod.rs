//! The canonical encoding of Python arguments.
//!
//! One [walk] writes one argument. Each value begins with its tag ([`tags`]); exact built-in types
//! are found by the address of their class, everything else by the rule that its class was given
//! when it was first met ([`types`]). Which rule that is depends on the class alone, so that
//! equal values always take the same road.
//!
//! A container that holds itself is written as a step back (K10). What is nested deeply goes on
//! on a [piece of stack](stack) of our own, up to a bound on the levels. What is large is replaced
//! by its digest piece by piece, at boundaries that depend on the content alone, so that the buffer
//! stays small; and what was large and is met again in the same argument is not walked twice.
//!
//! What a file here imports stands below it: what is asked of classes, then the walk, then the
//! [kinds] of arguments, each in a file of its own, and on top the rule of each class. The walk is
//! handed the way to that, and knows no kind.
#![allow(unsafe_code)]

pub(crate) mod alike;
mod aside;
mod bytecode;
mod class;
mod class_body;
mod context;
mod defaults;
mod evidence;
mod fault;
mod first_content;
mod hash_funcs;
mod kept_results;
mod kinds;
mod members;
mod memo;
mod names;
mod origin;
mod own_state;
mod pins;
mod reach;
mod reading;
mod scalars;
mod stack;
mod stream;
mod tags;
mod type_info;
mod types;
mod untold;
mod walk;

pub(crate) use context::Context;
pub(crate) use defaults::{Settled, settle};
pub(crate) use fault::one_line;
pub(crate) use first_content::First;
pub(crate) use hash_funcs::HashFuncs;
pub(crate) use pins::{Holds, Pin, Role};
pub(crate) use reading::Reading;
pub(crate) use scalars::encode_scalar;

use pyo3::ffi;
use pyo3::prelude::*;
use tenure::Encoder;
use walk::{Walk, second_reading};

/// Writes the canonical encoding of one argument, a live object that the caller keeps alive.
/// `param` is for messages only.
pub(crate) fn encode(
    py: Python<'_>,
    enc: &mut Encoder,
    value: *mut ffi::PyObject,
    param: &str,
    cx: &Context<'_>,
) -> PyResult<Reading> {
    let mut walk = Walk::new(py, enc, cx.hash_funcs, types::of);
    match walk.value(value) {
        Ok(()) => Ok(walk.scope.reading),
        Err(fault) => Err(fault.raise(py, param, cx.function)),
    }
}

/// Writes the canonical encoding of the value that a scope is named by, as [`encode`] does that of an
/// argument. `whose` is for messages only.
///
/// # Errors
/// The error for a value without a key, which no setting can help.
pub(crate) fn encode_scope(
    py: Python<'_>,
    enc: &mut Encoder,
    value: *mut ffi::PyObject,
    whose: &str,
) -> PyResult<()> {
    let mut walk = Walk::new(py, enc, None, types::of);
    walk.value(value)
        .map_err(|fault| fault.raise_of_scope(py, whose))
}

/// Writes what makes a callable what it is. What it closes over or is bound to and has no key is
/// told apart by which object it is. What must be kept alive is given back.
pub(crate) fn encode_callable(
    py: Python<'_>,
    enc: &mut Encoder,
    callable: &Bound<'_, PyAny>,
    name: &str,
    role: Role,
) -> PyResult<Holds> {
    let mut walk = Walk::new(py, enc, None, types::of);
    walk.scope.role = Some(role);
    // SAFETY: the interpreter is attached, and the caller's reference keeps the callable alive.
    let callable = unsafe { Bound::from_borrowed_ptr(py, callable.as_ptr()) };
    walk.or_pinned(&callable, "the object itself", &callable)
        .map_err(|fault| fault.raise_held(py, name))?;
    Ok(walk.holds)
}

/// Refuses an argument that reads differently twice in a row.
///
/// # Errors
///
/// The error for an argument without a key, and what reading it raises.
pub(crate) fn check(
    py: Python<'_>,
    value: *mut ffi::PyObject,
    param: &str,
    cx: &Context<'_>,
) -> PyResult<()> {
    second_reading::read_twice(py, value, cx.hash_funcs, None, types::of)
        .map_err(|fault| fault.raise(py, param, cx.function))
}
