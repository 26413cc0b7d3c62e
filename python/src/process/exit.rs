//! The end of the process: what is held is released, however it ends.
//!
//! | The process ends by | Then |
//! |---|---|
//! | running out, `sys.exit`, an exception, Ctrl-C, a handler that leads to one of these | `atexit` |
//! | the end of a worker of `multiprocessing` or a copy of it, past `atexit` | [`worker`] |
//! | a signal that nobody handles: SIGTERM, SIGHUP, a SIGINT set to its default | [`signals`] |
//! | `os._exit`, SIGKILL, a crash | nothing: there is no moment for it |

use pyo3::prelude::*;

use crate::process;
use crate::process::shutdown::shutdown;
#[cfg(doc)]
use crate::process::worker;
use crate::words::log;

/// Takes over the signals that would end this process at once. Asked in each process where
/// something is registered.
pub(crate) fn watch_signals(py: Python<'_>) -> PyResult<()> {
    signals::watch(py)
}

/// A child process begins with nothing watched.
pub(crate) fn after_fork() {
    signals::after_fork();
}

/// Releases everything at the end of the process.
#[pyfunction]
pub(crate) fn at_exit(py: Python<'_>) {
    if let Err(error) = shutdown(py) {
        // Nothing is left that it could end.
        log::error(
            py,
            "the release at the end was interrupted, and goes on",
            error,
        );
        py.detach(process::shutdown);
    }
    // A signal that is ending the process gives its exit status.
    py.detach(signals::await_end);
}

#[cfg(unix)]
pub(crate) use crate::process::signals;

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
