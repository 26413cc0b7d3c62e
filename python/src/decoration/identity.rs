//! Which function it is: where it stands and what it is made of.
//!
//! Two functions are one if they stand at the same site and are made of the same things: code,
//! constants, defaults, what they close over, what they are bound to, and the same of every
//! function that a wrapper wraps (F1, F2). A script that runs again makes equal ones (F3). What
//! has no key is told apart by its address, with a warning that names it, because a later run
//! cannot make an equal one.
#![allow(unsafe_code)]

use std::path::Path;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyCode, PyFunction, PyString, PyType};
use tenure::Encoder;
use tenure::front::Digests;

use crate::decoration::files::is_from_file;
use crate::encode::{self, First, Holds, Pin, Role};
use crate::words::log;

/// The digests that tell a function from others; each means something in this process only.
pub(crate) struct Source {
    /// Where it stands.
    pub(crate) site: [u8; 16],
    /// The digest of what it is made of.
    pub(crate) version: [u8; 16],
    /// The variables that it and the functions in it close over, and their defaults, with the
    /// digest of what each holds.
    pub(crate) captured: Vec<(String, u128)>,
    /// Objects told apart by their addresses, which so must stay alive.
    pub(crate) pinned: Vec<Py<PyAny>>,
    /// Objects that count as they were when they were first met, and so must stay alive.
    pub(crate) firsts: Vec<Arc<First>>,
}

/// How many wrappers are followed to the function inside.
const WRAPPERS_MAX: usize = 100;

/// A callable as it stands in its program, which nothing that it holds changes.
pub(crate) struct Place<'py> {
    /// Its module and qualified name, for people.
    pub(crate) name: String,
    /// Its qualified name alone, as a spinner shows it.
    pub(crate) title: String,
    /// Its module and qualified name, whatever the module.
    pub(crate) full_name: String,
    /// Its module, file and name, which stay the same over an edit.
    pub(crate) site: [u8; 16],
    /// Its module and qualified name, as every process that runs this program has them.
    pub(crate) known_as: String,
    /// The callable and what it wraps, from the outside in.
    pub(crate) layers: Vec<Bound<'py, PyAny>>,
}

impl<'py> Place<'py> {
    pub(crate) fn of(func: &Bound<'py, PyAny>) -> PyResult<Self> {
        let layers = layers(func)?;
        let (module, title) = named(&layers)?;
        let name = match module.as_str() {
            "" | "__main__" => title.clone(),
            _ => format!("{module}.{title}"),
        };
        let full_name = format!("{module}.{title}");
        let mut site = Encoder::with(Digests::Own);
        site.framed(1, module.as_bytes());
        site.framed(2, title.as_bytes());
        for layer in &layers {
            let Some(code) = code_of(layer)? else {
                continue;
            };
            let file = code.getattr("co_filename")?.str()?;
            let file = file.to_string_lossy();
            // Each run of a cell or of a line of input has another name in the place of a file.
            if is_from_file(func.py(), &file) {
                site.framed(3, file.as_bytes());
            }
        }
        let known_as = match module.as_str() {
            "__main__" | "__mp_main__" => format!("{}.{title}", script(&layers)?),
            _ => format!("{module}.{title}"),
        };
        Ok(Self {
            name,
            title,
            full_name,
            known_as,
            site: digest(&site),
            layers,
        })
    }
}

