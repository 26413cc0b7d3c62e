//! Instances of user classes: plain ones, dataclasses, attrs and pydantic models, enumerations.
//!
//! An instance is its class's module and qualified name (K7) with everything that it holds: the
//! attributes in its dict, in any order, and those in slots, without [kept](super::kept) results.
#![allow(unsafe_code)]

use super::containers::Keys;
use super::fault::Outcome;
use super::types::TypeInfo;
use super::{Walk, builtin, tags};
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFunction, PyString, PyType};

impl<'py> Walk<'_, '_, 'py> {
    /// Writes the attributes of an instance: those in its dict, then those that are not.
    pub(super) fn attributes(&mut self, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        let dict = if info.has_dict {
            // SAFETY: the class says so.
            Some(self.on_own(|_| Ok(unsafe { dict(value) }?))?)
        } else {
            None
        };
        let outcome = self.attributes_with(value, info, dict.as_ref());
        if let Some(dict) = dict {
            self.let_go(dict.into_any());
        }
        outcome
    }

    #[inline(always)]
    fn attributes_with(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
        dict: Option<&Bound<'py, PyDict>>,
    ) -> Outcome {
        let py = self.py;
        if let Some(found) = dict {
            let start = self.enc.len();
            let results;
            let skip = if info.kept.is_empty() {
                &info.skip
            } else {
                results = self.on_own(|walk| walk.results(value, info, found))?;
                &results
            };
            self.pairs(found.as_ptr(), Keys::Names(skip))
                .map_err(|fault| self.at(fault, value.as_ptr(), || "its attributes".to_owned()))?;
            self.piece(start);
        }
        self.enc.tag(tags::END);
        for name in &info.fields {
            let name = name.bind(py);
            let field = self.on_own(|_| match dict {
                Some(dict) if dict.contains(name)? => Ok(None),
                _ => Ok(attribute(value, name)?),
            })?;
            let Some(field) = field else {
                continue;
            };
            self.holding(field, |walk, field| {
                if let Some(kept) = info.kept.iter().find(|kept| kept.name.is(name))
                    && walk.on_own(|walk| walk.is_result(value, info, kept, field))?
                {
                    return Ok(());
                }
                walk.name(name);
                // SAFETY: `field` is held.
                if !unsafe { walk.simple(field.as_ptr()) } {
                    walk.value(field.as_ptr()).map_err(|fault| {
                        walk.at(fault, value.as_ptr(), || format!("its attribute `{name}`"))
                    })?;
                }
                Ok(())
            })?;
        }
        self.enc.tag(tags::END);
        self.beside(value, info)
    }

    fn name(&mut self, name: &Bound<'py, PyString>) {
        // SAFETY: the string is held; names in source are always ready.
        if let Some((_, bytes)) = unsafe { builtin::str_bytes(name.as_ptr()) } {
            self.enc.framed(tags::NAME, bytes);
        }
    }

