//! The fields that a class holds beside what it says its state is.
//!
//! A class that says how it is pickled knows its own fields and those of its bases. What a class derived
//! from it adds, or a program by hand, it knows nothing of (K7). So what its own code stores is its own
//! business, caches and connections among it, and what its state names counts there; any other field counts
//! beside. The same holds for the classes of libraries that have a [kind](super::kinds) of their own.

use super::bytecode;
use super::class::{self, is_heap};
use super::members::{self, Described};
use super::names::{is_standard, module_root};
use crate::program::modules;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyMapping, PyModule, PyString, PyTuple, PyType};
use std::collections::HashSet;

/// How deep in a reduction a dict is looked for that holds the fields.
const DEPTH_MAX: usize = 3;
/// How many members of a list or a tuple are looked at for one.
const MEMBERS_MAX: usize = 16;
/// How many functions one inside the other are looked through.
const WRAPPED_MAX: usize = 4;

/// What a class knows of its instances, and where others may have added to it.
pub(super) struct Untold {
    stored: HashSet<String>,
    /// The slots of classes that derive from it.
    pub(super) slots: Vec<Described>,
}

impl Untold {
    /// Whether code of the class stores a field of this name, or leaves it out by its name.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.stored.contains(name)
    }
}

/// What is beside the state that a class says itself; `None` if it leaves that to `object`.
///
/// # Errors
///
/// What reading the class raises.
pub(super) fn of_reduced(class: &Bound<'_, PyType>) -> PyResult<Option<Untold>> {
    let py = class.py();
    let registered = py.import("copyreg")?.getattr("dispatch_table")?;
    if registered.contains(class)? {
        return beside(class, class).map(Some);
    }
    let object = py.get_type::<PyAny>();
    for base in class.mro() {
        let base = base.cast_into::<PyType>()?;
        if base.is(&object) {
            break;
        }
        let own = base.getattr("__dict__")?;
        for name in STATE {
            if own.contains(name)? {
                return beside(class, &made_by_itself(class, base.clone())?).map(Some);
            }
        }
    }
    Ok(None)
}

/// The class that says the state, or what its own library has made of it while the program ran: a class that
/// stores nothing itself, for what the other finds out the names of, as an event's listeners.
fn made_by_itself<'py>(
    class: &Bound<'py, PyType>,
    says: Bound<'py, PyType>,
) -> PyResult<Bound<'py, PyType>> {
    let module = says.getattr("__module__")?;
    if !module.eq(class.getattr("__module__")?)? || installed(&module)?.is_none() {
        return Ok(says);
    }
    let mut stored = HashSet::new();
    for base in class.mro() {
        let base = base.cast_into::<PyType>()?;
        if base.is(&says) {
            break;
        }
        of_class(&base, &mut stored)?;
    }
    Ok(match stored.is_empty() {
        true => class.clone(),
        false => says,
    })
}

/// What is beside that which a known class is written as; `None` for the classes of its library.
///
/// # Errors
///
/// What reading the class raises.
pub(super) fn of_known(
    class: &Bound<'_, PyType>,
    known: &Bound<'_, PyType>,
) -> PyResult<Option<Untold>> {
    let own = library_of(known)?;
    for base in class.mro() {
        let base = base.cast_into::<PyType>()?;
        if base.is(known) || library_of(&base)? == own {
            return Ok(match base.is(class) {
                true => None,
                false => Some(beside(class, &base)?),
            });
        }
    }
    Ok(None)
}

/// The methods by which a class says what its instances are made anew from.
const STATE: [&str; 3] = ["__reduce_ex__", "__reduce__", "__getstate__"];

/// The package that a class is of; all of the standard library is one.
fn library_of(class: &Bound<'_, PyType>) -> PyResult<Option<String>> {
    let module = class.getattr("__module__")?;
    Ok(match is_standard(module.clone())? {
        true => Some(String::new()),
        false => module_root(&module),
    })
}

