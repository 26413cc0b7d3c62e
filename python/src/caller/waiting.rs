//! How a caller in Python waits for another's build.
//!
//! A greenlet gives way to the hub that runs the others of its thread, and is woken through it; so
//! does a thread's first greenlet. Everyone else blocks without the interpreter, and looks for
//! signals and for the host's wishes now and then.
#![allow(unsafe_code)]

use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tenure::Interrupt;
use tenure::front::{Awaited, Waiting};

use crate::caller::attach;
use crate::caller::strands;
use crate::life::raised::{Forked, interrupt};
use crate::process;
use crate::process::once::intern;
use crate::words::log;

/// How long a caller waits before it looks for signals and for its host's wishes.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// Lets signals, the host's wishes and other greenlets through.
pub(crate) struct Interruptible;

impl Waiting for Interruptible {
    fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
        let generation = process::generation();
        Python::attach(|py| {
            match hub(py, build.is_of_this_thread()).map_err(interrupt)? {
                Some(hub) => in_hub(&hub, build, generation),
                // Nothing but this thread could go on with it.
                None if build.is_of_this_thread() => Err(interrupt(refused(build.function()))),
                None => blocking(py, build, generation),
            }
        })
    }
}

fn blocking(py: Python<'_>, build: &mut dyn Awaited, generation: u32) -> Result<(), Interrupt> {
    loop {
        let turn = Turn(build);
        if py.detach(move || turn.take()) {
            return Ok(());
        }
        py.check_signals().map_err(interrupt)?;
        go_on(generation)?;
    }
}

/// Whether whoever waits may go on to wait.
fn go_on(generation: u32) -> Result<(), Interrupt> {
    if let Some(host) = process::engine().host() {
        host.interrupted()?;
    }
    if process::is_left_behind(generation) {
        return Err(Interrupt(Box::new(Forked)));
    }
    Ok(())
}

struct Turn<'a>(&'a mut dyn Awaited);

// SAFETY: `detach` runs its closure on the calling thread.
unsafe impl Send for Turn<'_> {}

impl Turn<'_> {
    fn take(self) -> bool {
        self.0.block(Some(LOOK))
    }
}

/// The hub that the present greenlet can give way to. `here`: for a build of this very thread.
fn hub(py: Python<'_>, here: bool) -> PyResult<Option<Bound<'_, PyAny>>> {
    if !strands::are_watched(py) {
        return Ok(None);
    }
    let hub = py
        .import(intern!(py, "tenure._hubs"))?
        .call_method1(intern!(py, "find"), (here,))?;
    Ok((!hub.is_none()).then_some(hub))
}

fn in_hub(
    hub: &Bound<'_, PyAny>,
    build: &mut dyn Awaited,
    generation: u32,
) -> Result<(), Interrupt> {
    let py = hub.py();
    let waker = Waker::from(Arc::new(InHub(hub.clone().unbind())));
    let wait = |build: &mut dyn Awaited| {
        while !build.poll(&waker) {
            // Without a host nothing but a wake or an exception ends the wait.
            let pause = process::engine().host().map(|_| LOOK.as_secs_f64());
            hub.call_method1(intern!(py, "wait"), (pause,))
                .map_err(interrupt)?;
            go_on(generation)?;
        }
        Ok(())
    };
    let outcome = wait(build);
    close(hub);
    outcome
}

/// Clears a wait in a hub away, however it ended: its outcome goes on.
fn close(hub: &Bound<'_, PyAny>) {
    let py = hub.py();
    if let Err(error) = hub.call_method0(intern!(py, "close")) {
        log::error(py, "a wait in a greenlet could not be cleared away", error);
    }
}

/// Does `work` without the interpreter. Where the caller has a hub, that runs the other greenlets of
/// this thread meanwhile: what they have under way may be what `work` waits for.
///
/// # Errors
/// What is thrown into the greenlet that waits; `work` goes on.
pub(crate) fn aside(py: Python<'_>, work: fn() -> bool) -> PyResult<bool> {
    // What a caller releases itself cannot be waited for, and only its own thread can tell.
    let hub = match tenure::front::is_releasing() {
        true => None,
        false => hub(py, false)?,
    };
    let Some(hub) = hub else {
        return Ok(py.detach(work));
    };
    let outcome = aside_of(&hub, work);
    close(&hub);
    outcome
}

fn aside_of(hub: &Bound<'_, PyAny>, work: fn() -> bool) -> PyResult<bool> {
    let py = hub.py();
    let done: Arc<OnceLock<bool>> = Arc::default();
    let (tells, wakes) = (Arc::clone(&done), Arc::new(InHub(hub.clone().unbind())));
    std::thread::Builder::new()
        .name("tenure-aside".to_owned())
        .spawn(move || {
            let _ = tells.set(work());
            wakes.wake();
        })?;
    loop {
        if let Some(done) = done.get() {
            return Ok(*done);
        }
        hub.call_method1(intern!(py, "wait"), (py.None(),))?;
    }
}

/// The waker of a wait in a hub, for any thread.
struct InHub(Py<PyAny>);

impl Wake for InHub {
    fn wake(self: Arc<Self>) {
        attach::with(|py| {
            if let Err(error) = self.0.bind(py).call_method0(intern!(py, "wake")) {
                log::error(py, "a greenlet that waits could not be woken", error);
            }
        });
    }
}

fn refused(function: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "{function} is being built by another greenlet of this thread, and this caller knows no \
         hub that it could give way to: to wait would block the thread that has to go on with the \
         build. Call {function} from a greenlet of gevent or eventlet, or with \
         `await sqlalchemy.util.greenlet_spawn({function}, ...)`, or let the first call return \
         before the next one begins"
    ))
}