    /// Writes a member of an enumeration: its class, its name, and its value where that has a
    /// key, so that a class that was defined anew with other values is told apart.
    pub(super) fn enumeration(&mut self, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        self.enc.tag(tags::ENUM);
        self.class_of_value(value, info)?;
        for name in ["_name_", "_value_"] {
            let part = value.getattr(name)?;
            let start = self.enc.len();
            match self.inner(&part) {
                Err(fault) if fault.is_no_key() => {
                    self.enc.truncate(start);
                    self.enc.tag(tags::OPAQUE);
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// An attribute in a slot, which need not be set. The slot itself is asked where the class has
/// one: a hook of the class would make up what is missing.
fn attribute<'py>(
    value: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: both objects are held; the call gives a new reference or NULL with an exception
    // set, and asks the class and the object but no hook.
    let found = unsafe {
        Bound::from_owned_ptr_or_err(
            value.py(),
            ffi::PyObject_GenericGetAttr(value.as_ptr(), name.as_ptr()),
        )
    };
    match found {
        Ok(field) => Ok(Some(field)),
        Err(error) if error.is_instance_of::<PyAttributeError>(value.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The dict in which an instance keeps its attributes, past whatever its class makes of it.
pub(super) fn own_dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    if super::types::has_dict(&value.get_type()) {
        // SAFETY: the class says so.
        unsafe { dict(value) }.map(Some)
    } else {
        Ok(None)
    }
}

/// # Safety
///
/// The instances of the object's class have a dict.
#[inline(always)]
unsafe fn dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    // SAFETY: the caller's promise; the call gives a new reference to the dict or NULL with an
    // exception set.
    unsafe {
        let found = ffi::PyObject_GenericGetDict(value.as_ptr(), std::ptr::null_mut());
        let found = Bound::from_owned_ptr_or_err(value.py(), found)?;
        Ok(found.cast_into_unchecked::<PyDict>())
    }
}

/// What a class and its bases keep under a name, the one that answers first.
pub(super) fn all_answering<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut all = Vec::new();
    for base in class.mro() {
        let members = base.getattr("__dict__")?;
        if members.contains(name)? {
            all.push(members.get_item(name)?);
        }
    }
    Ok(all)
}

/// What a class or the first of its bases that has the name keeps under it.
pub(super) fn answering<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match holder(class, name)? {
        Some(base) => base.getattr("__dict__")?.get_item(name).map(Some),
        None => Ok(None),
    }
}

/// A class or the first of its bases that has the name.
pub(super) fn holder<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyType>>> {
    for base in class.mro() {
        if base.getattr("__dict__")?.contains(name)? {
            return Ok(Some(base.cast_into()?));
        }
    }
    Ok(None)
}

pub(super) fn is_in_class(class: &Bound<'_, PyType>, name: &str) -> PyResult<bool> {
    Ok(answering(class, name)?.is_some())
}

/// Whether the instances of a class may claim to be of another one.
pub(super) fn claims(class: &Bound<'_, PyType>) -> PyResult<bool> {
    differs_from_object(class, &["__class__"])
}

/// Whether a class says itself what its instances are made anew from.
pub(super) fn reduces_itself(class: &Bound<'_, PyType>) -> PyResult<bool> {
    differs_from_object(class, &["__reduce_ex__", "__reduce__"])
}

/// Whether a class's author says what its instances are made anew from, or what their state is: in
/// Python, and not by what a maker of classes has written for them.
///
/// # Errors
///
/// What reading the class raises.
pub(super) fn tells_its_state(class: &Bound<'_, PyType>) -> PyResult<bool> {
    for name in ["__reduce_ex__", "__reduce__", "__getstate__"] {
        if let Some(own) = answering(class, name)?
            && own.is_instance_of::<PyFunction>()
            && !super::reach::is_vouched_for(own.getattr("__module__")?)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a class has any of these names from elsewhere than `object`.
pub(super) fn differs_from_object(class: &Bound<'_, PyType>, names: &[&str]) -> PyResult<bool> {
    let object = class.py().get_type::<PyAny>();
    for name in names {
        let differs = match (answering(class, name)?, answering(&object, name)?) {
            (Some(own), Some(inherited)) => !own.is(&inherited),
            (own, _) => own.is_some(),
        };
        if differs {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether instances hold nothing but attributes, in their dict and in slots: no compiled class
/// but `object` is among the bases.
fn is_made_of_attributes(class: &Bound<'_, PyType>) -> bool {
    let object = class.py().get_type::<PyAny>();
    class
        .mro()
        .iter()
        .all(|base| base.is(&object) || base.cast::<PyType>().is_ok_and(super::types::is_heap))
}

/// The names that a class's instances keep outside their dict, in a fixed order.
pub(super) fn slots(class: &Bound<'_, PyType>) -> PyResult<Vec<Py<PyString>>> {
    static SLOT_NAMES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let names = SLOT_NAMES
        .import(class.py(), "copyreg", "_slotnames")?
        .call1((class,))?;
    strings(&names)
}

/// The slots that a class adds to those of a class it derives from.
pub(super) fn own_slots(
    class: &Bound<'_, PyType>,
    base: &Bound<'_, PyType>,
) -> PyResult<Vec<Py<PyString>>> {
    slots_without(class, &slots(base)?)
}

/// The slots of a class but for those of these names.
fn slots_without(class: &Bound<'_, PyType>, names: &[Py<PyString>]) -> PyResult<Vec<Py<PyString>>> {
    let mut others = slots(class)?;
    others.retain(|other| {
        let other = other.bind(class.py()).as_any();
        !names.iter().any(|name| other.eq(name).unwrap_or(false))
    });
    Ok(others)
}

/// The attributes that a dataclass, an attrs class or a pydantic model declares, and those that
/// it has in slots besides; `None` for another class, and for one whose instances hold more than
/// attributes, as exceptions do.
pub(super) fn declared_fields(class: &Bound<'_, PyType>) -> PyResult<Option<Vec<Py<PyString>>>> {
    let py = class.py();
    if !is_made_of_attributes(class) {
        return Ok(None);
    }
    if let Some(fields) = class.getattr_opt("__dataclass_fields__")? {
        let mut names = Vec::new();
        for (name, field) in fields.cast::<PyDict>()? {
            // Class variables and parameters of `__init__` only are listed too.
            if field.getattr("_field_type")?.repr()?.to_string_lossy() == "_FIELD" {
                names.push(name.cast_into::<PyString>()?.unbind());
            }
        }
        names.append(&mut slots_without(class, &names)?);
        return Ok(Some(names));
    }
    if class.hasattr("__pydantic_core_schema__")? {
        // Which fields were set and which kept their defaults makes no difference to pydantic's
        // own comparison, nor here.
        return Ok(Some(vec![
            PyString::intern(py, "__pydantic_extra__").unbind(),
            PyString::intern(py, "__pydantic_private__").unbind(),
        ]));
    }
    if class.hasattr("__post_root_validators__")?
        && let Some(private) = class.getattr_opt("__private_attributes__")?
    {
        return strings(&private).map(Some);
    }
    if let Some(fields) = class.getattr_opt("__attrs_attrs__")? {
        let mut names = Vec::new();
        for field in fields.try_iter()? {
            names.push(field?.getattr("name")?.cast_into::<PyString>()?.unbind());
        }
        // Among the slots are those for the results that a `cached_property` keeps.
        names.append(&mut slots_without(class, &names)?);
        return Ok(Some(names));
    }
    Ok(None)
}

fn strings(names: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyString>>> {
    names
        .try_iter()?
        .map(|name| Ok(name?.cast_into::<PyString>()?.unbind()))
        .collect()
}

/// Whether a class derived from a known one says itself how it is pickled, and so what counts.
pub(super) fn pickles_itself(
    class: &Bound<'_, PyType>,
    known: &Bound<'_, PyType>,
) -> PyResult<bool> {
    for name in ["__reduce_ex__", "__reduce__", "__getstate__"] {
        for base in class.mro() {
            if base.is(known) {
                break;
            }
            if base.getattr("__dict__")?.contains(name)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a class leaves it to `object` how it is pickled, and holds nothing but attributes.
pub(super) fn is_plain(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static DISPATCH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    let class = value.get_type();
    let object = py.get_type::<PyAny>();
    for name in ["__reduce_ex__", "__reduce__"] {
        if !class.getattr(name)?.is(&object.getattr(name)?) {
            return Ok(false);
        }
    }
    for name in ["__getnewargs__", "__getnewargs_ex__"] {
        if class.hasattr(name)? {
            return Ok(false);
        }
    }
    if !class
        .getattr("__getstate__")?
        .is(&object.getattr("__getstate__")?)
    {
        return Ok(false);
    }
    let registered = DISPATCH.import(py, "copyreg", "dispatch_table")?;
    if registered.contains(&class)? {
        return Ok(false);
    }
    // `object` refuses instances that hold something that is no attribute.
    Ok(value.call_method1("__reduce_ex__", (4,)).is_ok())
}
