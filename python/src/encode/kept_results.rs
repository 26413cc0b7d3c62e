//! Results that are kept among an object's attributes: those of a `cached_property`, and the
//! accessors of data libraries.
//!
//! They follow from the rest, so leaving them out keeps an object equal to itself when one is
//! read. But the attribute may as well have been assigned, and then it says what the object is.
//! Which it was is asked of the value, never of a name: an accessor is of the class that its
//! descriptor makes, and a result is what the property's function gives now, where that function
//! can be seen to use nothing but plain fields of the object. What cannot be told counts.

use super::bytecode;
use super::class::{self, own_dict};
use super::members;
use crate::program::modules;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyMapping, PyModule, PySet, PyString, PyType};

/// An attribute that may hold a result, and how that is told. Names only: the class itself is asked
/// for what it has under them.
pub(super) struct Kept {
    pub(super) name: Py<PyString>,
    pub(super) how: How,
}

pub(super) enum How {
    /// It is of the class that its descriptor makes.
    Made,
    /// It is what its function gives, which uses these fields and nothing else.
    Given(Vec<Py<PyString>>),
}

/// The descriptors that keep what they give in the dict of the instance, each by its module and
/// name there: whose results are calculated, and whose are of a class that it holds.
const PROPERTIES: [(&str, &str); 3] = [
    ("functools", "cached_property"),
    ("werkzeug.utils", "cached_property"),
    ("django.utils.functional", "cached_property"),
];
const ACCESSORS: [(&str, &str); 4] = [
    ("pandas.core.accessor", "CachedAccessor"),
    ("pandas.core.accessor", "Accessor"),
    ("polars.api", "NameSpace"),
    ("xarray.core.extensions", "_CachedAccessor"),
];

/// Built-in functions that give something new from what they are given, and change nothing.
const FUNCTIONS: [&str; 20] = [
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "dict",
    "float",
    "frozenset",
    "int",
    "len",
    "list",
    "max",
    "min",
    "range",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
];
/// Methods of built-in values of which the same is true.
pub(super) const METHODS: [&str; 24] = [
    "casefold",
    "copy",
    "count",
    "decode",
    "encode",
    "endswith",
    "format",
    "get",
    "hex",
    "index",
    "items",
    "join",
    "keys",
    "lower",
    "lstrip",
    "replace",
    "rsplit",
    "rstrip",
    "split",
    "startswith",
    "strip",
    "title",
    "upper",
    "values",
];

/// The attributes of a class's instances that may hold results.
///
/// # Errors
///
/// What reading the class raises.
pub(super) fn of_class(class: &Bound<'_, PyType>) -> PyResult<Vec<Kept>> {
    let py = class.py();
    let mut kept = Vec::new();
    let properties = loaded(py, &PROPERTIES)?;
    let accessors = loaded(py, &ACCESSORS)?;
    let names = PySet::empty(py)?;
    for base in class.mro() {
        for item in base.getattr("__dict__")?.cast::<PyMapping>()?.items()? {
            let (name, member): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let Ok(name) = name.cast_into_exact::<PyString>() else {
                continue;
            };
            if names.contains(&name)? {
                continue;
            }
            names.add(&name)?;
            let derives = |of: &[Bound<'_, PyAny>]| {
                member
                    .get_type()
                    .mro()
                    .iter()
                    .any(|base| of.iter().any(|kind| kind.is(&base)))
            };
            let how = if derives(&properties) {
                match inner_function(&member)? {
                    Some(func) => given(class, &func)?,
                    None => None,
                }
            } else if derives(&accessors) {
                made(&member)?.map(|_| How::Made)
            } else {
                None
            };
            if let Some(how) = how {
                kept.push(Kept {
                    name: name.unbind(),
                    how,
                });
            }
        }
    }
    Ok(kept)
}

/// The slot of an attrs class that may hold the result of this function.
///
/// # Errors
///
/// What reading the class raises.
pub(super) fn in_slot(
    class: &Bound<'_, PyType>,
    name: &Bound<'_, PyString>,
) -> PyResult<Option<Kept>> {
    let Some(func) = slot_function(class, name)? else {
        return Ok(None);
    };
    Ok(given(class, &func)?.map(|how| Kept {
        name: name.clone().unbind(),
        how,
    }))
}

