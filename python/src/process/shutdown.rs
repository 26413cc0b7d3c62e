//! The release of everything that is held, and what is said where it takes too long.

use pyo3::prelude::*;

use crate::caller::waiting;
use crate::function::heirs;
use crate::life::interrupts;
use crate::process;
use crate::words::log;

/// Releases everything that is held, last built first. `True`: everything that was built has been
/// released. `False`: callers still hold something, or the time ran out; the log says which functions
/// these are, how many resources of each, and why.
#[pyfunction]
pub(crate) fn shutdown(py: Python<'_>) -> PyResult<bool> {
    heirs::forget(py);
    let in_time = interrupts::to_caller(py, || waiting::aside(py, process::shutdown))?;
    if !in_time {
        tell_late(py);
    }
    Ok(in_time)
}

pub(crate) fn tell_late(py: Python<'_>) {
    log::line(py, false, LATE);
}

const LATE: &str = "the process ends before everything was released: see above, or \
                    shutdown_timeout of tenure.configure";