/// What is beside that which `says` knows of its instances and those of its bases.
fn beside(class: &Bound<'_, PyType>, says: &Bound<'_, PyType>) -> PyResult<Untold> {
    let mut slots = Vec::new();
    for (place, base) in class.mro().iter().enumerate() {
        let base = base.cast_into::<PyType>()?;
        if !says.is_subclass(&base)? {
            members::own_members(place, &base, &mut slots)?;
        }
    }
    let mut stored = HashSet::new();
    let foreign = class.is(says) || library_of(class)? != library_of(says)?;
    for base in says.mro() {
        let base = base.cast_into::<PyType>()?;
        // A compiled class stores nothing in a dict.
        if !is_heap(&base) {
            continue;
        }
        of_class(&base, &mut stored)?;
        let module = base.getattr("__module__")?;
        if foreign && let Some(module) = installed(&module)? {
            of_library(&base, &module, says, &mut stored)?;
        }
    }
    for name in STATE {
        for said in class::all_answering(says, name)? {
            left_out(class, &said, &mut stored)?;
        }
    }
    Ok(Untold { stored, slots })
}

/// Adds what the code of a class stores in its instances, and where its descriptors keep what they give.
fn of_class(class: &Bound<'_, PyType>, stored: &mut HashSet<String>) -> PyResult<()> {
    for (name, member) in class::own_items(class)? {
        of_member(&member, stored)?;
        let kind = member.get_type();
        if is_heap(&kind)
            && class::is_in_class(&kind, "__get__")?
            && !class::is_in_class(&kind, "__set__")?
        {
            stored.insert(name.to_string());
        }
    }
    Ok(())
}

/// Adds what a library's own module stores in instances of its class, and the fields that the class names.
fn of_library<'py>(
    class: &Bound<'py, PyType>,
    module: &Bound<'py, PyModule>,
    says: &Bound<'py, PyType>,
    stored: &mut HashSet<String>,
) -> PyResult<()> {
    for (name, member) in class::own_items(class)? {
        if !member.is_callable() && !class::is_in_class(&member.get_type(), "__get__")? {
            stored.insert(name.to_string());
        }
    }
    if let Some(annotations) = class
        .getattr("__dict__")?
        .cast::<PyMapping>()?
        .get_item("__annotations__")
        .ok()
        && let Ok(annotations) = annotations.cast::<PyDict>()
    {
        stored.extend(
            annotations
                .keys()
                .iter()
                .filter_map(|name| name.extract().ok()),
        );
    }
    let own = module.name()?;
    let is_own = |value: &Bound<'py, PyAny>| {
        value
            .getattr("__module__")
            .is_ok_and(|module| module.eq(&own).unwrap_or(false))
    };
    for value in module.dict().values() {
        if let Ok(other) = value.cast::<PyType>() {
            if is_own(&value) && !other.is_subclass(says)? {
                for (_, member) in class::own_items(other)? {
                    of_member(&member, stored)?;
                }
            }
        } else if value.is_instance_of::<PyFunction>() && is_own(&value) {
            of_member(&value, stored)?;
        }
    }
    Ok(())
}

/// A module of the standard library or of a package that was installed.
fn installed<'py>(name: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyModule>>> {
    let py = name.py();
    let Some(module) = modules::all(py).get_item(name)? else {
        return Ok(None);
    };
    let Ok(module) = module.cast_into::<PyModule>() else {
        return Ok(None);
    };
    let file: Option<String> = match module.dict().get_item("__file__")? {
        Some(file) => file.extract().ok(),
        None => None,
    };
    let is_installed = file.is_some_and(|file| {
        ["site-packages", "dist-packages"]
            .iter()
            .any(|folder| file.contains(folder))
    });
    Ok((is_installed || is_standard(name.clone())?).then_some(module))
}

/// Adds what a function, or what wraps some, stores in instances.
fn of_member(member: &Bound<'_, PyAny>, stored: &mut HashSet<String>) -> PyResult<()> {
    for func in functions(member)? {
        let code = func.getattr("__code__")?;
        stored.extend(bytecode::stored(code.cast::<PyCode>()?)?);
    }
    Ok(())
}

