//! The members of instances outside of their dict and of what is pickled: slots, and the fields of
//! compiled classes.
#![allow(unsafe_code)]

use super::class::{has_dict, is_heap, is_made_in_python, own_items};
use super::names::{full_name, is_itself};
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// A descriptor, by the place of its class in the order of inheritance and its name there. The
/// class itself is asked for it.
pub(super) struct Described {
    place: usize,
    pub(super) name: Py<PyString>,
}

impl Described {
    /// The value that an object has there, if any.
    pub(super) fn part_of<'py>(
        &self,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let class = value.get_type().mro().get_item(self.place)?;
        let descriptor = class.getattr("__dict__")?.get_item(&self.name)?;
        match descriptor.call_method1("__get__", (value,)) {
            Ok(part) => Ok(Some(part)),
            Err(error) if error.is_instance_of::<PyAttributeError>(value.py()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The slots of a class's instances to which no name leads any more, because a class further down
/// has something else under it.
pub(super) fn hidden_slots(class: &Bound<'_, PyType>) -> PyResult<Vec<Described>> {
    let mut hidden = members(class, is_heap)?;
    let bases = class.mro();
    let mut failed = None;
    hidden.retain(|described| {
        let leads = || -> PyResult<bool> {
            for (place, base) in bases.iter().enumerate() {
                if base.getattr("__dict__")?.contains(&described.name)? {
                    return Ok(place == described.place);
                }
            }
            Ok(false)
        };
        match leads() {
            Ok(leads) => !leads,
            Err(error) => {
                failed = Some(error);
                false
            }
        }
    });
    failed.map_or(Ok(hidden), Err)
}

/// Who says what is pickled of a class's instances.
pub(super) enum Reducer {
    /// `object`, which knows of their dict and of slots that a name leads to.
    Object,
    /// A class written in Python, which is taken at its word.
    Python,
    /// A compiled class, which knows nothing of the slots that others add below it, nor of their
    /// dict where it has none itself.
    Compiled { slots: Vec<Described>, dict: bool },
}

impl Reducer {
    pub(super) fn of(class: &Bound<'_, PyType>) -> PyResult<Self> {
        let object = class.py().get_type::<PyAny>();
        let mut slots = Vec::new();
        for (place, base) in class.mro().iter().enumerate() {
            let base = base.cast_into::<PyType>().map_err(PyErr::from)?;
            if base.is(&object) {
                break;
            }
            let own = base.getattr("__dict__")?;
            for name in ["__reduce_ex__", "__reduce__", "__getstate__"] {
                if !own.contains(name)? {
                    continue;
                }
                return Ok(if is_made_in_python(&base) {
                    Self::Python
                } else {
                    let dict = has_dict(class) && !has_dict(&base);
                    Self::Compiled { slots, dict }
                });
            }
            own_members(place, &base, &mut slots)?;
        }
        Ok(Self::Object)
    }
}

/// The attributes by which SciPy remembers what it has found out about a matrix.
pub(super) fn remembered_facts(class: &Bound<'_, PyType>) -> Vec<Py<PyAny>> {
    let py = class.py();
    let is_sparse = class.mro().iter().any(|base| {
        base.cast::<PyType>().is_ok_and(|base| {
            full_name(base.as_type_ptr()) == "scipy.sparse._compressed._cs_matrix"
                && is_itself(base)
        })
    });
    let names = ["_has_sorted_indices", "_has_canonical_format"];
    let names = names.iter().filter(|_| is_sparse);
    names
        .map(|name| PyString::intern(py, name).unbind().into_any())
        .collect()
}

/// The members of compiled exception classes outside of what is pickled, and all slots. Where an
/// exception was raised is no part of it.
pub(super) fn exception_state(class: &Bound<'_, PyType>) -> PyResult<Vec<Described>> {
    let py = class.py();
    let mut state = members(class, |_| true)?;
    let base = py.get_type::<pyo3::exceptions::PyBaseException>();
    let place = class.mro().index(base)?;
    for name in ["args", "__cause__", "__context__"] {
        let name = PyString::intern(py, name).unbind();
        state.push(Described { place, name });
    }
    Ok(state)
}

fn members(
    class: &Bound<'_, PyType>,
    of: impl Fn(&Bound<'_, PyType>) -> bool,
) -> PyResult<Vec<Described>> {
    let mut all = Vec::new();
    for (place, base) in class.mro().iter().enumerate() {
        let base = base.cast_into::<PyType>().map_err(PyErr::from)?;
        if of(&base) {
            own_members(place, &base, &mut all)?;
        }
    }
    Ok(all)
}

/// Whether a member of a class reads a slot, or a field of a compiled class.
pub(super) fn is_member(member: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the member lives; the address of the built-in class is only compared.
    unsafe { ffi::Py_TYPE(member.as_ptr()) == &raw mut ffi::PyMemberDescr_Type }
}

/// Adds those of the class at this place.
pub(super) fn own_members(
    place: usize,
    class: &Bound<'_, PyType>,
    all: &mut Vec<Described>,
) -> PyResult<()> {
    for (name, member) in own_items(class)? {
        if is_member(&member) {
            let name = name.unbind();
            all.push(Described { place, name });
        }
    }
    Ok(())
}
