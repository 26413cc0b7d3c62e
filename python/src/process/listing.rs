//! What the process keeps, as an inspector is shown it, and the ends that it asks for.

use pyo3::prelude::*;
use tenure::fleet::Ending;
use tenure::front::EndedBy;

use crate::function::heirs;
use crate::function::naming;
use crate::life::interrupts;
use crate::process::{self, steering, worker};
use crate::tasks::frames;
use crate::words::values;

/// All functions and so many of their entries as JSON, by one look at one moment, and what has happened last.
#[pyfunction]
pub(crate) fn listing(py: Python<'_>, at_most: usize, show_arguments: bool) -> PyResult<String> {
    let listing = steering::engine_now(py)?.listing(at_most);
    Ok(py.detach(|| listing.to_json(show_arguments)))
}

/// Clears the entry with this number, or has it expire; whether it was still there.
#[pyfunction]
pub(crate) fn end_entry(py: Python<'_>, number: u64, how: &Bound<'_, PyAny>) -> PyResult<bool> {
    let ending = ending(how)?;
    end(py, || process::engine().end_entry(number, ending))
}

/// Clears the entries that the function with this number has in every scope, or has them expire; whether there is one.
#[pyfunction]
pub(crate) fn end_entries(py: Python<'_>, function: u64, how: &Bound<'_, PyAny>) -> PyResult<bool> {
    let ending = ending(how)?;
    end(py, || process::engine().end_entries(function, ending))
}

/// Clears all that is kept, or has it expire.
#[pyfunction]
pub(crate) fn end_all(py: Python<'_>, how: &Bound<'_, PyAny>) -> PyResult<bool> {
    let ending = ending(how)?;
    if ending == Ending::Cleared {
        heirs::forget(py);
    }
    let in_cluster = naming::end_all_in_cluster(py, how.extract()?, None);
    let ended = end(py, || {
        let engine = process::engine();
        match ending {
            Ending::Cleared => engine.clear_all(),
            Ending::Expired => engine.expire_all(),
        }
        true
    })?;
    in_cluster.map(|()| ended)
}

fn ending(how: &Bound<'_, PyAny>) -> PyResult<Ending> {
    let words = [("clear", Ending::Cleared), ("expire", Ending::Expired)];
    values::one_of("how", how, words)
}

fn end(py: Python<'_>, end: impl FnOnce() -> bool) -> PyResult<bool> {
    worker::watch_member(py)?;
    let _places = frames::enter(py)?;
    let _ended_by = EndedBy::enter_with(|| "the inspector".to_owned());
    interrupts::to_caller(py, || Ok(end()))
}
