//! How many arguments a callback takes, as far as it tells.

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::process::once::intern;
use crate::words::{code, errors};

/// A callback, and what it is called with.
pub(crate) struct Use<'a, 'py> {
    pub(crate) setting: &'a str,
    /// Its arguments by position, in words.
    pub(crate) given: &'a [&'a str],
    pub(crate) example: &'a str,
    pub(crate) callable: &'a Bound<'py, PyAny>,
}

/// Refuses a callback that cannot be called with what it is given. One that does not tell its signature passes.
///
/// # Errors
/// A `TypeError` with what the setting takes, and an interruption, such as a Ctrl-C, by what tells the signature.
pub(crate) fn check(it: &Use<'_, '_>) -> PyResult<()> {
    let py = it.callable.py();
    // What a wrapper takes is what it is called with, whatever it wraps.
    let signature = match signature(it.callable, false) {
        Ok(signature) => signature,
        Err(error) if error.is_instance_of::<PyException>(py) => return Ok(()),
        Err(error) => return Err(error),
    };
    let args = PyTuple::new(py, it.given.iter().map(|_| py.None()))?;
    let Err(misfit) = signature.call_method1(intern!(py, "bind"), args) else {
        return Ok(());
    };
    if !misfit.is_instance_of::<PyTypeError>(py) {
        return Err(misfit);
    }
    let given = match it.given {
        [] => "without arguments".to_owned(),
        given => format!("with {}", given.join(" and ")),
    };
    let text = format!(
        "{} is called {given}, and {} does not take that: {}. Example: {}",
        it.setting,
        code::name_of(it.callable),
        misfit.value(py),
        it.example
    );
    Err(errors::setting_type(py, text))
}

/// Whether an `on_release` is told why, for whoever calls it in the engine's place.
#[pyfunction]
pub(crate) fn takes_cause(callback: &Bound<'_, PyAny>) -> PyResult<bool> {
    needs_two(callback)
}

/// Whether a second positional parameter has no default. A callable that does not tell its
/// signature is taken to need one argument, as most do.
pub(crate) fn needs_two(callback: &Bound<'_, PyAny>) -> PyResult<bool> {
    let needs_two = || {
        // What a wrapper takes counts, and what it wraps only where it passes on whatever comes.
        let mut layer = callback.clone();
        // An object may claim to wrap itself.
        for _ in 0..MOST_LAYERS {
            let own = Parameters::of(&layer, false)?;
            if own.needed >= 2 || !own.takes_rest {
                return Ok(own.needed >= 2);
            }
            match inner(&layer)? {
                Some(wrapped) => layer = wrapped,
                // What it passes on to is not seen from outside: a partial, a `__call__`.
                None => return Ok(Parameters::of(&layer, true)?.needed >= 2),
            }
        }
        Ok(false)
    };
    needs_two().or_else(|error: PyErr| {
        if error.is_instance_of::<PyException>(callback.py()) {
            Ok(false)
        } else {
            Err(error)
        }
    })
}

const MOST_LAYERS: usize = 64;

/// The callable inside a wrapper, bound to the same instance.
fn inner<'py>(layer: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = layer.py();
    let Some(wrapped) = layer.getattr_opt(intern!(py, "__wrapped__"))? else {
        return Ok(None);
    };
    let method = py.import(intern!(py, "types"))?.getattr("MethodType")?;
    if !layer.get_type().is(&method) {
        return Ok(Some(wrapped));
    }
    let instance = layer.getattr(intern!(py, "__self__"))?;
    method.call1((wrapped, instance)).map(Some)
}

/// The arguments by position that a signature asks for.
struct Parameters {
    /// How many have no default.
    needed: usize,
    /// Whether any number may follow.
    takes_rest: bool,
}

impl Parameters {
    fn of(callable: &Bound<'_, PyAny>, follow_wrapped: bool) -> PyResult<Self> {
        let signature = signature(callable, follow_wrapped)?;
        let parameters = signature.getattr("parameters")?.call_method0("values")?;
        let mut found = Self {
            needed: 0,
            takes_rest: false,
        };
        for parameter in parameters.try_iter()? {
            let parameter = parameter?;
            let default = parameter.getattr("default")?;
            let is_needed = default.is(parameter.getattr("empty")?);
            match parameter.getattr("kind")?.extract()? {
                0_u8 | 1 => found.needed += usize::from(is_needed),
                2 => found.takes_rest = true,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The signature of a callable, as `inspect` tells it.
fn signature<'py>(
    callable: &Bound<'py, PyAny>,
    follow_wrapped: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let how = PyDict::new(py);
    how.set_item("follow_wrapped", follow_wrapped)?;
    if py.version_info() >= (3, 14) {
        // Annotations are evaluated when asked for, and may name what is not there.
        let formats = py.import("annotationlib")?.getattr("Format")?;
        how.set_item("annotation_format", formats.getattr("STRING")?)?;
    }
    let inspect = py.import(intern!(py, "inspect"))?;
    inspect.call_method("signature", (callable,), Some(&how))
}
