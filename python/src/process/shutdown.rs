//! The release of everything that is held, and what is said where it takes too long.

use pyo3::prelude::*;

use crate::caller::waiting;
use crate::function::heirs;
use crate::life::interrupts;
use crate::process;
use crate::process::once::intern;
use crate::words::log;

/// Releases everything that is held, last built first. `True`: everything that was built has been
/// released. `False`: callers still hold something, or the time ran out; the log says which functions
/// these are, how many resources of each, and why.
#[pyfunction]
pub(crate) fn shutdown(py: Python<'_>) -> PyResult<bool> {
    heirs::forget(py);
    give_up_closed_loops(py);
    let in_time = interrupts::to_caller(py, || waiting::aside(py, process::shutdown))?;
    if !in_time {
        tell_late(py);
    }
    Ok(in_time)
}

/// Tells the releases that have begun on loops which were closed meanwhile, so that nobody waits for them.
fn give_up_closed_loops(py: Python<'_>) {
    // Only where anything was built on a loop. A module that is being imported has no such name yet.
    let swept = || -> PyResult<()> {
        let modules = py
            .import(intern!(py, "sys"))?
            .getattr(intern!(py, "modules"))?;
        let carriers = modules.call_method1(intern!(py, "get"), ("tenure._carriers",))?;
        if let Some(sweep) = carriers.getattr_opt(intern!(py, "sweep"))? {
            sweep.call0()?;
        }
        Ok(())
    };
    if let Err(error) = swept() {
        log::error(
            py,
            "the loops that were closed could not be given up",
            error,
        );
    }
}

pub(crate) fn tell_late(py: Python<'_>) {
    log::line(py, false, LATE);
}

const LATE: &str = "the process ends before everything was released: see above, or \
                    shutdown_timeout of tenure.configure";
