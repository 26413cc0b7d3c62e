//! One walk through one argument: what is written, and by which rule.
//!
//! The walk itself writes what arguments are mostly made of, each in a file beside this one: numbers
//! and texts, lists, tuples and dicts, and instances by their attributes or by what they give to be
//! pickled. Anything else is a [`Form`], which its class leads to.
#![allow(unsafe_code)]

pub(super) mod containers;
pub(super) mod data;
pub(super) mod second_reading;

mod builtin;
mod circles;
mod class_identity;
mod conversion;
mod default_stand_ins;
mod instances;
mod nesting;
mod reduce;
mod results;
mod room;
mod untold;

use super::class::is_lock;
use super::fault::Outcome;
use super::hash_funcs::HashFuncs;
use super::members::Described;
use super::pins::{Holds, Role};
use super::reading::{Reading, Trace};
use super::scalars::encode_scalar;
use super::stack::Stacks;
use super::type_info::TypeInfo;
use super::{own_state, tags};
use circles::Circles;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use tenure::Encoder;

/// The bytes of an instance that holds no attributes: the ends of its dict and its slots, and of what is kept beside
/// it where something may be.
const NOTHING_HELD: [u8; 3] = [tags::END, tags::END, tags::END];

/// A kind of argument: how instances of some classes are written, and what of them counts beside.
pub(super) trait Form: Sync {
    /// Writes what an instance of such a class, or of one derived from it, holds as such.
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome;

    /// Whether it can hold other objects, and so itself.
    fn holds(&self) -> bool {
        true
    }

    /// Whether what derives from it is written as it is itself: it writes its class where it must.
    fn covers_derived(&self) -> bool {
        false
    }

