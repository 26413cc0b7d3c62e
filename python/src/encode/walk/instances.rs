//! Instances of user classes: plain ones, dataclasses, attrs and pydantic models, enumerations.
//!
//! An instance is its class's module and qualified name (K7) with everything that it holds: the
//! attributes in its dict, in any order, and those in slots, without [kept](crate::encode::kept_results) results.
#![allow(unsafe_code)]

use super::Walk;
use super::containers::Keys;
use crate::encode::class::dict;
use crate::encode::fault::Outcome;
use crate::encode::names::class_of;
use crate::encode::type_info::TypeInfo;
use crate::encode::{scalars, tags};
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

impl<'py> Walk<'_, '_, 'py> {
    /// Writes the attributes of an instance: those in its dict, then those that are not.
    pub(in crate::encode) fn attributes(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
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
        if let Some((_, bytes)) = unsafe { scalars::str_bytes(name.as_ptr()) } {
            self.enc.framed(tags::NAME, bytes);
        }
    }

    /// Writes a member of an enumeration: its class, its name, and its value where that has a
    /// key, so that a class that was defined anew with other values is told apart.
    pub(in crate::encode) fn enumeration(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
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

    /// Writes the state that neither an instance's attributes nor its reduction show.
    pub(in crate::encode) fn beside(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        if info.dict_beside {
            let dict = self.on_own(|_| {
                let dict = value.getattr("__dict__")?;
                Ok(dict.cast_into::<PyDict>().map_err(PyErr::from)?)
            })?;
            let start = self.enc.len();
            self.holding(dict.into_any(), |walk, dict| {
                walk.pairs(dict.as_ptr(), Keys::Names(&info.skip))
                    .map_err(|fault| walk.at(fault, value.as_ptr(), || "its attributes".to_owned()))
            })?;
            self.piece(start);
            self.enc.tag(tags::END);
        }
        for described in &info.beside {
            let name = described.name.bind(self.py);
            self.enc
                .framed(tags::NAME, name.to_string_lossy().as_bytes());
            let Some(part) = self.on_own(|_| Ok(described.part_of(value)?))? else {
                self.enc.tag(tags::ABSENT);
                continue;
            };
            self.holding(part, |walk, part| {
                walk.value(part.as_ptr())
                    .map_err(|fault| walk.at(fault, value.as_ptr(), || format!("its `{name}`")))
            })?;
        }
        self.asides(value, info)
    }

    /// Writes the values that descriptors of its class keep for an instance.
    pub(in crate::encode) fn asides(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        if info.asides.is_empty() {
            return Ok(());
        }
        for aside in &info.asides {
            let name = aside.name.bind(self.py);
            let Some(part) = self.on_own(|_| Ok(aside.part_of(value)?))? else {
                continue;
            };
            self.name(name);
            self.holding(part, |walk, part| {
                walk.value(part.as_ptr()).map_err(|fault| {
                    walk.at(fault, value.as_ptr(), || format!("its attribute `{name}`"))
                })
            })?;
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the attributes of these names, which need not be there.
    pub(in crate::encode) fn named(
        &mut self,
        value: &Bound<'py, PyAny>,
        names: &[&str],
    ) -> Outcome {
        for name in names {
            match value.getattr_opt(*name)? {
                Some(part) => self
                    .own(part.as_ptr())
                    .map_err(|fault| fault.at(class_of(value), format!("its `{name}`")))?,
                None => self.enc.tag(tags::ABSENT),
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
