//! The user's own rules: `hash_funcs`, by class or by fully-qualified name.
//!
//! A class is kept by its name as well, so that the class of the same name that a re-run script
//! defines anew is still meant. As on the reference page a rule is for exactly its class, not for
//! those derived from it.
#![allow(unsafe_code)]

use super::names::{class_of, full_name, type_name};
use crate::caller::user_code;
use crate::life::arity::{self, Use};
use crate::process::once::intern;
use crate::words::{code, errors};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString, PyType};

const EXAMPLE: &str = "Write hash_funcs={Person: lambda person: person.id} or \
                       hash_funcs={\"module.Person\": lambda person: person.id}.";

/// The functions that a user gave for classes.
pub(crate) struct HashFuncs {
    rules: Vec<HashFunc>,
}

/// One of them.
pub(super) struct HashFunc {
    /// The class, where one was given.
    class: Option<Py<PyType>>,
    /// Its module and qualified name.
    pub(super) name: String,
    func: Py<PyAny>,
}

impl HashFuncs {
    /// Reads the decorator's parameter. An empty dict is the same as none.
    ///
    /// # Errors
    ///
    /// A `TypeError` or `ValueError` that says what to write, if it is not a dict, a key is neither a class nor a
    /// fully-qualified name, or a value cannot be called.
    pub(crate) fn new(_py: Python<'_>, funcs: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if funcs.is_none() {
            return Ok(None);
        }
        let Ok(dict) = funcs.cast::<PyDict>() else {
            return Err(errors::setting_type(
                funcs.py(),
                format!(
                    "hash_funcs is of type {}: it must be a dict. {EXAMPLE}",
                    class_of(funcs)
                ),
            ));
        };
        let mut rules = Vec::with_capacity(dict.len());
        for (key, func) in dict.iter() {
            let (class, name) = if let Ok(class) = key.cast::<PyType>() {
                let name = full_name(class.as_type_ptr());
                (Some(class.clone().unbind()), name)
            } else if let Some(class) = class_with_parameters(&key)? {
                let name = full_name(class.as_type_ptr());
                (Some(class.unbind()), name)
            } else if let Ok(name) = key.cast::<PyString>() {
                let name = name.to_str()?.to_owned();
                let well_formed =
                    name.contains('.') && name.split('.').all(|part| !part.is_empty());
                if !well_formed {
                    return Err(errors::setting_value(
                        funcs.py(),
                        format!(
                            "hash_funcs has the key {name:?}, which is not a fully-qualified name: \
                         it needs the module too, as in \"__main__.Person\" or \
                         \"builtins.int\". {EXAMPLE}"
                        ),
                    ));
                }
                (None, name)
            } else {
                return Err(errors::setting_type(
                    funcs.py(),
                    format!(
                        "hash_funcs has a key of type {}: its keys are classes or their \
                     fully-qualified names. {EXAMPLE}",
                        class_of(&key)
                    ),
                ));
            };
            if !func.is_callable() {
                return Err(errors::setting_type(
                    funcs.py(),
                    format!(
                        "hash_funcs[{name}] is of type {}, which cannot be called: it must be a \
                     function that takes the object. {EXAMPLE}",
                        class_of(&func)
                    ),
                ));
            }
            arity::check(&Use {
                setting: &format!("hash_funcs[{name}]"),
                given: &["the argument"],
                example: "hash_funcs={Person: lambda person: person.id}",
                callable: &func,
            })?;
            rules.push(HashFunc {
                class,
                name,
                func: func.unbind(),
            });
        }
        Ok((!rules.is_empty()).then_some(Self { rules }))
    }

    /// Shows the collector what this holds.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for rule in &self.rules {
            visit.call(&rule.class)?;
            visit.call(&rule.func)?;
        }
        Ok(())
    }

    /// Whether a rule is for the class of a live object.
    pub(super) fn covers(&self, value: *mut ffi::PyObject) -> bool {
        // SAFETY: the caller keeps the value alive.
        let class = unsafe { ffi::Py_TYPE(value) };
        class != &raw mut ffi::PyBytes_Type && self.find(class).is_some()
    }

    pub(super) fn find(&self, class: *mut ffi::PyTypeObject) -> Option<&HashFunc> {
        // Most classes that an argument is made of have no rule, so the cheap tests come first.
        // SAFETY: `class` is the class of a live object.
        let tail = unsafe { type_name(class) };
        self.rules.iter().find(|rule| {
            rule.class
                .as_ref()
                .is_some_and(|own| own.as_ptr() == class.cast())
                || (rule.name.ends_with(tail) && rule.name == full_name(class))
        })
    }
}

impl HashFunc {
    pub(super) fn call<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        user_code::room()?;
        user_code::apply(self.func.bind(value.py()), [value])
    }

    /// Whether what it has given means something in this process alone: where an object lies, or a hash that
    /// Python salts. Of a function that makes such a thing its own way nobody can know that.
    pub(super) fn is_of_process<'py>(
        &self,
        value: &Bound<'py, PyAny>,
        result: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let py = value.py();
        let hash = py.import(intern!(py, "builtins"))?.getattr("hash")?;
        let address = || result.extract::<usize>().ok();
        Ok(self.func.is(&hash)
            || result.is_exact_instance_of::<PyInt>() && address() == Some(value.as_ptr().addr()))
    }

    /// The name that a user would call the function by.
    pub(super) fn shown(&self, py: Python<'_>) -> String {
        code::name_of(self.func.bind(py))
    }
}

/// The class that a type such as `list[int]` gives parameters to. Instances do not know them, so
/// the rule is for the class.
fn class_with_parameters<'py>(key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyType>>> {
    if key.is_instance_of::<PyString>() || key.getattr_opt("__args__")?.is_none() {
        return Ok(None);
    }
    let origin = key.getattr_opt("__origin__")?;
    Ok(origin.and_then(|origin| origin.cast_into::<PyType>().ok()))
}