/// A function, or those that are in what wraps some: a property, a method of a class, a decorated one.
fn functions<'py>(member: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyFunction>>> {
    let mut found: Vec<Bound<'py, PyFunction>> = Vec::new();
    let mut around = vec![member.clone()];
    for _ in 0..WRAPPED_MAX {
        for part in std::mem::take(&mut around) {
            if let Ok(func) = part.cast::<PyFunction>() {
                if found.iter().any(|it| it.is(func)) {
                    continue;
                }
                found.push(func.clone());
                if let Ok(cells) = func.getattr("__closure__")?.cast::<PyTuple>() {
                    let held = cells
                        .iter()
                        .filter_map(|cell| cell.getattr("cell_contents").ok());
                    around.extend(held.filter(|it| it.is_instance_of::<PyFunction>()));
                }
            } else if !part.is_instance_of::<PyType>() && part.get_type().hasattr("__get__")? {
                for name in ["fget", "fset", "fdel", "func", "__func__", "__wrapped__"] {
                    // Only what built-in and standard wrappers keep: a look must run nothing of the user's.
                    if is_standard(part.get_type().getattr("__module__")?)?
                        && let Some(inner) = part.getattr_opt(name)?
                    {
                        around.push(inner);
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Adds the names that a method which says the state has at hand: in its constants, and in the lists of them
/// that it reads from its class or its module.
fn left_out(
    class: &Bound<'_, PyType>,
    said: &Bound<'_, PyAny>,
    stored: &mut HashSet<String>,
) -> PyResult<()> {
    for func in functions(said)? {
        let code = func.getattr("__code__")?;
        let code = code.cast::<PyCode>()?;
        stored.extend(bytecode::texts(code)?);
        let globals = func.getattr("__globals__")?;
        for name in bytecode::read(code)?.names {
            let listed = match globals.cast::<PyDict>()?.get_item(&name)? {
                Some(listed) => vec![listed],
                None => class::all_answering(class, &name)?,
            };
            for listed in listed {
                stored.extend(texts_in(&listed));
            }
        }
    }
    Ok(())
}

/// The strings in a list, a tuple or a set of built-in type.
fn texts_in(listed: &Bound<'_, PyAny>) -> Vec<String> {
    let is_list = ["list", "tuple", "set", "frozenset"]
        .iter()
        .any(|name| listed.get_type().name().is_ok_and(|it| it == *name));
    if !is_list {
        return Vec::new();
    }
    let items = listed.try_iter().into_iter().flatten().flatten();
    items.filter_map(|item| item.extract().ok()).collect()
}

/// Whether a reduction tells a field: its state has the name, or something else in it has the very value
/// under it.
///
/// # Errors
///
/// What reading the dicts in it raises.
pub(super) fn is_told(
    parts: &Bound<'_, PyTuple>,
    name: &Bound<'_, PyString>,
    field: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    if let Ok(state) = parts.get_item(2) {
        if let Ok(dict) = state.cast::<PyDict>() {
            if dict.contains(name)? {
                return Ok(true);
            }
        } else if let Ok(pair) = state.cast_exact::<PyTuple>()
            && pair.len() == 2
            && pair
                .iter()
                .all(|it| it.is_none() || it.is_exact_instance_of::<PyDict>())
        {
            for dict in pair.iter() {
                if dict
                    .cast::<PyDict>()
                    .is_ok_and(|dict| dict.contains(name).unwrap_or(false))
                {
                    return Ok(true);
                }
            }
        }
    }
    for part in parts.iter().skip(1).take(2) {
        if holds(&part, name, field, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn holds(
    part: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    field: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<bool> {
    if let Ok(dict) = part.cast_exact::<PyDict>() {
        return Ok(dict.get_item(name)?.is_some_and(|it| it.is(field)));
    }
    if depth < DEPTH_MAX
        && let Ok(tuple) = part.cast_exact::<PyTuple>()
    {
        for inner in tuple.iter().take(MEMBERS_MAX) {
            if holds(&inner, name, field, depth + 1)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
