//! Which rule a class falls under, found out once per class and version of it.
//!
//! What was found out is kept in a table of fixed size. A place is valid for one version tag:
//! CPython gives each state of each class a number that it never uses again, so a class that was
//! changed, or another one at the address of one that is gone, does not match, and the table
//! needs no reference to any class.
#![allow(unsafe_code)]

use super::class::{self, has_dict, state, version};
use super::fault::Outcome;
use super::kinds::{self, stand_in};
use super::members::{self, Reducer};
use super::names::{full_name, is_itself, write_id};
use super::origin::Origin;
use super::reach::Reach;
use super::type_info::TypeInfo;
use super::walk::{Class, Rule};
use super::{aside, kept_results, reach, untold};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use std::sync::{Arc, Mutex, OnceLock};
use tenure::Encoder;
use tenure::front::Digests;

const PLACES: usize = 1 << 9;

type Place = Option<(usize, u32, Arc<Class>)>;

// Nothing but a comparison and a copy of an `Arc` happens while this is locked.
static TABLE: Mutex<[Place; PLACES]> = Mutex::new([const { None }; PLACES]);

/// The class of an object with its rule.
#[inline]
pub(super) fn of(value: &Bound<'_, PyAny>) -> Outcome<Arc<Class>> {
    // SAFETY: the object lives, and with it its class.
    let class = unsafe { ffi::Py_TYPE(value.as_ptr()) };
    let at = (class as usize >> 4) % PLACES;
    let address = class as usize;
    let version = version(value.py(), class);
    if version != 0 {
        let table = TABLE.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some((ptr, seen, class)) = &table[at]
            && *ptr == address
            && *seen == version
        {
            return Ok(Arc::clone(class));
        }
    }
    learn(value, class, at)
}

#[cold]
fn learn(
    value: &Bound<'_, PyAny>,
    class: *mut ffi::PyTypeObject,
    at: usize,
) -> Outcome<Arc<Class>> {
    let py = value.py();
    let before = state(&value.get_type())?;
    let learnt = Arc::new(classify(value)?);
    if before != 0 && before == version(py, class) {
        let dropped = {
            let mut table = TABLE.lock().unwrap_or_else(|poison| poison.into_inner());
            table[at].replace((class as usize, before, Arc::clone(&learnt)))
        };
        drop(dropped);
    }
    Ok(learnt)
}

fn classify(value: &Bound<'_, PyAny>) -> Outcome<Class> {
    let class = value.get_type();
    let mut info = TypeInfo {
        exact: false,
        attached: false,
        id: id(&class)?,
        origin: Origin::of(&class),
        made: OnceLock::new(),
        has_dict: has_dict(&class),
        fields: Vec::new(),
        skip: Vec::new(),
        kept: kept_results::of_class(&class)?,
        reach: Reach::default(),
        beside: members::hidden_slots(&class)?,
        dict_beside: false,
        untold: None,
        asides: aside::of_class(&class)?,
    };
    let bases = class.mro();
    // What members mix in, `int` say, says nothing that their class and name do not.
    if bases
        .iter()
        .any(|base| full_name(base.as_ptr().cast()) == "enum.Enum")
    {
        // Its name and value are all that a member holds.
        info.reach.elsewhere = reach::of_class(&class, None)?.elsewhere;
        return Ok(Class {
            rule: Rule::Enum,
            info,
        });
    }
    if let Some(way) = stand_in::way(&class)? {
        if let Some(library) = stand_in::library(&class, way)? {
            info.reach.elsewhere = reach::of_class(&class, Some(&library))?.elsewhere;
        }
        let rule = Rule::StandIn(way.form());
        return Ok(Class { rule, info });
    }
    for (depth, base) in bases.iter().enumerate() {
        let base = base.cast_into::<PyType>().map_err(PyErr::from)?;
        let name = full_name(base.as_type_ptr());
        if let Some(form) = kinds::find(&name)
            && (is_itself(&base) || name.starts_with("tenure."))
        {
            let covered = form.covers_derived();
            if depth > 0 {
                info.reach = reach::of_class(&class, Some(&base))?;
                // What it holds as the known class is state enough.
                info.reach.computes = None;
            }
            info.exact = depth == 0 || covered;
            let rule = if info.exact || !class::pickles_itself(&class, &base)? {
                Rule::Known(form)
            } else {
                Rule::ReducedAs(form)
            };
            if let Some(beside) = form.beside(&class)? {
                info.beside = beside;
            }
            if !info.exact {
                info.fields = class::own_slots(&class, &base)?;
            } else if let Some(kept) = form.keeps()
                && info.has_dict
                && (depth > 0 || form.is_given_attributes())
            {
                info.attached = true;
                let py = value.py();
                let kept = kept.iter();
                info.skip
                    .extend(kept.map(|name| PyString::intern(py, name).unbind().into_any()));
            }
            if info.attached {
                // No name leads past what the known class makes of names.
                for place in 0..depth {
                    let derived = bases.get_item(place)?.cast_into::<PyType>();
                    let derived = derived.map_err(PyErr::from)?;
                    if class::is_heap(&derived) {
                        members::own_members(place, &derived, &mut info.beside)?;
                    }
                }
            }
            if form.is_reduced() || !matches!(rule, Rule::Known(_)) {
                info.untold = untold::of_reduced(&class)?;
            } else if covered && depth > 0 && !info.attached && !form.goes_by_name() {
                info.untold = untold::of_known(&class, &base)?;
            }
            return Ok(Class { rule, info });
        }
    }
    info.reach = reach::of_class(&class, None)?;
    let mut rule = Rule::Reduce;
    if info.reach.elsewhere.is_some() {
        return Ok(Class { rule, info });
    }
    if info.reach.is_own() && stand_in::pretends(value)? {
        rule = Rule::StandIn(stand_in::Way::Closed.form());
        return Ok(Class { rule, info });
    }
    if let Some(fields) = class::declared_fields(&class)? {
        rule = Rule::Object;
        for field in &fields {
            info.kept
                .extend(kept_results::in_slot(&class, field.bind(value.py()))?);
        }
        info.fields = fields;
        let kept = class::kept_by_maker(&class)?;
        info.skip.extend(kept.map(Py::into_any));
    } else if class::is_plain(value)? {
        rule = Rule::Object;
        info.fields = class::slots(&class)?;
        info.skip.append(&mut members::remembered_facts(&class));
    } else {
        match Reducer::of(&class)? {
            Reducer::Object => {}
            Reducer::Python => info.beside.clear(),
            Reducer::Compiled { slots, dict } => {
                info.beside = slots;
                info.dict_beside = dict;
            }
        }
        info.untold = untold::of_reduced(&class)?;
    }
    Ok(Class { rule, info })
}

/// The module and qualified name of a class, as they are written.
fn id(class: &Bound<'_, PyType>) -> PyResult<Box<[u8]>> {
    let mut enc = Encoder::with(Digests::Fixed);
    write_id(&mut enc, class)?;
    Ok(enc.as_bytes().into())
}
