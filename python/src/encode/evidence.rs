//! The evidence that code answers differently to everyone who asks: what it can lead to.

use super::class::{self, is_heap};
use super::members;
use super::names::full_name;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyList, PyMapping, PyModule, PyString, PyTuple, PyType};

/// How many members of a list or a dict are looked at.
pub(super) const MEMBERS_MAX: usize = 64;

/// The values of a function's parameters where a call leaves them out, with their names.
pub(super) fn defaults<'py>(
    func: &Bound<'py, PyFunction>,
    code: &Bound<'py, PyAny>,
) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    let mut defaults = Vec::new();
    if let Ok(positional) = func.getattr("__defaults__")?.cast::<PyTuple>() {
        let names: Vec<String> = code.getattr("co_varnames")?.extract()?;
        let count: usize = code.getattr("co_argcount")?.extract()?;
        let without = count.saturating_sub(positional.len());
        defaults.extend(names.into_iter().skip(without).zip(positional.iter()));
    }
    if let Ok(named) = func.getattr("__kwdefaults__")?.cast::<PyDict>() {
        for (name, default) in named.iter() {
            defaults.push((name.extract()?, default));
        }
    }
    Ok(defaults)
}

/// Whether what code finds under a name may be something else each time, or hold something else.
pub(super) fn may_change(value: &Bound<'_, PyAny>) -> bool {
    let class = value.get_type();
    let is_fixed = value.is_none()
        || value.is_instance_of::<PyType>()
        || value.is_instance_of::<PyModule>()
        || value.is_instance_of::<PyFunction>()
        || value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyTuple>()
        || matches!(
            &*full_name(class.as_type_ptr()),
            "builtins.int"
                | "builtins.float"
                | "builtins.bool"
                | "builtins.bytes"
                | "builtins.frozenset"
                | "builtins.builtin_function_or_method"
                | "re.Pattern"
        );
    !is_fixed
}

/// The kind of an object that answers differently to everyone who asks; `None` for any other.
pub(super) fn differs(value: &Bound<'_, PyAny>) -> PyResult<Option<&'static str>> {
    let class = value.get_type();
    for base in class.mro() {
        match &*full_name(base.as_ptr().cast()) {
            "_contextvars.ContextVar" => return Ok(Some("context variable")),
            "_thread._local" => return Ok(Some("thread-local")),
            _ => {}
        }
    }
    if class::claims(&class)? && class::is_in_class(&class, "_get_current_object")? {
        return Ok(Some("stand-in"));
    }
    let is_built_in = full_name(class.as_type_ptr()) == "builtins.builtin_function_or_method";
    if is_built_in
        && let Some(owner) = value.getattr_opt("__self__")?
        && !owner.is_instance_of::<PyModule>()
    {
        return differs(&owner);
    }
    if is_built_in || value.is_instance_of::<PyFunction>() {
        let name = (
            value
                .getattr("__module__")?
                .str()?
                .to_string_lossy()
                .into_owned(),
            value
                .getattr("__name__")?
                .str()?
                .to_string_lossy()
                .into_owned(),
        );
        let asks = matches!(
            (&*name.0, &*name.1),
            ("_thread", "get_ident" | "get_native_id")
                | ("threading", "current_thread" | "currentThread")
                | ("_asyncio" | "asyncio.tasks", "current_task")
                | ("_contextvars", "copy_context")
                | ("greenlet._greenlet", "getcurrent")
        );
        return Ok(asks.then_some("function"));
    }
    Ok(None)
}

/// Anything in an object's own fields that differs by who asks; where it may be called, a step
/// further in, as for one that answers by a hook.
pub(super) fn told_by(value: &Bound<'_, PyAny>, may_be_called: bool) -> PyResult<Option<String>> {
    let class = value.get_type();
    let hooked = class::is_in_class(&class, "__getattr__")?
        || may_be_called && class::is_in_class(&class, "__call__")?;
    for inner in own_values(value)? {
        for inner in std::iter::once(inner.clone()).chain(held_in(&inner)) {
            if let Some(what) = differs(&inner)? {
                return Ok(Some(format!("a {what}")));
            }
        }
        if hooked && is_heap(&inner.get_type()) {
            for store in own_values(&inner)? {
                if let Some(what) = differs(&store)? {
                    return Ok(Some(format!("a {what}")));
                }
            }
        }
    }
    Ok(None)
}

/// The first members of a list, a tuple or a dict.
pub(super) fn held_in<'py>(value: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        dict.iter().take(MEMBERS_MAX).map(|(_, it)| it).collect()
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        list.iter().take(MEMBERS_MAX).collect()
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        tuple.iter().take(MEMBERS_MAX).collect()
    } else {
        Vec::new()
    }
}

/// The values of an object's dict and slots, read past whatever its class makes of attributes.
pub(super) fn own_values<'py>(value: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut values = Vec::new();
    if let Some(dict) = class::own_dict(value)? {
        values.extend(dict.values());
    }
    for base in value.get_type().mro() {
        for item in base.getattr("__dict__")?.cast::<PyMapping>()?.items()? {
            let (_, member): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            if members::is_member(&member)
                // A slot that is not set raises an AttributeError.
                && let Ok(value) = member.call_method1("__get__", (value,))
            {
                values.push(value);
            }
        }
    }
    Ok(values)
}
