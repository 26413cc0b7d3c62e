//! Python exceptions on their way through the engine.

use pyo3::prelude::*;
use tenure::Interrupt;

/// This process was forked while the engine of its parent was busy for the caller.
pub(crate) struct Forked;

/// A Python exception on its way through the engine.
pub(crate) fn interrupt(error: PyErr) -> Interrupt {
    Interrupt(Box::new(error))
}

/// The Python exception back.
pub(crate) fn raised(interrupt: Interrupt) -> PyErr {
    match interrupt.0.downcast::<PyErr>() {
        Ok(error) => *error,
        Err(_) => unreachable!("only Python exceptions are sent through the engine here"),
    }
}
