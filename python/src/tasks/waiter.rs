//! A task that waits for a build, as its carrier sees it.
#![allow(unsafe_code)]

use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tenure::front::{self, Awaiting, Landed};

use crate::caller::attach;
use crate::life::failure::Failure;
use crate::life::resource::Held;
use crate::words::errors::{self, Kind};
use crate::words::log;

type Caller = Awaiting<Held, Failure>;

/// A task that waits for a build.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct TaskWaiter {
    number: u64,
    is_beside: bool,
    /// Nothing once it has landed or given up.
    caller: Mutex<Option<Caller>>,
}

impl TaskWaiter {
    pub(crate) fn new(caller: Caller) -> Self {
        Self {
            number: caller.build(),
            is_beside: caller.is_beside(),
            caller: Mutex::new(Some(caller)),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn take(&self) -> PyResult<Caller> {
        let caller = self
            .caller
            .lock()
            .expect("nothing panics under this lock")
            .take();
        caller.ok_or_else(|| PyRuntimeError::new_err("this wait is over"))
    }
}

#[pymethods]
impl TaskWaiter {
    /// The number of the build.
    fn build(&self) -> u64 {
        self.number
    }

    /// Whether a build has begun the task that waits, and may not wait for it.
    #[getter]
    fn is_beside(&self) -> bool {
        self.is_beside
    }

    /// The error for such a task, where it waits in a circle now: one of waits, if the build waits for it.
    fn circle(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let chain = {
            let caller = self.caller.lock().expect("nothing panics under this lock");
            caller.as_ref().and_then(Awaiting::circle)?
        };
        let text = format!(
            "{} If the task that waits is one that {} has begun and does not wait for, begin it outside of \
             the build: `contextvars.Context().run(asyncio.create_task, ...)`.",
            front::cycle_text(&chain),
            chain[0]
        );
        let error = errors::raise(py, Kind::Cycle, text, None);
        Some(error.into_value(py).into_any())
    }

    /// Has `wake` called, on whatever thread, once the build has ended, for as long as what this gives
    /// lives. `None`: it has ended already.
    fn landing(&self, wake: Py<PyAny>) -> PyResult<Option<TaskLanding>> {
        let caller = self.caller.lock().expect("nothing panics under this lock");
        let caller = caller.as_ref();
        let mut end = caller
            .map(Awaiting::end)
            .ok_or_else(|| PyRuntimeError::new_err("this wait is over"))?;
        let waker = Waker::from(Arc::new(Wakes(wake)));
        let has_ended = end.poll_with(&waker);
        Ok((!has_ended).then(|| TaskLanding(Mutex::new(end))))
    }

    /// The task no longer waits.
    fn give_up(&self) {
        let caller = self
            .caller
            .lock()
            .expect("nothing panics under this lock")
            .take();
        if let Some(caller) = caller {
            caller.give_up();
        }
    }
}

/// The wish to be woken when a build has ended, for as long as it lives.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct TaskLanding(#[expect(dead_code)] Mutex<Landed<Held, Failure>>);

/// What wakes tasks: called on whatever thread, with nothing.
pub(super) struct Wakes(pub(super) Py<PyAny>);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        attach::with(|py| {
            if let Err(error) = self.0.bind(py).call0() {
                log::error(
                    py,
                    "the tasks that wait for a build could not be woken",
                    error,
                );
            }
        });
    }
}