/// The name of the script that a function stands in: that of the module that it is run as, or of its file.
fn script(layers: &[Bound<'_, PyAny>]) -> PyResult<String> {
    for layer in layers {
        if let Some(globals) = layer.getattr_opt("__globals__")? {
            let spec = globals.call_method1("get", ("__spec__",))?;
            if let Some(name) = spec.getattr_opt("name")?
                && let Ok(name) = name.extract::<String>()
                && name != "__main__"
            {
                return Ok(name);
            }
        }
        if let Some(code) = code_of(layer)? {
            let file = code.getattr("co_filename")?.str()?;
            let file = file.to_string_lossy().into_owned();
            let stem = Path::new(&file).file_stem();
            return Ok(stem.map_or(file.clone(), |it| it.to_string_lossy().into_owned()));
        }
    }
    Ok("__main__".to_owned())
}

/// Whether a callable closes over variables: each of them has the value that counts when the function
/// is first used, and may have none before.
pub(crate) fn closes_over(layers: &[Bound<'_, PyAny>]) -> PyResult<bool> {
    for layer in layers {
        if let Some(closure) = layer.getattr_opt("__closure__")?
            && !closure.is_none()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads what tells a callback from others, of a function that is decorated at this site.
///
/// # Errors
///
/// What its parts raise when they are read.
pub(crate) fn identify_callback(
    py: Python<'_>,
    callback: &Bound<'_, PyAny>,
    decorated: [u8; 16],
) -> PyResult<Source> {
    let Place { name, site, .. } = Place::of(callback)?;
    // Methods of a class in C all stand at one site, whatever functions they are callbacks of.
    let told_at = Digests::Own.of(&[decorated, site].concat()).to_le_bytes();
    read(py, callback, &name, site, Role::Callback, told_at)
}

/// Reads what tells a function from others that is decorated at this site.
///
/// # Errors
///
/// What its parts raise when they are read.
pub(crate) fn identify(
    py: Python<'_>,
    func: &Bound<'_, PyAny>,
    name: &str,
    site: [u8; 16],
) -> PyResult<Source> {
    read(py, func, name, site, Role::Function, site)
}

/// Reads a callable. What is to be said of it is said once for each `told_at`.
fn read<'py>(
    py: Python<'py>,
    func: &Bound<'py, PyAny>,
    name: &str,
    site: [u8; 16],
    role: Role,
    told_at: [u8; 16],
) -> PyResult<Source> {
    let layers = layers(func)?;
    let mut version = Encoder::with(Digests::Own);
    let Holds {
        mut pins,
        mut firsts,
        mut captured,
    } = encode::encode_callable(py, &mut version, func, name, role)?;
    for method in methods(&layers)? {
        let held = encode::encode_callable(py, &mut version, &method, name, role)?;
        pins.extend(held.pins);
        firsts.extend(held.firsts);
        captured.extend(held.captured);
    }
    warn(py, name, told_at, &pins, role)?;
    Ok(Source {
        site,
        version: digest(&version),
        captured,
        pinned: match role {
            Role::Function => pins.into_iter().map(|pin| pin.value).collect(),
            Role::Callback => Vec::new(),
        },
        firsts,
    })
}

/// The callable and what it wraps, from the outside in.
pub(crate) fn layers<'py>(func: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
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
pub(crate) fn methods<'py>(layers: &[Bound<'py, PyAny>]) -> PyResult<Vec<Bound<'py, PyAny>>> {
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

/// The code object of a layer: its own, or that of the method through which an instance is called.
pub(crate) fn code_of<'py>(layer: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let code = match layer.getattr_opt("__code__")? {
        Some(code) => Some(code),
        None => match layer.get_type().getattr_opt("__call__")? {
            Some(call) => call.getattr_opt("__code__")?,
            None => None,
        },
    };
    Ok(code.filter(|code| code.is_exact_instance_of::<PyCode>()))
}

pub(crate) fn digest(enc: &Encoder) -> [u8; 16] {
    Digests::Own.of(enc.as_bytes()).to_le_bytes()
}

/// Says once per site and variable that something is told apart by which object it is. In a
/// callback, and as a default, that does no harm while it is one object, so there the second one
/// gives the warning.
fn warn(py: Python<'_>, name: &str, site: [u8; 16], pins: &[Pin], role: Role) -> PyResult<()> {
    for pin in pins.iter().filter(|it| !it.is_unbound) {
        let number = match role {
            Role::Function if !pin.is_default => 1,
            _ => 2,
        };
        let object = pin.value.as_ptr() as usize;
        if log::is_due(site, &pin.name, object, number) {
            let text = format!(
                "`{name}` holds `{variable}`, {reason}. It is told apart by its identity, so \
                 another run of this code finds nothing of what this one caches. To avoid that, \
                 pass it as an argument whose name begins with an underscore, or keep it in a \
                 module.",
                variable = pin.name,
                reason = pin.reason,
            );
            log::warn(py, &text)?;
        }
    }
    Ok(())
}
