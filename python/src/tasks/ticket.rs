//! A release that goes on, on a loop: who counts it, and what becomes of it where the loop is closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use tenure::{Cause, LateRelease};

use crate::log;

/// Whether an event loop has ended, for all that were built on it.
#[pyclass(frozen, module = "tenure._native")]
#[derive(Clone)]
pub(crate) struct LoopState(Arc<AtomicBool>);

#[pymethods]
impl LoopState {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    /// Whether the loop has ended.
    #[getter]
    fn is_over(&self) -> bool {
        self.is_set()
    }

    /// The loop has ended.
    fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl LoopState {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A release that goes on, on a loop.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct Releasing {
    name: String,
    cause: Cause,
    /// Counted by the engine until it has ended.
    late: Mutex<Option<LateRelease>>,
    has_failed: AtomicBool,
}

impl Releasing {
    pub(crate) fn new(name: &str, cause: Cause, late: LateRelease) -> Self {
        Self {
            name: name.to_owned(),
            cause,
            late: Mutex::new(Some(late)),
            has_failed: AtomicBool::new(false),
        }
    }

    fn lose(&self, py: Python<'_>) {
        self.has_failed.store(true, Ordering::Relaxed);
        let text = format!(
            "a resource of {name} was not released (cause: {cause}): its event loop had been closed \
             without a word. Run loops with asyncio.run or asyncio.Runner, which close \
             asynchronous generators, or write `await loop.shutdown_asyncgens()` before \
             `loop.close()`",
            name = self.name,
            cause = self.cause,
        );
        log::line(py, true, &text);
    }
}

#[pymethods]
impl Releasing {
    /// The name of the function.
    #[getter]
    fn function(&self) -> &str {
        &self.name
    }

    /// A part of the release has raised, and has been told of where no error is given; the rest goes on.
    fn failed(&self, py: Python<'_>, error: Option<Bound<'_, PyAny>>) {
        self.has_failed.store(true, Ordering::Relaxed);
        let Some(error) = error else {
            return;
        };
        let text = format!("on_release of {} raised (cause: {})", self.name, self.cause);
        log::error(py, &text, PyErr::from_value(error));
    }

    /// The release has ended.
    fn done(&self) {
        let late = self
            .late
            .lock()
            .expect("nothing panics under this lock")
            .take();
        if let Some(late) = late
            && self.has_failed.load(Ordering::Relaxed)
        {
            late.failed();
        }
    }

    /// The loop is closed: what needs none is done here, and the rest is lost. `is_left`: the resource
    /// would have had to be left there too.
    fn has_no_loop(
        &self,
        py: Python<'_>,
        on_release: Option<Bound<'_, PyAny>>,
        is_left: bool,
    ) -> PyResult<()> {
        let mut is_lost = is_left;
        if let Some(on_release) = on_release {
            match on_release.call0() {
                Ok(answer) if answer.get_type().hasattr(intern!(py, "__await__"))? => {
                    // It has not begun, and Python would warn that nobody awaited it.
                    if let Some(close) = answer.getattr_opt(intern!(py, "close"))? {
                        close.call0()?;
                    }
                    is_lost = true;
                }
                Ok(_) => {}
                Err(error) if error.is_instance_of::<PyException>(py) => {
                    self.failed(py, Some(error.into_value(py).into_bound(py).into_any()));
                }
                Err(error) => return Err(error),
            }
        }
        if is_lost {
            self.lose(py);
        }
        self.done();
        Ok(())
    }
}
