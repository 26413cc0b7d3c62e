//! The arguments of a call as an inspector shows them, where it has been asked to.
//!
//! No code of the program runs for it: what is none of Python's own plain values is shown by the name of its class.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PySlice, PyString};

use crate::function::plan::Arguments;
use crate::process::once::intern;

/// So many characters of one value are shown.
const MOST: usize = 80;

static ARE_SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether what is built from now on keeps its arguments as text, to be shown.
#[pyfunction]
#[pyo3(signature = (is_on, /))]
pub(crate) fn show_arguments(is_on: bool) {
    ARE_SHOWN.store(is_on, Ordering::Relaxed);
}

/// The arguments of a call that count, where they are to be shown.
pub(crate) fn arguments(
    py: Python<'_>,
    signature: &Bound<'_, PyAny>,
    arguments: Arguments,
) -> Option<Arc<str>> {
    let are_shown = ARE_SHOWN.load(Ordering::Relaxed);
    let text = are_shown.then(|| written(py, signature, arguments))?;
    text.ok().map(Arc::from)
}

fn written(py: Python<'_>, signature: &Bound<'_, PyAny>, arguments: Arguments) -> PyResult<String> {
    let (args, kwargs) = arguments.packed(py)?;
    let bound = signature.call_method(intern!(py, "bind"), args, kwargs.as_ref())?;
    let given = bound.getattr(intern!(py, "arguments"))?;
    let mut parts = Vec::new();
    for (name, value) in &given.cast_into::<PyDict>()? {
        let name: String = name.extract()?;
        if !name.starts_with('_') {
            parts.push(format!("{name}={}", plain(&value)?));
        }
    }
    Ok(parts.join(", "))
}

/// A value as Python writes it, if it is a plain one; elsewhere the name of its class.
fn plain(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let is_plain = value.is_none()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBytes>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>();
    let of_class = format!("<{}>", value.get_type().name()?);
    if !is_plain {
        return Ok(of_class);
    }
    // Of a long one no more is written than is shown.
    let is_long = |it: &Bound<'_, PyAny>| it.len().is_ok_and(|length| length > MOST);
    let short = match is_long(value) {
        true => value.get_item(PySlice::new(value.py(), 0, MOST.cast_signed(), 1))?,
        false => value.clone(),
    };
    let Ok(text) = short.repr() else {
        // Python writes no number of thousands of digits.
        return Ok(of_class);
    };
    let text = text.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Ok(format!("{}…", &text[..end])),
        None => Ok(text),
    }
}
