//! Defaults: what counts in a key for one that the call leaves out (K16).
//!
//! A default is made once and handed to every call, so it counts as what it was when the function
//! was decorated, whatever a body has done to it since. One without a key counts as "the default":
//! there is no other object that it could be taken for.
//!
//! One exception: what stands for something else, or for whoever asks now (a proxy of the
//! current user, say), is no fixed thing. It is read at each call as if it had been passed, and
//! refused there if it has no key.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use tenure::Encoder;

use super::types::Rule;
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
    let is_read_now = walk.is_read_now;
    match outcome {
        Err(fault) if fault.is_interrupt() => return Err(fault.raise(py, "", cx)),
        _ if is_read_now => return Ok(None),
        Ok(()) => {}
        Err(_) => {
            enc.clear();
            enc.tag(tags::DEFAULT);
        }
    }
    Ok(Some(enc.as_bytes().into()))
}

impl<'py> Walk<'_, '_, 'py> {
    /// Takes down whether an object on the way through a default must be read at each call.
    pub(super) fn mind_stand_in(&mut self, value: &Bound<'py, PyAny>, rule: &Rule) {
        self.is_read_now = self.is_read_now || self.stands_in(value, rule).unwrap_or(true);
    }

    /// Whether an object stands for something else: it passes for another class, has its content
    /// from its class alone, or is what the context or the thread of the caller holds.
    ///
    /// # Errors
    /// What reading it raises, as a proxy does where it stands for nothing.
    fn stands_in(&self, value: &Bound<'py, PyAny>, rule: &Rule) -> PyResult<bool> {
        let py = self.py;
        let class = value.get_type();
        if !value.getattr(intern!(py, "__class__"))?.is(&class) {
            return Ok(true);
        }
        if is_of_the_caller(&class)? {
            // Deep inside an object it is a means of that object's: a pool that keeps one
            // connection for each thread is one pool.
            return self.is_handed_through();
        }
        let is_plain = matches!(rule, Rule::Object | Rule::Reduce);
        Ok(is_plain && keeps_nothing(value)? && computes(&class)?)
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

/// Whether the class is one of what each thread or context has its own content for.
fn is_of_the_caller(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let local = py.import(intern!(py, "_thread"))?.getattr("_local")?;
    let variable = py
        .import(intern!(py, "_contextvars"))?
        .getattr("ContextVar")?;
    Ok(class.is_subclass(&local)? || class.is(&variable))
}

/// Whether an object has no state of its own.
fn keeps_nothing(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    if let Some(fields) = value.getattr_opt(intern!(py, "__dict__"))?
        && !fields
            .cast::<PyDict>()
            .is_ok_and(|fields| fields.is_empty())
    {
        return Ok(false);
    }
    let slots = py
        .import(intern!(py, "copyreg"))?
        .call_method1("_slotnames", (value.get_type(),))?;
    slots.is_empty()
}

/// Whether a class in the line answers with what it computes.
fn computes(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let property = py
        .import(intern!(py, "builtins"))?
        .getattr(intern!(py, "property"))?;
    let slot = py
        .import(intern!(py, "types"))?
        .getattr(intern!(py, "WrapperDescriptorType"))?;
    for ancestor in class.mro() {
        if ancestor.is(py.get_type::<PyAny>()) {
            continue;
        }
        let members = ancestor.getattr(intern!(py, "__dict__"))?;
        for name in ["__getattr__", "__getattribute__", "__getitem__"] {
            // What a built-in class has under these names reads what it keeps.
            match members.call_method1(intern!(py, "get"), (name,))? {
                member if member.is_none() || member.get_type().is(&slot) => {}
                _ => return Ok(true),
            }
        }
        for member in members.call_method0("values")?.try_iter()? {
            if member?.is_instance(&property)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
