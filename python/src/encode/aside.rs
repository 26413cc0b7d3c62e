//! Values that a descriptor keeps beside the instances whose attribute it is: in a mapping of its own, by the
//! instance or by its address (K18). They are fields by another way, and count as such.
#![allow(unsafe_code)]

use super::bytecode;
use super::class::{self, is_made_in_python};
use super::reach::is_vouched_for;
use crate::process::once::Once;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyString, PyTuple, PyType, PyWeakrefReference};

/// A descriptor, by the place of its class in the order of inheritance and its name there, with where its code
/// finds a mapping.
pub(super) struct Aside {
    place: usize,
    pub(super) name: Py<PyString>,
    at: At,
}

/// Where code finds a mapping.
enum At {
    /// Under a name of the descriptor or its class.
    Own(Py<PyString>),
    /// In a variable of the module or of a function around, by the method that names it.
    Variable(&'static str, String),
}

/// The methods by which a descriptor gives and takes a value, and those of a property that is one.
const METHODS: [&str; 4] = ["__get__", "__set__", "fget", "fset"];

/// The descriptors of a class that take values and have a mapping at hand.
///
/// # Errors
///
/// What reading the class raises.
pub(super) fn of_class(class: &Bound<'_, PyType>) -> PyResult<Vec<Aside>> {
    let mut all = Vec::new();
    for (place, base) in class.mro().iter().enumerate() {
        let base = base.cast_into::<PyType>()?;
        if !is_made_in_python(&base) || is_vouched_for(base.getattr("__module__")?)? {
            continue;
        }
        for (name, member) in class::own_items(&base)? {
            of_member(place, &name, &member, &mut all)?;
        }
    }
    Ok(all)
}

fn of_member(
    place: usize,
    name: &Bound<'_, PyString>,
    member: &Bound<'_, PyAny>,
    all: &mut Vec<Aside>,
) -> PyResult<()> {
    let py = member.py();
    for method in METHODS {
        let Some(func) = method_of(member, method)? else {
            continue;
        };
        let code = func.getattr("__code__")?;
        for used in bytecode::read(code.cast::<PyCode>()?)?
            .names
            .into_iter()
            .chain(free(&func)?)
        {
            let mut ways = vec![At::Variable(method, used.clone())];
            if method.starts_with("__") {
                ways.push(At::Own(PyString::intern(py, &used).unbind()));
            }
            for at in ways {
                let is_known = all
                    .iter()
                    .any(|it| it.place == place && it.name.is(name) && it.at.is(&at));
                if !is_known && at.mapping(member)?.is_some() {
                    let name = name.clone().unbind();
                    all.push(Aside { place, name, at });
                }
            }
        }
    }
    Ok(())
}

/// A method of a descriptor that takes values: written in Python, no library's.
fn method_of<'py>(
    member: &Bound<'py, PyAny>,
    method: &str,
) -> PyResult<Option<Bound<'py, PyFunction>>> {
    let kind = member.get_type();
    // SAFETY: the address of the built-in class is only compared.
    let is_property = unsafe { ffi::Py_TYPE(member.as_ptr()) == &raw mut ffi::PyProperty_Type };
    let found = if is_property {
        match method.starts_with('f') && !member.getattr("fset")?.is_none() {
            true => Some(member.getattr(method)?),
            false => None,
        }
    } else if method.starts_with("__")
        && is_made_in_python(&kind)
        && class::is_in_class(&kind, "__set__")?
        && !is_vouched_for(kind.getattr("__module__")?)?
    {
        class::answering(&kind, method)?
    } else {
        None
    };
    Ok(found.and_then(|found| found.cast_into::<PyFunction>().ok()))
}

fn free(func: &Bound<'_, PyFunction>) -> PyResult<Vec<String>> {
    func.getattr("__code__")?.getattr("co_freevars")?.extract()
}

impl At {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Own(one), Self::Own(other)) => one.is(other),
            (Self::Variable(_, one), Self::Variable(_, other)) => one == other,
            _ => false,
        }
    }

    /// The mapping that is there now.
    fn mapping<'py>(&self, member: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = match self {
            Self::Own(name) => generic(member, name.bind(member.py())),
            Self::Variable(method, name) => match method_of(member, method)? {
                Some(func) => variable(&func, name)?,
                None => None,
            },
        };
        let Some(found) = found else {
            return Ok(None);
        };
        static WEAK: Once<Py<PyAny>> = Once::new();
        let weak = WEAK.import(member.py(), "weakref", "WeakKeyDictionary")?;
        let is_one = found.is_instance_of::<PyDict>() || found.is_instance(weak)?;
        Ok(is_one.then_some(found))
    }
}

/// An attribute, past the hooks of its class.
fn generic<'py>(
    value: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: both objects are held; the call gives a new reference or NULL with an exception set.
    unsafe {
        let found = ffi::PyObject_GenericGetAttr(value.as_ptr(), name.as_ptr());
        Bound::from_owned_ptr_or_err(value.py(), found).ok()
    }
}

fn variable<'py>(func: &Bound<'py, PyFunction>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Some(at) = free(func)?.iter().position(|free| free == name)
        && let Ok(cells) = func.getattr("__closure__")?.cast::<PyTuple>()
    {
        // An empty cell raises a ValueError.
        return Ok(cells.get_item(at)?.getattr("cell_contents").ok());
    }
    func.getattr("__globals__")?
        .cast::<PyDict>()?
        .get_item(name)
}

impl Aside {
    /// The value that is kept for an instance, if there is one.
    ///
    /// # Errors
    ///
    /// What reading the class raises.
    pub(super) fn part_of<'py>(
        &self,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = value.py();
        let base = value.get_type().mro().get_item(self.place)?;
        let member = base.getattr("__dict__")?.get_item(&self.name)?;
        let Some(mapping) = self.at.mapping(&member)? else {
            return Ok(None);
        };
        let address = (value.as_ptr() as usize).into_pyobject(py)?.into_any();
        let mut keys = vec![address.clone(), value.clone()];
        if let Ok(weak) = PyWeakrefReference::new(value) {
            keys.push(weak.into_any());
        }
        for one in [&address, value] {
            keys.push((one, &self.name).into_pyobject(py)?.into_any());
            keys.push((&self.name, one).into_pyobject(py)?.into_any());
        }
        for key in keys {
            // What has no hash is no key.
            if let Ok(true) = mapping.contains(&key) {
                return mapping.get_item(&key).map(Some);
            }
        }
        Ok(None)
    }
}
