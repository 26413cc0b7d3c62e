//! Where resources were built that are not released yet, while a test looks for what it leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;

use crate::caller::place::here;
use crate::life::claims;
use crate::process;
use crate::process::once::{Once, intern};

/// A resource that is not released, or a release that has failed.
struct Trace {
    generation: u32,
    function: String,
    /// The place in the program that the call came from which had it built.
    site: String,
    is_of: Of,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The object at this address, which the entry holds.
    Resource(usize),
    Failure,
}

static ARE_KEPT: AtomicBool = AtomicBool::new(false);

/// Locked only by who holds the interpreter, so that it is free after a fork.
static TRACES: Mutex<Vec<Trace>> = Mutex::new(Vec::new());

fn traces() -> MutexGuard<'static, Vec<Trace>> {
    TRACES.lock().expect("nothing panics under this lock")
}

pub(crate) fn after_fork() {
    traces().clear();
}

/// Whether it is noted where resources are built.
#[inline]
pub(crate) fn are_kept() -> bool {
    ARE_KEPT.load(Ordering::Relaxed)
}

/// Has it noted from now on where resources are built, or no longer.
#[pyfunction]
#[pyo3(signature = (is_on, /))]
pub(crate) fn trace_builds(is_on: bool) {
    ARE_KEPT.store(is_on, Ordering::Relaxed);
    traces().clear();
}

/// Where a task's call came from, for the build that may come of it: the build runs in a copy of its context.
fn of_task(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: Once<Py<PyAny>> = Once::new();
    let made = VARIABLE.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        class.call1(("tenure_called_at",)).map(Bound::unbind)
    });
    Ok(made?.bind(py))
}

/// Notes where a task calls.
#[cold]
pub(crate) fn task_calls(py: Python<'_>) -> PyResult<()> {
    let site = here(py)?.unwrap_or_else(|| UNKNOWN.to_owned());
    of_task(py)?.call_method1(intern!(py, "set"), (site,))?;
    Ok(())
}

/// Notes what was built for the caller that stands here.
#[cold]
pub(crate) fn built(py: Python<'_>, function: &str, object: &Bound<'_, PyAny>) {
    let site = here(py).ok().flatten();
    let site = site.unwrap_or_else(|| UNKNOWN.to_owned());
    note(function, site, Of::Resource(object.as_ptr().addr()));
}

/// Notes what a task has built, which runs in a copy of the caller's context.
#[cold]
pub(crate) fn built_by_task(py: Python<'_>, function: &str, object: &Bound<'_, PyAny>) {
    let read = || -> PyResult<String> {
        let variable = of_task(py)?;
        variable
            .call_method1(intern!(py, "get"), (UNKNOWN,))?
            .extract()
    };
    let site = read().unwrap_or_else(|_| UNKNOWN.to_owned());
    note(function, site, Of::Resource(object.as_ptr().addr()));
}

/// Notes a release that has failed.
pub(crate) fn release_failed(function: &str) {
    if are_kept() {
        note(function, String::new(), Of::Failure);
    }
}

/// Forgets what is released now.
#[cold]
pub(crate) fn released(_: Python<'_>, object: &Bound<'_, PyAny>) {
    let mut traces = traces();
    let of = Of::Resource(object.as_ptr().addr());
    if let Some(at) = traces.iter().rposition(|it| it.is_of == of) {
        traces.remove(at);
    }
}

fn note(function: &str, site: String, is_of: Of) {
    traces().push(Trace {
        generation: process::generation(),
        function: function.to_owned(),
        site,
        is_of,
    });
}

/// What was built under the engine with this number, or above it, and is left: the function, where it was built, and
/// what keeps it.
pub(crate) fn left(_: Python<'_>, generation: u32) -> Vec<(String, String, &'static str)> {
    let told = |it: &Trace| {
        let why = match it.is_of {
            Of::Resource(address) if claims::on(address) > 0 => "a lease of it is not closed",
            Of::Resource(_) => "it is not released",
            Of::Failure => "its release has failed",
        };
        (it.function.clone(), it.site.clone(), why)
    };
    let mut traces = traces();
    let left = traces.iter().filter(|it| it.generation >= generation);
    let left = left.map(told).collect();
    traces.retain(|it| it.generation < generation);
    left
}

const UNKNOWN: &str = "a place that is not known";
