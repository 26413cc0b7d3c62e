//! Which function it is: where it stands, what it is made of, and the state of its source.
//!
//! Two functions are one if they stand at the same site and are made of the same things: code,
//! constants, defaults, what they close over, what they are bound to, and the same of every
//! function that a wrapper wraps (F1, F2). A script that runs again makes equal ones (F3). What
//! has no key is told apart by its address, with a warning that names it, because a later run
//! cannot make an equal one.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyString, PyType};
use tenure::{Encoder, Hasher128};

use crate::encode::{self, First, Holds, Pin, Role};
use crate::log;

/// What tells a function from others; each digest means something in this process only.
pub(crate) struct Source {
    /// Its module and qualified name, for people.
    pub(crate) name: String,
    /// Its qualified name alone, as a spinner shows it.
    pub(crate) title: String,
    /// Where it stands: its module, file and name, which stay the same over an edit.
    pub(crate) site: [u8; 16],
    /// What it is made of.
    pub(crate) version: [u8; 16],
    /// The state of the files that it was read from; the name of a notebook's cell.
    pub(crate) stamp: [u8; 16],
    /// What is told apart by its address, and so must stay alive.
    pub(crate) pinned: Vec<Py<PyAny>>,
    /// What counts as it was when it was first met, and so must stay alive.
    pub(crate) firsts: Vec<Arc<First>>,
}

/// How many wrappers are followed to the function inside.
const WRAPPERS_MAX: usize = 100;

/// Reads what tells a callable from others.
///
/// # Errors
///
/// What its parts raise when they are read.
pub(crate) fn identify(py: Python<'_>, func: &Bound<'_, PyAny>, role: Role) -> PyResult<Source> {
    let layers = layers(func)?;
    let (module, qualname) = named(&layers)?;
    let name = match module.as_str() {
        "" | "__main__" => qualname.clone(),
        _ => format!("{module}.{qualname}"),
    };

    let mut site = Encoder::new();
    site.framed(1, module.as_bytes());
    site.framed(2, qualname.as_bytes());
    let mut stamp = Encoder::new();
    for layer in &layers {
        let Some(file) = file(layer)? else { continue };
        if Path::new(&file).is_file() {
            site.framed(3, file.as_bytes());
            stamp.raw(&source_state(layer, &file)?);
        } else {
            // The name of a cell or of a line of input says which state of it this is.
            stamp.framed(4, file.as_bytes());
        }
    }
    let mut version = Encoder::new();
    let Holds {
        mut pins,
        mut firsts,
    } = encode::encode_callable(py, &mut version, func, &name, role)?;
    for method in methods(&layers)? {
        let held = encode::encode_callable(py, &mut version, &method, &name, role)?;
        pins.extend(held.pins);
        firsts.extend(held.firsts);
    }
    warn(py, &name, digest(&site), &pins, role)?;
    Ok(Source {
        name,
        title: qualname,
        site: digest(&site),
        version: digest(&version),
        stamp: digest(&stamp),
        pinned: match role {
            Role::Function => pins.into_iter().map(|pin| pin.value).collect(),
            Role::Callback => Vec::new(),
        },
        firsts,
    })
}

/// The callable and what it wraps, from the outside in.
fn layers<'py>(func: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut layers = vec![func.clone()];
    while layers.len() < WRAPPERS_MAX {
        let outer = &layers[layers.len() - 1];
        let mut inner = None;
        // A wrapper, a bound or static method, a partial.
        for name in ["__wrapped__", "__func__", "func"] {
            if name == "func" && outer.get_type().name()? != "partial" {
                continue;
            }
            if let Some(found) = outer.getattr_opt(name)?
                && found.is_callable()
            {
                inner = Some(found);
                break;
            }
        }
        match inner {
            Some(inner) if !layers.iter().any(|layer| layer.is(&inner)) => layers.push(inner),
            _ => break,
        }
    }
    Ok(layers)
}

/// The methods through which layers that are no functions are called: their code counts too.
fn methods<'py>(layers: &[Bound<'py, PyAny>]) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut methods = Vec::new();
    for layer in layers {
        let (class, names): (_, &[&str]) = match layer.cast::<PyType>() {
            Ok(class) => (class.clone(), &["__init__", "__new__"]),
            Err(_) => (layer.get_type(), &["__call__"]),
        };
        for name in names {
            if let Some(method) = class.getattr_opt(*name)?
                && method.is_instance_of::<PyFunction>()
            {
                methods.push(method);
            }
        }
    }
    Ok(methods)
}

