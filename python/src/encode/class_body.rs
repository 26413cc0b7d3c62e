//! The code of a class body without the number of its line.
//!
//! From Python 3.13 on a class body stores the line that it stands on, as `__firstlineno__`. That says
//! nothing of what the class does, and an edit further up in the file changes it.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCode, PyTuple};

use crate::process::once::intern;

/// The instructions and constants that stand for the code's own.
pub(super) struct Lineless<'py> {
    pub(super) instructions: Bound<'py, PyBytes>,
    pub(super) constants: Bound<'py, PyTuple>,
}

impl<'py> Lineless<'py> {
    /// `None` where the code stores no line.
    pub(super) fn of(code: &Bound<'py, PyCode>) -> PyResult<Option<Self>> {
        let py = code.py();
        let names = code.getattr(intern!(py, "co_names"))?;
        let names = names.cast_into::<PyTuple>()?;
        let at = names
            .iter()
            .position(|name| name.eq("__firstlineno__").unwrap_or(false));
        let Some(at) = at.and_then(|at| u8::try_from(at).ok()) else {
            return Ok(None);
        };
        let opmap = py.import(intern!(py, "opcode"))?.getattr("opmap")?;
        let store: u8 = opmap.get_item("STORE_NAME")?.extract()?;
        let load: u8 = opmap.get_item("LOAD_CONST")?.extract()?;

        let mut instructions: Vec<u8> = code.getattr(intern!(py, "co_code"))?.extract()?;
        let mut constants: Vec<Bound<'py, PyAny>> =
            code.getattr(intern!(py, "co_consts"))?.extract()?;
        let units = instructions.as_chunks_mut::<2>().0;
        let stores = units.iter().position(|unit| *unit == [store, at]);
        let Some(before) = stores.and_then(|at| at.checked_sub(1)) else {
            return Ok(None);
        };
        // A small line is part of the instruction, others are constants.
        let loads = std::mem::take(&mut units[before]);
        if loads[0] == load
            && !units.contains(&loads)
            && let Some(line) = constants.get_mut(usize::from(loads[1]))
        {
            *line = py.None().into_bound(py);
        }
        Ok(Some(Self {
            instructions: PyBytes::new(py, &instructions),
            constants: PyTuple::new(py, constants)?,
        }))
    }
}
