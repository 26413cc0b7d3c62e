//! The end of the process: what is held is released, however it ends.
//!
//! | The process ends by | Then |
//! |---|---|
//! | running out, `sys.exit`, an exception, Ctrl-C, a handler that leads to one of these | `atexit` |
//! | the end of a `multiprocessing` child, which skips `atexit` | a finalizer of `multiprocessing` |
//! | a signal that nobody handles: SIGTERM, SIGHUP, a SIGINT set to its default | [`signals`] |
//! | `os._exit`, SIGKILL, a crash | nothing: there is no moment for it |

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{log, process};

/// Has the end of this process release everything. Asked again in each process where something is
/// registered.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    signals::watch(py)?;
    watch_multiprocessing(py)
}

/// A child process begins with nothing watched.
pub(crate) fn after_fork() {
    signals::after_fork();
}

/// Releases everything that is held, last built first. `False`: the time ran out.
#[pyfunction]
pub(crate) fn shutdown(py: Python<'_>) -> bool {
    let in_time = py.detach(process::shutdown);
    if !in_time {
        log::line(py, false, LATE);
    }
    in_time
}

/// The same at the end of the process.
#[pyfunction]
pub(crate) fn at_exit(py: Python<'_>) {
    shutdown(py);
    // A signal that is ending the process gives its exit status.
    py.detach(signals::await_end);
}

const LATE: &str = "the process ends before everything was released: the time is over \
                    (see shutdown_timeout of tenure.configure)";

/// A child that `multiprocessing` has forked ends without `atexit`.
fn watch_multiprocessing(py: Python<'_>) -> PyResult<()> {
    let modules = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "modules"))?;
    let modules = modules.cast_into::<PyDict>()?;
    let Some(process) = modules.get_item(intern!(py, "multiprocessing.process"))? else {
        return Ok(());
    };
    let parent = process.call_method0(intern!(py, "parent_process"))?;
    if parent.is_none() || !WATCHED.is_new() {
        return Ok(());
    }
    let options = PyDict::new(py);
    options.set_item(intern!(py, "exitpriority"), 0)?;
    let finalizer = py
        .import(intern!(py, "multiprocessing.util"))?
        .getattr(intern!(py, "Finalize"))?;
    let shutdown = wrap_pyfunction!(shutdown, py)?;
    finalizer.call((py.None(), shutdown), Some(&options))?;
    Ok(())
}

static WATCHED: Once = Once::new();

/// Something done once in each process.
struct Once(std::sync::atomic::AtomicU32);

impl Once {
    const fn new() -> Self {
        Self(std::sync::atomic::AtomicU32::new(0))
    }

    /// Whether this process asks for the first time.
    fn is_new(&self) -> bool {
        let process = std::process::id();
        self.0.swap(process, std::sync::atomic::Ordering::Relaxed) != process
    }
}

#[cfg(unix)]
pub(crate) use crate::signals;

/// Where there are no such signals.
#[cfg(not(unix))]
pub(crate) mod signals {
    use pyo3::prelude::*;

    pub(crate) fn watch(_: Python<'_>) -> PyResult<()> {
        Ok(())
    }
    pub(crate) fn allow(_: Python<'_>, _: bool) -> PyResult<()> {
        Ok(())
    }
    pub(crate) fn after_fork() {}
    pub(crate) fn await_end() {}
}
