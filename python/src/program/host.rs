//! A host written in Python, as the engine's host seam; `tenure.hosts` documents its side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::prelude::*;
use tenure::{BuildStart, Encoder, Host, HostBuild, Interrupt, Observed, Recording, SessionId};

use crate::caller::attach;
use crate::caller::current_function::Current;
use crate::encode::{self, Context};
use crate::life::raised::interrupt;
use crate::process;
use crate::process::once::intern;
use crate::program::hosts;
use crate::words::log;

pub(crate) struct PyHost {
    pub(crate) adapter: Py<PyAny>,
}

impl Host for PyHost {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Python::attach(|py| {
            let answer = self.adapter.bind(py).call_method0(intern!(py, "session"))?;
            let id: Option<String> = answer.extract()?;
            Ok(id.map(SessionId::from))
        })
        .map_err(interrupt)
    }

    fn has_ended(&self, session: &str) -> Result<bool, Interrupt> {
        Python::attach(|py| {
            let adapter = self.adapter.bind(py);
            adapter
                .call_method1(intern!(py, "has_ended"), (session,))?
                .extract()
        })
        .map_err(interrupt)
    }

    fn lends_sessions(&self) -> Result<bool, Interrupt> {
        Python::attach(|py| {
            let adapter = self.adapter.bind(py);
            match adapter.getattr_opt(intern!(py, "lends_sessions"))? {
                Some(lends) => lends.is_truthy(),
                None => Ok(false),
            }
        })
        .map_err(interrupt)
    }

    fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        Python::attach(|py| {
            let adapter = self.adapter.bind(py);
            let func = Current::function(py);
            let text = start.text.as_deref();
            let build = if start.waits {
                adapter.call_method1(intern!(py, "wait"), (func, text, start.show_time))?
            } else {
                let args = (func, text, start.show_time, start.observes);
                adapter.call_method1(intern!(py, "begin"), args)?
            };
            Ok((!build.is_none()).then(|| {
                Arc::new(PyBuild {
                    build: build.unbind(),
                    has_moved: AtomicBool::new(false),
                }) as Arc<dyn HostBuild>
            }))
        })
        .map_err(interrupt)
    }

    fn replay(&self, recording: &Recording) -> Result<(), Interrupt> {
        Python::attach(|py| {
            let elements: Option<&Py<PyAny>> = recording.elements();
            if let Some(elements) = elements {
                let args = (elements.bind(py), Current::function(py));
                self.adapter
                    .bind(py)
                    .call_method1(intern!(py, "replay"), args)?;
            }
            Ok(())
        })
        .map_err(interrupt)
    }

    fn observe(&self, observed: &Observed, values: &mut Encoder) -> Result<(), Interrupt> {
        Python::attach(|py| {
            let Some(ids) = observed.ids::<Py<PyAny>>() else {
                return Ok(());
            };
            let adapter = self.adapter.bind(py);
            let present = adapter.call_method1(intern!(py, "observe"), (ids.bind(py),))?;
            write(values, &present)
        })
        .map_err(interrupt)
    }

    fn interrupted(&self) -> Result<(), Interrupt> {
        Python::attach(|py| {
            let adapter = self.adapter.bind(py);
            adapter.call_method0(intern!(py, "interrupted")).map(drop)
        })
        .map_err(interrupt)
    }
}

struct PyBuild {
    build: Py<PyAny>,
    has_moved: AtomicBool,
}

impl PyBuild {
    fn tell(&self, name: &str) {
        attach::with(|py| {
            let told = self.build.bind(py).getattr_opt(name);
            let told = told.and_then(|it| it.map(|it| it.call0()).transpose());
            if let Err(error) = told {
                log::error(py, "the host could not follow a build to a thread", error);
            }
        });
    }
}

impl HostBuild for PyBuild {
    fn moves(&self) {
        self.has_moved.store(true, Ordering::Release);
        self.tell("move");
    }

    // Where it has not moved, beginning it was to enter it.
    fn enter(&self) {
        if self.has_moved.load(Ordering::Acquire) {
            self.tell("enter");
        }
    }

