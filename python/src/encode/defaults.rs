//! Defaults: what counts in a key for one that the call leaves out (K16).
//!
//! A default is made once and handed to every call, so it counts as what it was when the function
//! was decorated, whatever a body has done to it since. One without a key counts as "the default":
//! there is no other object that it could be taken for.
//!
//! One exception: what stands for something else, or for whoever asks now (a proxy of the
//! current user, say), is no fixed thing. It is read at each call as if it had been passed, and
//! refused there if it has no key.
//!
//! A lock in a default tells no function from another. It holds nothing that two could differ by,
//! and a script that runs again makes a new one each time.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;
use tenure::Encoder;

use super::stdlib::Kind;
use super::types::{Known, Rule, TypeInfo};
use super::{Context, Walk, tags};

/// What a default counts as: these bytes, or `None` where it is read at each call.
///
/// # Errors
///
/// An interrupt, a lack of memory. A default without a key is none.
pub(crate) fn settle(
    py: Python<'_>,
    default: &Bound<'_, PyAny>,
    cx: &Context<'_>,
) -> PyResult<Option<Box<[u8]>>> {
    let mut enc = Encoder::new();
    let mut walk = Walk::new(py, &mut enc, cx);
    walk.settling = true;
    let outcome = walk.value(default.as_ptr());
    let (is_read_now, lacks_key) = (walk.is_read_now, walk.lacks_key);
    match outcome {
        Err(fault) if fault.is_interrupt() => return Err(fault.raise(py, "", cx)),
        _ if is_read_now => return Ok(None),
        Err(fault) if fault.is_elsewhere() => return Ok(None),
        Ok(()) if !lacks_key => {}
        _ => {
            enc.clear();
            enc.tag(tags::DEFAULT);
        }
    }
    Ok(Some(enc.as_bytes().into()))
}

impl<'py> Walk<'_, '_, 'py> {
    /// Takes down whether an object on the way through a default must be read at each call: it
    /// stands for another one, or is what the context or the thread of the caller holds.
    pub(super) fn mind_stand_in(&mut self, value: &Bound<'py, PyAny>, info: &TypeInfo) {
        let stands_in = match info.rule {
            Rule::StandIn(_) | Rule::Known(Known::Std(Kind::Weak | Kind::WeakProxy)) => Ok(true),
            // Deep inside an object it is a means of that object's: a pool that keeps one
            // connection for each thread is one pool.
            _ => is_of_the_caller(&value.get_type())
                .and_then(|is_it| Ok(is_it && self.is_handed_through()?)),
        };
        self.is_read_now = self.is_read_now || stands_in.unwrap_or(true);
    }

    /// Whether what is being written is reached through what holds it: as a member of built-in
    /// containers, and as what an object answers with whatever its name.
    fn is_handed_through(&self) -> PyResult<bool> {
        for &open in &self.open {
            // SAFETY: what is open is alive; the steps of hash functions, which are null, settle
            // nothing.
            let Some(open) = (unsafe { Bound::from_borrowed_ptr_or_opt(self.py, open) }) else {
                return Ok(true);
            };
            let class = open.get_type();
            // SAFETY: a live class.
            let flags = unsafe { ffi::PyType_GetFlags(class.as_type_ptr()) };
            let is_built_in = flags & ffi::Py_TPFLAGS_HEAPTYPE == 0;
            if !is_built_in && !class.hasattr(intern!(self.py, "__getattr__"))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether an object is a lock of Python's own.
pub(super) fn is_lock(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    let locks = py.import(intern!(py, "_thread"))?;
    let class = value.get_type();
    Ok(class.is(locks.getattr("LockType")?) || class.is(locks.getattr("RLock")?))
}

/// Whether the class is one of what each thread or context has its own content for.
fn is_of_the_caller(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let local = py.import(intern!(py, "_thread"))?.getattr("_local")?;
    let variable = py
        .import(intern!(py, "_contextvars"))?
        .getattr("ContextVar")?;
    Ok(class.is_subclass(&local)? || class.is(&variable))
}
