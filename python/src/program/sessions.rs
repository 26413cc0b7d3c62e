//! The sessions that a host tells of: when they end, and when they come back.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::caller::attach;
use crate::process;

/// How long an event loop waits for the releases of a session, which are the program's own code. By
/// then the session's entries are out of reach, also for a session that comes straight back, and
/// quick releases are done.
const PROMPTLY: Duration = Duration::from_millis(100);

/// The session is gone.
#[pyfunction]
pub(crate) fn end_session(session: &str) {
    process::engine().end_session(session);
}

/// The session is gone unless it is back within so many seconds.
#[pyfunction]
pub(crate) fn end_session_after(session: &str, seconds: f64) {
    let grace = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    process::engine().end_session_after(session, grace);
}

/// Ends a session on a thread that must go on, an event loop's say: it waits a moment for the
/// releases, and a slow one holds up no other session. The end of the process waits for them too.
#[pyfunction]
pub(crate) fn end_session_aside(py: Python<'_>, session: String) {
    let engine = process::engine();
    let (told, hears) = channel::<()>();
    let name = session.clone();
    let ending = thread::Builder::new()
        .name("tenure-session-end".to_owned())
        .spawn(move || {
            attach::known(&mut || engine.end_session(&name));
            drop(told);
        });
    match ending {
        // Either way it goes on: the time is over, or the thread is.
        Ok(_) => drop(py.detach(move || hears.recv_timeout(PROMPTLY))),
        // There are no more threads to be had.
        Err(_) => end_session(&session),
    }
}

/// Ends a session on a thread of its own, which calls `told` then: the releases are the program's own code,
/// and depend on no thread that the program keeps busy. `False`: there are no more threads to be had.
#[pyfunction]
pub(crate) fn end_session_beside(session: String, told: Py<PyAny>) -> bool {
    let engine = process::engine();
    let ending = thread::Builder::new()
        .name("tenure-session-end".to_owned())
        .spawn(move || {
            attach::known(&mut || engine.end_session_after(&session, Duration::ZERO));
            attach::with(|py| {
                if let Err(error) = told.bind(py).call0() {
                    error.write_unraisable(py, Some(told.bind(py)));
                }
                drop(told);
            });
        });
    ending.is_ok()
}

/// The session is back within its grace period.
#[pyfunction]
pub(crate) fn resume_session(session: &str) {
    process::engine().resume_session(session);
}