    /// Where attributes that instances are given count beside what they are written as, the names
    /// of those that the class keeps in their dict for itself.
    fn keeps(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// Whether instances of the class itself can be given attributes that count.
    fn is_given_attributes(&self) -> bool {
        false
    }

    /// The members of instances that neither their attributes nor their reductions show, where that
    /// is not slots alone.
    fn beside(&self, _class: &Bound<'_, PyType>) -> PyResult<Option<Vec<Described>>> {
        Ok(None)
    }

    /// Whether instances are written by what they give to be pickled.
    fn is_reduced(&self) -> bool {
        false
    }

    /// Whether the name of an instance leads to it, so that what else it holds does not count.
    fn goes_by_name(&self) -> bool {
        false
    }

    /// Whether an instance stands for another object, which may be another one at each call.
    fn stands_in(&self) -> bool {
        false
    }

    /// Whether an instance is no more than a way to call others: one made anew is the same if those
    /// are.
    fn is_made_to_call(&self) -> bool {
        false
    }
}

/// How an instance is written.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// As the known class that it is of or derives from.
    Known(&'static dyn Form),
    /// By its attributes.
    Object,
    /// As a member of an enumeration.
    Enum,
    /// By what it gives to be pickled.
    Reduce,
    /// By that, and by what it holds as the known class that it derives from.
    ReducedAs(&'static dyn Form),
    /// By what it stands for now.
    StandIn(&'static dyn Form),
}

/// A class with its rule.
pub(super) struct Class {
    pub(super) rule: Rule,
    pub(super) info: TypeInfo,
}

/// The class of an object with its rule.
pub(super) type Classes = fn(&Bound<'_, PyAny>) -> Outcome<Arc<Class>>;

/// One walk through one argument.
pub(super) struct Walk<'e, 'a, 'py> {
    pub(super) py: Python<'py>,
    pub(super) enc: &'e mut Encoder,
    classes: Classes,
    /// The rules for the part that is being written.
    pub(super) scope: Scope<'a>,
    /// The containers that are being written, outermost first.
    open: SmallVec<[*mut ffi::PyObject; 16]>,
    /// How many bytes were digested and left the buffer.
    pub(super) digested: u64,
    /// The class whose hash function's result is being written, for which it is not asked again.
    converted: *mut ffi::PyTypeObject,
    /// The objects of a callable that must be kept alive.
    pub(super) holds: Holds,
    /// Which stack the walk is on.
    stacks: Stacks,
    /// Objects to be let go of on the thread's own stack.
    spent: Vec<Bound<'py, PyAny>>,
    /// Whether a part of a default must be read at each call all the same.
    pub(super) is_read_now: bool,
    /// Whether a part of a default has no key.
    pub(super) lacks_key: bool,
}

/// The rules for a part of an argument: put aside where something is read as a whole of its own.
pub(super) struct Scope<'a> {
    /// The user's own rules, where they apply.
    rules: Option<&'a HashFuncs>,
    /// Whether there are any.
    ruled: bool,
    /// From which open container on what is written can point back: further out it is read apart.
    floor: usize,
    /// Whether a class is read, and if so, whether members without a key are passed over.
    reads_class: Option<bool>,
    /// The outermost open container that what was written since points back to.
    lowest: usize,
    /// The first circle that what was written since refers to.
    earliest: usize,
    /// From this level on nothing is written, but that there is something.
    limit: usize,
    /// Whether that was so.
    is_cut: bool,
    /// Parts that were large, or circles, and may be met again, by address.
    shared: Option<HashMap<usize, Shared>>,
    /// What was written and is met again in a cycle, where there is one.
    circles: Option<Box<Circles>>,
    /// The objects that users' functions are at work on.
    converting: SmallVec<[*mut ffi::PyObject; 4]>,
    /// The role of the callable whose parts are written, if this is no argument.
    pub(super) role: Option<Role>,
    /// Whether what is written is a default of the callable whose parts are written.
    pub(super) in_default: bool,
    /// Whether what is written is a default, on which a decorated function settles once.
    pub(super) settling: bool,
    /// How what was written is known.
    pub(super) reading: Reading,
    /// The trace of an earlier reading, where this is one of two.
    pub(super) trace: Option<Box<Trace>>,
}

impl<'a> Scope<'a> {
    #[inline(always)]
    fn new(rules: Option<&'a HashFuncs>) -> Self {
        Self {
            rules,
            ruled: rules.is_some(),
            floor: 0,
            reads_class: None,
            lowest: usize::MAX,
            earliest: usize::MAX,
            limit: usize::MAX,
            is_cut: false,
            shared: None,
            circles: None,
            converting: SmallVec::new(),
            role: None,
            in_default: false,
            settling: false,
            reading: Reading::Seen,
            trace: None,
        }
    }
}

/// A container that was written before in this walk, and refers to nothing outside of it.
struct Shared {
    /// Held, so that no other object has its address.
    _value: Py<PyAny>,
    bytes: Box<[u8]>,
    /// How many circles are in it.
    circles: usize,
}

impl<'e, 'a, 'py> Walk<'e, 'a, 'py> {
    pub(super) fn new(
        py: Python<'py>,
        enc: &'e mut Encoder,
        rules: Option<&'a HashFuncs>,
        classes: Classes,
    ) -> Self {
        Self {
            py,
            enc,
            classes,
            scope: Scope::new(rules),
            open: SmallVec::new(),
            digested: 0,
            converted: std::ptr::null_mut(),
            holds: Holds::default(),
            stacks: Stacks::default(),
            spent: Vec::new(),
            is_read_now: false,
            lacks_key: false,
        }
    }

    /// Writes any value. The caller keeps it alive.
    pub(super) fn value(&mut self, value: *mut ffi::PyObject) -> Outcome {
        if self.scope.trace.is_some() {
            return self.traced(value);
        }
        if let Some(funcs) = self.scope.rules
            && self.converted_by(funcs, value)?
        {
            return Ok(());
        }
        self.own(value)
    }

    /// Writes what the user's rule for a value gives: `true` if there is one.
    fn converted_by(&mut self, funcs: &HashFuncs, value: *mut ffi::PyObject) -> Outcome<bool> {
        self.on_own(|walk| walk.convert(funcs, value))
    }

    /// Writes a value that is part of what holds it and no argument of the user's by itself: the
    /// user's rules apply to what it holds only.
    pub(super) fn own(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: the caller keeps the value alive.
        if unsafe { encode_scalar(self.enc, value) } {
            return Ok(());
        }
        self.compound(value)
    }

    /// Writes a name, a number or the like that says what a value is: the user's rules have no
    /// part in it.
    pub(super) fn inner(&mut self, value: &Bound<'py, PyAny>) -> Outcome {
        let rules = self.scope.rules.take();
        let outcome = self.own(value.as_ptr());
        self.scope.rules = rules;
        outcome
    }

    /// Writes a value that may be short and simple: `true` if it was. With `hash_funcs`, and where
    /// two readings are compared, nothing is.
    ///
    /// # Safety
    ///
    /// `value` is a live object.
    #[inline(always)]
    pub(super) unsafe fn simple(&mut self, value: *mut ffi::PyObject) -> bool {
        // SAFETY: the caller's promise.
        self.scope.rules.is_none()
            && self.scope.trace.is_none()
            && unsafe { encode_scalar(self.enc, value) }
    }

    fn compound(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: the caller keeps the value alive; the addresses of the built-in classes are
        // only compared.
        let class = unsafe { ffi::Py_TYPE(value) };
        if class == &raw mut ffi::PyList_Type {
            self.nested(value, |walk| walk.with_room(|walk| walk.list(value)))
        } else if class == &raw mut ffi::PyDict_Type {
            self.nested(value, |walk| {
                walk.with_room(|walk| walk.dict(tags::DICT, value))
            })
        } else if class == &raw mut ffi::PyTuple_Type {
            self.nested(value, |walk| walk.with_room(|walk| walk.tuple(value)))
        } else if class == &raw mut ffi::PyLong_Type {
            self.integer(value)
        } else if class == &raw mut ffi::PyUnicode_Type {
            self.string(value)
        } else if class == &raw mut ffi::PyBytes_Type {
            self.bytes(value);
            Ok(())
        } else {
            self.by_class(value)
        }
    }

    /// Writes what is not of an exact built-in type. That may run Python, but for an instance's
    /// attributes: chains of instances are as long as lists are deep.
    fn by_class(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: the caller keeps the value alive.
        let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        if self.scope.in_default && self.on_own(|_| Ok(is_lock(&value)?))? {
            self.enc.tag(tags::LOCK);
            return Ok(());
        }
        let class = self.on_own(|walk| {
            let class = (walk.classes)(&value)?;
            if walk.scope.settling {
                walk.mind_stand_in(&value, &class.rule);
            }
            if !class.info.reach.is_own() {
                own_state::check(&value, &class.info)?;
            }
            Ok(class)
        })?;
        let start = self.enc.len();
        let outcome = match class.rule {
            Rule::Known(_) if class.info.exact => {
                let outcome = self.on_own(|walk| walk.by_rule(&value, &class));
                return self.or_settled(start, outcome);
            }
            Rule::Object => self.by_rule(&value, &class),
            _ => self.on_own(|walk| walk.by_rule(&value, &class)),
        };
        match outcome {
            Err(fault) if fault.is_no_key() && !fault.is_elsewhere() => {
                let mut fault = Some(fault);
                // What either of them holds of an exception is let go of there too.
                let tried = self.on_own(|walk| {
                    if matches!(walk.wrapped(&value, start), Ok(true)) {
                        fault = None;
                    }
                    Ok(())
                });
                match fault {
                    Some(fault) => self.on_own(|walk| walk.or_settled(start, Err(fault))),
                    None => tried,
                }
            }
            outcome => outcome,
        }
    }

    /// Goes on past what has no key where a default is written: something else in it may stand for
    /// whoever asks.
    fn or_settled(&mut self, start: usize, outcome: Outcome) -> Outcome {
        match outcome {
            Err(fault) if self.scope.settling && fault.is_no_key() && !fault.is_elsewhere() => {
                self.enc.truncate(start);
                self.enc.tag(tags::OPAQUE);
                self.lacks_key = true;
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn by_rule(&mut self, value: &Bound<'py, PyAny>, class: &Class) -> Outcome {
        let info = &class.info;
        match class.rule {
            Rule::Known(form) if info.exact => {
                if info.attached {
                    self.nested(value.as_ptr(), |walk| {
                        form.write(walk, value, info)?;
                        walk.attributes(value, info)
                    })
                } else if let Some(untold) = &info.untold
                    && !form.is_reduced()
                {
                    self.nested(value.as_ptr(), |walk| {
                        form.write(walk, value, info)?;
                        walk.untold(value, info, untold, None)?;
                        walk.asides(value, info)
                    })
                } else if form.holds() {
                    self.nested(value.as_ptr(), |walk| form.write(walk, value, info))
                } else {
                    form.write(self, value, info)
                }
            }
            Rule::Known(form) => self.nested(value.as_ptr(), |walk| {
                walk.enc.tag(tags::DERIVED);
                walk.class_of_value(value, info)?;
                form.write(walk, value, info)?;
                walk.attributes(value, info)
            }),
            Rule::Object => self.nested(value.as_ptr(), |walk| {
                walk.enc.tag(tags::OBJECT);
                walk.class_of_value(value, info)?;
                walk.with_room(|walk| {
                    let start = walk.enc.len();
                    walk.attributes(value, info)?;
                    if NOTHING_HELD.starts_with(&walk.enc.as_bytes()[start..]) {
                        walk.on_own(|_| own_state::check_empty(value, info))?;
                    }
                    Ok(())
                })
            }),
            Rule::Enum => self.nested(value.as_ptr(), |walk| walk.enumeration(value, info)),
            Rule::Reduce => self.nested(value.as_ptr(), |walk| walk.reduce(value, info)),
            Rule::ReducedAs(form) => self.nested(value.as_ptr(), |walk| {
                walk.reduce(value, info)?;
                form.write(walk, value, info)
            }),
            Rule::StandIn(form) => {
                self.nested(value.as_ptr(), |walk| form.write(walk, value, info))
            }
        }
    }
}