/// The module and qualified name of the outermost layer that has them, or of its class.
fn named(layers: &[Bound<'_, PyAny>]) -> PyResult<(String, String)> {
    let text = |value: &Bound<'_, PyAny>, name: &str| -> PyResult<Option<String>> {
        Ok(match value.getattr_opt(name)? {
            Some(text) => match text.cast::<PyString>() {
                Ok(text) => Some(text.to_string_lossy().into_owned()),
                Err(_) => None,
            },
            None => None,
        })
    };
    for layer in layers {
        if let Some(qualname) = text(layer, "__qualname__")? {
            return Ok((text(layer, "__module__")?.unwrap_or_default(), qualname));
        }
    }
    let class = layers[0].get_type();
    let module = text(&class, "__module__")?.unwrap_or_default();
    Ok((module, text(&class, "__qualname__")?.unwrap_or_default()))
}

/// The file that a layer's code was read from.
fn file(layer: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let code = match layer.getattr_opt("__code__")? {
        Some(code) => code,
        // An instance is called through its class.
        None => match layer
            .get_type()
            .getattr_opt("__call__")?
            .map(|call| call.getattr_opt("__code__"))
        {
            Some(Ok(Some(code))) => code,
            _ => return Ok(None),
        },
    };
    match code.getattr_opt("co_filename")? {
        Some(file) => Ok(Some(file.str()?.to_string_lossy().into_owned())),
        None => Ok(None),
    }
}

/// The state of a source file when the code in it was read: for an imported module when it was
/// first asked for, because its code stays as it is when the file changes under it, and now for a
/// script.
fn source_state(layer: &Bound<'_, PyAny>, file: &str) -> PyResult<[u8; 16]> {
    /// By file: the module's spec, and the state of the file when it was first asked for.
    type Seen = HashMap<String, (Py<PyAny>, [u8; 16])>;
    static SEEN: Mutex<Option<Seen>> = Mutex::new(None);
    let py = layer.py();
    let spec = match layer.getattr_opt("__globals__")? {
        Some(globals) => globals.call_method1("get", ("__spec__",))?,
        None => py.None().into_bound(py),
    };
    if spec.is_none() {
        return Ok(state_now(file));
    }
    {
        let seen = SEEN.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some((known, state)) = seen.as_ref().and_then(|seen| seen.get(file))
            && known.is(&spec)
        {
            return Ok(*state);
        }
    }
    let state = state_now(file);
    let replaced = {
        let mut seen = SEEN.lock().unwrap_or_else(|poison| poison.into_inner());
        seen.get_or_insert_default()
            .insert(file.to_owned(), (spec.unbind(), state))
    };
    drop(replaced);
    Ok(state)
}

fn state_now(file: &str) -> [u8; 16] {
    let mut enc = Encoder::new();
    enc.framed(1, file.as_bytes());
    if let Ok(metadata) = std::fs::metadata(file) {
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |time| time.as_nanos());
        enc.framed(2, &changed.to_le_bytes());
        enc.framed(3, &metadata.len().to_le_bytes());
    }
    digest(&enc)
}

fn digest(enc: &Encoder) -> [u8; 16] {
    let mut hasher = Hasher128::new();
    hasher.update(enc.as_bytes());
    hasher.finish().to_le_bytes()
}

/// Says once per site and variable that something is told apart by which object it is. In a
/// callback that does no harm while it is one object, so there the second one gives the warning.
fn warn(py: Python<'_>, name: &str, site: [u8; 16], pins: &[Pin], role: Role) -> PyResult<()> {
    /// The sites with the names of their variables, and how many objects each has held.
    type Warned = HashMap<([u8; 16], String), u8>;
    static WARNED: Mutex<Option<Warned>> = Mutex::new(None);
    let at = match role {
        Role::Function => 1,
        Role::Callback => 2,
    };
    for pin in pins {
        let met = {
            let mut warned = WARNED.lock().unwrap_or_else(|poison| poison.into_inner());
            let met = warned
                .get_or_insert_default()
                .entry((site, pin.name.clone()))
                .or_default();
            *met = met.saturating_add(1);
            *met
        };
        if met == at {
            let text = format!(
                "`{name}` holds `{variable}`, {reason}. It is told apart by its identity, so \
                 another run of this code finds nothing of what this one caches. To avoid that, \
                 pass it as an argument whose name begins with an underscore, or keep it in a \
                 module.",
                variable = pin.name,
                reason = pin.reason,
            );
            log::warn(py, &text, log::Caller::Above)?;
        }
    }
    Ok(())
}
