//! Objects that are a fixed list of parts which their reductions leave out.
#![allow(unsafe_code)]

use super::containers::Keys;
use super::fault::Outcome;
use super::made::is_made_in_python;
use super::types::{self, TypeInfo, class_of};
use super::{Walk, tags};
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString, PyType};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Type variables and type aliases: pickled by a name that they need not be found under.
    Typing,
    /// What `super()` gives, which answers with the attributes of something else.
    Super,
    /// A function whose results `functools` keeps.
    KeepsResults,
    /// An exception: its reduction, and what compiled classes keep of it outside.
    Exception,
}

const TYPING: [&str; 11] = [
    "__module__",
    "__name__",
    "__bound__",
    "__constraints__",
    "__covariant__",
    "__contravariant__",
    "__infer_variance__",
    "__default__",
    "__supertype__",
    "__value__",
    "__type_params__",
];

impl Kind {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "typing.TypeVar"
            | "typing.ParamSpec"
            | "typing.TypeVarTuple"
            | "typing.NewType"
            | "typing.TypeAliasType" => Self::Typing,
            "builtins.super" => Self::Super,
            "functools._lru_cache_wrapper" => Self::KeepsResults,
            "builtins.BaseException" => Self::Exception,
            _ => return None,
        })
    }

    /// Whether what derives from it is written as it is itself, with its class.
    pub(super) fn covers_derived(self) -> bool {
        self == Self::Exception
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes the attributes of these names, which need not be there.
    pub(super) fn named(&mut self, value: &Bound<'py, PyAny>, names: &[&str]) -> Outcome {
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

    /// Writes an object by its parts.
    pub(super) fn by_parts(
        &mut self,
        kind: Kind,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        match kind {
            Kind::Typing => {
                self.enc.tag(tags::PARTS);
                self.class_of_value(value, info)?;
                self.named(value, &TYPING)
            }
            Kind::Super => {
                self.enc.tag(tags::PARTS);
                self.class_of_value(value, info)?;
                // SAFETY: the class is static, and the interpreter is attached.
                let class = unsafe {
                    Bound::from_borrowed_ptr(self.py, (&raw mut ffi::PySuper_Type).cast())
                };
                for name in ["__thisclass__", "__self_class__", "__self__"] {
                    // Asked of the object itself, its class might answer for it.
                    let part = class.getattr(name)?.call_method1("__get__", (value,))?;
                    self.value(part.as_ptr())
                        .map_err(|fault| fault.at("super".to_owned(), format!("its `{name}`")))?;
                }
                Ok(())
            }
            Kind::KeepsResults => {
                self.around(value, "__wrapped__")?;
                self.inner(&value.call_method0("cache_parameters")?)
            }
            // What is beside the reduction follows it.
            Kind::Exception => self.reduce(value),
        }
    }

    /// Writes the state that neither an instance's attributes nor its reduction show.
    pub(super) fn beside(&mut self, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
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
        Ok(())
    }
}

/// A descriptor, by the place of its class in the order of inheritance and its name there. The
/// class itself is asked for it.
pub(super) struct Described {
    place: usize,
    name: Py<PyString>,
}

impl Described {
    /// What an object has there, if anything.
    fn part_of<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
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
    let mut hidden = members(class, types::is_heap)?;
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
                    let dict = types::has_dict(class) && !types::has_dict(&base);
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
            types::full_name(base.as_type_ptr()) == "scipy.sparse._compressed._cs_matrix"
                && types::is_itself(base)
        })
    });
    let names = ["_has_sorted_indices", "_has_canonical_format"];
    let names = names.iter().filter(|_| is_sparse);
    names
        .map(|name| PyString::intern(py, name).unbind().into_any())
        .collect()
}

/// What compiled exception classes keep outside of what is pickled, and all slots. Where an
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
fn own_members(place: usize, class: &Bound<'_, PyType>, all: &mut Vec<Described>) -> PyResult<()> {
    for item in class.getattr("__dict__")?.cast::<PyMapping>()?.items()? {
        let (name, member): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let Ok(name) = name.cast_into::<PyString>() else {
            continue;
        };
        if is_member(&member) {
            let name = name.unbind();
            all.push(Described { place, name });
        }
    }
    Ok(())
}
