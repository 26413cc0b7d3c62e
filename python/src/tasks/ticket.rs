//! A release that goes on, on a loop: who counts it, and what becomes of it where the loop is closed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use tenure::Cause;
use tenure::front::LateRelease;

use crate::life::callback::{Part, release_raised};
use crate::process;
use crate::process::once::intern;
use crate::words::log;

/// An event loop, for all that was built on it.
#[pyclass(frozen, module = "tenure._native")]
#[derive(Clone)]
pub(crate) struct LoopState(Arc<Loop>);

struct Loop {
    /// Which no other loop has.
    number: u64,
    is_over: AtomicBool,
    /// How many resources wait to be released there, by the number of the engine that keeps them. Locked only by who
    /// holds the interpreter, so that it is free after a fork.
    bound: Mutex<Vec<(u32, Arc<AtomicUsize>)>>,
}

#[pymethods]
impl LoopState {
    #[new]
    fn new() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        Self(Arc::new(Loop {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            is_over: AtomicBool::new(false),
            bound: Mutex::default(),
        }))
    }

    #[getter]
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Whether the loop has ended.
    #[getter]
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// How many resources of the engine in force wait to be released on the loop: those of other engines stay where
    /// this one's end, as what a module's fixture has built does at the end of a test.
    #[getter]
    fn bound(&self) -> usize {
        let of = process::generation();
        let bound = self.0.bound.lock().expect("nothing panics under this lock");
        let its = bound.iter().find(|it| it.0 == of);
        its.map_or(0, |it| it.1.load(Ordering::Relaxed))
    }

    /// The loop has ended.
    fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl LoopState {
    /// One more resource of the engine with this number is to be released there, for as long as this lives.
    pub(crate) fn bind(&self, generation: u32) -> BoundToLoop {
        let mut bound = self.0.bound.lock().expect("nothing panics under this lock");
        // A loop may outlive any number of tests.
        bound.retain(|it| it.0 == generation || it.1.load(Ordering::Relaxed) > 0);
        let at = bound.iter().position(|it| it.0 == generation);
        let at = at.unwrap_or_else(|| {
            bound.push((generation, Arc::default()));
            bound.len() - 1
        });
        let count = Arc::clone(&bound[at].1);
        count.fetch_add(1, Ordering::Relaxed);
        BoundToLoop(count)
    }
}

/// A resource that is to be released on its loop.
pub(crate) struct BoundToLoop(Arc<AtomicUsize>);

impl Drop for BoundToLoop {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A release that goes on, on a loop.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct Releasing {
    name: String,
    /// The part that may raise.
    part: Part,
    cause: Cause,
    /// Counted by the engine until it has ended.
    late: Mutex<Option<LateRelease>>,
    has_failed: AtomicBool,
}

impl Releasing {
    pub(crate) fn new(name: &str, part: Part, cause: Cause, late: LateRelease) -> Self {
        Self {
            name: name.to_owned(),
            part,
            cause,
            late: Mutex::new(Some(late)),
            has_failed: AtomicBool::new(false),
        }
    }

    fn raised(&self, py: Python<'_>, part: Part, error: PyErr) {
        self.has_failed.store(true, Ordering::Relaxed);
        // Who has cut it off has told of it, and how it then ends is no news.
        if self.is_over() && !error.is_instance_of::<PyException>(py) {
            return;
        }
        release_raised(py, &self.name, part, Some(self.cause), error);
    }

    fn is_over(&self) -> bool {
        self.late
            .lock()
            .expect("nothing panics under this lock")
            .is_none()
    }

    fn tell_lost(&self, py: Python<'_>, what: &str, why: &str) {
        self.has_failed.store(true, Ordering::Relaxed);
        let text = format!(
            "a resource of {name} was not released{what} (cause: {cause}): {why}",
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
        if let Some(error) = error {
            self.raised(py, self.part, PyErr::from_value(error));
        }
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
    /// would have had to be left there too. `why`: how the loop has ended, for the log.
    fn has_no_loop(
        &self,
        py: Python<'_>,
        on_release: Option<Bound<'_, PyAny>>,
        is_left: bool,
        why: &str,
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
                    self.raised(py, Part::OnRelease, error);
                }
                Err(error) => return Err(error),
            }
        }
        if is_lost {
            self.tell_lost(py, "", why);
        }
        self.done();
        Ok(())
    }

    /// The release has begun, and its loop, which has ended so, runs it no further.
    fn cut_off(&self, py: Python<'_>, why: &str) {
        if !self.is_over() {
            self.tell_lost(py, " to the end", why);
            self.done();
        }
    }
}