/// The function that calculates what an attrs class keeps in a slot.
fn slot_function<'py>(
    class: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyFunction>>> {
    // attrs makes a hook that calculates them, and gives it their functions as a global.
    let Some(hook) = class::answering(class, "__getattr__")? else {
        return Ok(None);
    };
    let Ok(hook) = hook.cast_into::<PyFunction>() else {
        return Ok(None);
    };
    let globals = hook.getattr("__globals__")?;
    let Some(functions) = globals.cast::<PyDict>()?.get_item("cached_properties")? else {
        return Ok(None);
    };
    let Ok(functions) = functions.cast::<PyDict>() else {
        return Ok(None);
    };
    let func = functions.get_item(name)?;
    Ok(func.and_then(|func| func.cast_into::<PyFunction>().ok()))
}

/// Those of some classes whose modules have been imported.
fn loaded<'py>(py: Python<'py>, classes: &[(&str, &str)]) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let modules = modules::all(py);
    let mut found = Vec::new();
    for (module, name) in classes {
        if let Some(module) = modules.get_item(module)?
            // In its dict, past what the module makes of names that it no longer has.
            && let Ok(module) = module.cast::<PyModule>()
            && let Some(class) = module.dict().get_item(*name)?
        {
            found.push(class);
        }
    }
    Ok(found)
}

fn inner_function<'py>(member: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyFunction>>> {
    for name in ["func", "fget"] {
        if let Some(func) = member.getattr_opt(name)?
            && let Ok(func) = func.cast_into::<PyFunction>()
        {
            return Ok(Some(func));
        }
    }
    Ok(None)
}

/// The class of what an accessor makes.
pub(super) fn made<'py>(member: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyType>>> {
    let dict = own_dict(member)?;
    let held = dict.iter().flat_map(|dict| dict.values());
    Ok(held
        .filter_map(|value| value.cast_into::<PyType>().ok())
        .next())
}

/// The function that calculates what is kept under a name.
pub(super) fn function_of<'py>(
    class: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyFunction>>> {
    if let Some(member) = class::answering(class, name.to_str()?)?
        && let Some(func) = inner_function(&member)?
    {
        return Ok(Some(func));
    }
    slot_function(class, name)
}

/// Whether a function of an instance uses constants and fields only, as far as its class can
/// tell.
fn given(class: &Bound<'_, PyType>, func: &Bound<'_, PyFunction>) -> PyResult<Option<How>> {
    let py = class.py();
    let code = func.getattr("__code__")?;
    let globals = func.getattr("__globals__")?;
    let Some(names) = bytecode::straight(code.cast::<PyCode>()?)? else {
        return Ok(None);
    };
    for name in &names.globals {
        if !FUNCTIONS.contains(&name.as_str()) || globals.contains(name)? {
            return Ok(None);
        }
    }
    if class::differs_from_object(class, &["__getattribute__"])? {
        return Ok(None);
    }
    let mut fields = Vec::new();
    for name in &names.attributes {
        if let Some(member) = class::answering(class, name)?
            && !members::is_member(&member)
            && !is_plain(&member)?
        {
            return Ok(None);
        }
        fields.push(PyString::intern(py, name).unbind());
    }
    Ok(Some(How::Given(fields)))
}

/// Whether a value is built in, or holds such values only: what is done with it runs no code of
/// the user's.
pub(super) fn is_plain(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if is_scalar(value) {
        return Ok(true);
    }
    // SAFETY: the addresses of the built-in classes are only compared.
    let class = value.get_type().as_type_ptr();
    if class == &raw mut ffi::PyDict_Type {
        let dict = value.cast::<PyDict>()?;
        return Ok(dict
            .iter()
            .all(|(key, value)| is_scalar(&key) && is_scalar(&value)));
    }
    let sequence = [
        &raw mut ffi::PyList_Type,
        &raw mut ffi::PyTuple_Type,
        &raw mut ffi::PySet_Type,
        &raw mut ffi::PyFrozenSet_Type,
    ];
    if !sequence.contains(&class) {
        return Ok(false);
    }
    for item in value.try_iter()? {
        if !is_scalar(&item?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_scalar(value: &Bound<'_, PyAny>) -> bool {
    let class = value.get_type().as_type_ptr();
    value.is_none()
        || [
            &raw mut ffi::PyBool_Type,
            &raw mut ffi::PyLong_Type,
            &raw mut ffi::PyFloat_Type,
            &raw mut ffi::PyUnicode_Type,
            &raw mut ffi::PyBytes_Type,
        ]
        .contains(&class)
}
