//! Whether code was read from a file.
//!
//! Input that somebody types has a name in the place of a file: `<string>`, or, in a notebook, a path in
//! a folder for temporary files, another one after each edit. A debugger writes that file, so that it can
//! show the cell. What tells it from a script is the entry in `linecache`, which says that the lines were
//! given by hand: they have no time of change.

use std::path::Path;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyModule, PyTuple};

use crate::process::once::intern;
use crate::program::modules;

/// Whether code with this file's name was read from the file.
pub(crate) fn is_from_file(py: Python<'_>, name: &str) -> bool {
    Path::new(name).is_file() && !is_given_by_hand(py, name).unwrap_or(false)
}

/// Whether the program has given the lines of source under this name to `linecache`.
fn is_given_by_hand(py: Python<'_>, name: &str) -> Option<bool> {
    Some(known_lines(py, name)?.get_item(1).ok()?.is_none())
}

/// The lines that somebody has typed, where whoever runs them has given them to `linecache` under this name.
pub(crate) fn typed_lines(py: Python<'_>, name: &str) -> Option<String> {
    // Names that any text may have: the lines are of another one, as those of `python -c` are.
    if matches!(name, "<string>" | "<stdin>" | "<console>") {
        return None;
    }
    let lines = known_lines(py, name)?.get_item(2).ok()?;
    let lines = lines.cast_into::<PyList>().ok()?;
    lines
        .iter()
        .map(|line| line.extract::<String>().ok())
        .collect()
}

/// The entry of `linecache` under this name: the size, the time of change, the lines, the name.
fn known_lines<'py>(py: Python<'py>, name: &str) -> Option<Bound<'py, PyTuple>> {
    let module = modules::imported(py, intern!(py, "linecache"))?;
    let module = module.cast_into::<PyModule>().ok()?;
    let cache = module.dict().get_item(intern!(py, "cache")).ok()??;
    let entry = cache.cast_into::<PyDict>().ok()?.get_item(name).ok()??;
    let entry = entry.cast_into::<PyTuple>().ok()?;
    // One that is yet to be read has less.
    (entry.len() == 4).then_some(entry)
}
