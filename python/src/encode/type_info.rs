//! The facts of a class, beside how its instances are written.

use super::aside::Aside;
use super::kept_results::Kept;
use super::members::Described;
use super::origin::Origin;
use super::reach::Reach;
use super::untold::Untold;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::sync::OnceLock;
use tenure::front::Meaning;

/// The facts of a class: what counts of its instances beside their content.
pub(super) struct TypeInfo {
    /// Whether it is the known class itself, not one derived from it.
    pub exact: bool,
    /// Whether it is written as a known class, with the attributes of the derived one.
    pub attached: bool,
    /// Its module and qualified name, as they are written.
    pub id: Box<[u8]>,
    /// Where it comes from.
    pub origin: Origin,
    /// The digest of what it is made of, once that was asked for, if its name does not say it.
    pub made: OnceLock<Option<Made>>,
    /// Whether its instances have a dict of attributes.
    pub has_dict: bool,
    /// The attributes that are not in that dict.
    pub fields: Vec<Py<PyString>>,
    /// The attributes that the known class keeps for itself.
    pub skip: Vec<Py<PyAny>>,
    /// The attributes that may hold results of others.
    pub kept: Vec<Kept>,
    /// The reach of its members beside those.
    pub reach: Reach,
    /// State that neither attributes nor reductions show.
    pub beside: Vec<Described>,
    /// Whether reductions leave out what instances have in their dict.
    pub dict_beside: bool,
    /// What the class that says what counts knows of its instances: other fields count too.
    pub untold: Option<Untold>,
    /// The descriptors that may keep values beside instances.
    pub asides: Vec<Aside>,
}

/// What tells a class from others of its name.
#[derive(Clone, Copy)]
pub(super) struct Made {
    pub(super) digest: u128,
    /// How far the digest means the same.
    pub(super) meaning: Meaning,
}

impl TypeInfo {
    /// Whether instances keep an attribute of this name outside their dict.
    pub(super) fn is_field(&self, name: &Bound<'_, PyString>) -> bool {
        let same = |field: &Py<PyString>| name.as_any().eq(field).unwrap_or(false);
        self.fields.iter().any(same)
    }

    /// The value that an instance holds under a name in its dict or in a field, past what its class
    /// makes of names.
    pub(super) fn held<'py>(
        &self,
        value: &Bound<'py, PyAny>,
        dict: Option<&Bound<'py, PyDict>>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(dict) = dict
            && let Some(held) = dict.get_item(name)?
        {
            return Ok(Some(held));
        }
        match self.is_field(name) {
            true => value.getattr_opt(name),
            false => Ok(None),
        }
    }
}