    fn leave(&self) {
        if self.has_moved.load(Ordering::Acquire) {
            self.tell("leave");
        }
    }

    fn show(&self) {
        // On a thread of the engine's own.
        attach::with(|py| {
            if let Err(error) = self.build.bind(py).call_method0(intern!(py, "show")) {
                log::error(py, "the host could not show a spinner", error);
            }
        });
    }

    fn end(&self, built: bool) -> Option<Recording> {
        Python::attach(|py| {
            let ended = self
                .build
                .bind(py)
                .call_method1(intern!(py, "end"), (built,));
            match ended {
                Ok(recording) if recording.is_none() => None,
                Ok(recording) => match recorded(&recording) {
                    Ok(recording) => Some(recording),
                    Err(error) => {
                        log::error(py, "the host's recording cannot be kept", error);
                        None
                    }
                },
                Err(error) => {
                    log::error(py, "the host could not end a build", error);
                    None
                }
            }
        })
    }
}

/// For how long a host has resources handed out that are too old, with this maximum age and a refresh in
/// the background; where it says nothing, the engine does. How many refreshes may run at a time it says too.
///
/// # Errors
/// What the adapter raises.
pub(crate) fn stale_after(py: Python<'_>, ttl: Option<Duration>) -> PyResult<Option<Duration>> {
    let Some(adapter) = hosts::find(py)? else {
        return Ok(None);
    };
    let Some(refreshing) = adapter.getattr_opt(intern!(py, "refreshing"))? else {
        return Ok(None);
    };
    let (multiplier, workers): (f64, usize) = refreshing.call0()?.extract()?;
    process::take_workers(workers);
    // One more age, or as much of it as the host says.
    Ok(
        ttl.and_then(|ttl| {
            Duration::try_from_secs_f64(ttl.as_secs_f64() * (multiplier - 1.0)).ok()
        }),
    )
}

/// A host's recording as the engine keeps it, with what it observed.
fn recorded(recording: &Bound<'_, PyAny>) -> PyResult<Recording> {
    let py = recording.py();
    let ids = recording.getattr(intern!(py, "observed"))?;
    let kept = Recording::new(recording.clone().unbind());
    if ids.is_none() {
        return Ok(kept);
    }
    let mut shape = Encoder::new();
    write(&mut shape, &ids)?;
    Ok(kept.observing(Observed::new(ids.unbind(), &shape.finish())))
}

fn write(encoder: &mut Encoder, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let cx = Context {
        function: "the host",
        hash_funcs: None,
    };
    encode::encode(value.py(), encoder, value.as_ptr(), "observed", &cx)?;
    Ok(())
}

/// The adapter in force, for Python to see.
static ADAPTER: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// Finds a host that runs in this process and has not been set yet.
///
/// Asked at each miss, and at each access to a session's entry; the answer is remembered once there is
/// one.
pub(crate) fn find(py: Python<'_>) -> PyResult<()> {
    let engine = crate::process::engine();
    if engine.host().is_some() {
        return Ok(());
    }
    if let Some(adapter) = get(py) {
        // A child process has an engine of its own.
        set(py, Some(adapter));
        return Ok(());
    }
    if let Some(adapter) = hosts::find(py)? {
        set(py, Some(adapter.unbind()));
    }
    Ok(())
}

/// Sets the host, or takes it away.
pub(crate) fn set(py: Python<'_>, adapter: Option<Py<PyAny>>) {
    let kept = adapter.as_ref().map(|it| it.clone_ref(py));
    let before = {
        let mut adapter = ADAPTER.lock().expect("nothing panics under this lock");
        std::mem::replace(&mut *adapter, kept)
    };
    drop(before);
    let host = adapter.map(|adapter| Arc::new(PyHost { adapter }) as Arc<dyn Host>);
    crate::process::engine().set_host(host);
}

/// The host in force, where it is one written in Python.
pub(crate) fn get(py: Python<'_>) -> Option<Py<PyAny>> {
    let adapter = ADAPTER.lock().expect("nothing panics under this lock");
    adapter.as_ref().map(|it| it.clone_ref(py))
}
