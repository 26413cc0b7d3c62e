//! A build that a task carries.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use pyo3::exceptions::PyRuntimeError;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};
use tenure::front::{BuildError, Detached};

use crate::function::again::Given;
use crate::function::cached::Cached;
use crate::function::registration::{KnownFunction, held};
use crate::function::shape::{self, Shape};
use crate::life::awaitables;
use crate::life::failure::Failure;
use crate::life::interrupts;
use crate::life::measures::{added, present};
use crate::life::raised::raised;
use crate::life::resource::{Held, Leave};
use crate::life::traces;
use crate::process;
use crate::process::once::intern;
use crate::tasks::frames::{self, Frame, FrameKind};
use crate::tasks::ticket::LoopState;
use crate::tasks::waiter::Wakes;

/// A build that a task carries.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct TaskBuild {
    cached: Py<Cached>,
    number: u64,
    function: Arc<KnownFunction>,
    generation: u32,
    build: Detached<Held, Failure>,
    /// Taken by the build itself.
    arguments: Mutex<Option<Given>>,
    /// What its gauge said before it, where it has one.
    before: Mutex<Option<i128>>,
    /// The exception that ended it and is meant for the caller that began it.
    interruption: Mutex<Option<Py<PyAny>>>,
}

impl TaskBuild {
    pub(crate) fn new(
        py: Python<'_>,
        cached: &Py<Cached>,
        arguments: Given,
        function: Arc<KnownFunction>,
        build: Detached<Held, Failure>,
        number: u64,
    ) -> Self {
        Self {
            cached: cached.clone_ref(py),
            number,
            function,
            generation: process::generation(),
            build,
            arguments: Mutex::new(Some(arguments)),
            before: Mutex::default(),
            interruption: Mutex::default(),
        }
    }

    fn name(&self) -> &str {
        self.cached.get().name()
    }

    fn end(&self, py: Python<'_>, outcome: Result<Held, BuildError<Failure>>) -> PyResult<()> {
        if process::is_left_behind(self.generation) {
            return Ok(());
        }
        let _current = self.cached.get().current();
        interrupts::to_caller(py, || {
            let failure = |interrupt| Failure::new(py, raised(interrupt));
            drop(self.build.finish(outcome, failure));
            Ok(())
        })
    }
}

#[pymethods]
impl TaskBuild {
    /// The number of the build, which waiters know it by.
    #[getter]
    fn number(&self) -> u64 {
        self.number
    }

    /// The name of the function.
    #[getter]
    fn function(&self) -> &str {
        self.name()
    }

    /// How the resource is made: `"coroutine"`, `"generator"` or `"entered"`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.cached.get().shape() {
            _ if self.cached.get().is_remote() => "coroutine",
            shape if shape.enters => "entered",
            Shape {
                is_generator: true, ..
            } => "generator",
            _ => "coroutine",
        }
    }

    /// Whether what it gives can be released on the loop that builds it alone.
    #[getter]
    fn is_bound(&self) -> bool {
        self.kind() != "coroutine" || self.cached.get().releases_async()
    }

    /// The error for a caller on a loop that ends, and has released what lived there.
    fn refused(&self) -> PyErr {
        let name = self.name();
        PyRuntimeError::new_err(format!(
            "{name} is not built here: its event loop ends, and has released what lived on it already, so \
             that nobody would release this one. Ask for it while the program's tasks still run, and \
             wait in them for the threads that ask for it"
        ))
    }

    /// Has `told` called, on whatever thread, once it is the build's turn among the members of a fleet, or nobody
    /// carries it any more. `False`: it is its turn.
    fn await_turn(&self, told: Py<PyAny>) -> bool {
        !self.build.poll_turn(&Waker::from(Arc::new(Wakes(told))))
    }

    /// Calls the function itself; what it gives is to be awaited or iterated.
    fn make(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let arguments = self
            .arguments
            .lock()
            .expect("nothing panics under this lock")
            .take();
        let (args, kwargs) =
            arguments.ok_or_else(|| PyRuntimeError::new_err("this build has begun already"))?;
        if let Some(gauge) = self.cached.get().gauge(py) {
            let before = present(gauge)?;
            *self.before.lock().expect("nothing panics under this lock") = Some(before);
        }
        let kwargs = kwargs.as_ref().map(|it| it.bind(py));
        let builder = self.cached.get().builder(py);
        Ok(builder.call(args.bind(py), kwargs)?.unbind())
    }

    /// Checks that the function gave a context manager, and gives it back.
    fn entered(&self, manager: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.cached.get().shape().manager(self.name(), &manager)?;
        Ok(manager.unbind())
    }

    /// The build as something that code can be inside of.
    fn inside<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Frame>> {
        frames::nested(py, FrameKind::Build(self.build.place()))
    }

    /// The function has given its resource on this home; a keeper will leave it. `False`: that is none.
    ///
    /// The list holds the resource and nothing else, so that the references to it can be counted.
    fn done(
        &self,
        resource: &Bound<'_, PyList>,
        home: Bound<'_, PyAny>,
        keeper: Option<Py<PyAny>>,
    ) -> PyResult<bool> {
        let py = home.py();
        let resource = resource.call_method0(intern!(py, "pop"))?;
        // Whoever yields a task or enters one means to leave it.
        if keeper.is_none() && awaitables::is_unfinished(&resource)? {
            let error = awaitables::refused_result(self.name(), &resource);
            self.end(py, Err(BuildError::Failed(Failure::new(py, error))))?;
            return Ok(false);
        }
        if let Err(error) = self
            .cached
            .get()
            .shape()
            .refuse_manager(self.name(), &resource)
        {
            self.end(py, Err(BuildError::Failed(Failure::new(py, error))))?;
            return Ok(false);
        }
        let state: Bound<'_, LoopState> = home.getattr(intern!(py, "state"))?.cast_into()?;
        let state = state.get().clone();
        let is_bound = keeper.is_some() || self.cached.get().releases_async();
        let leave = Leave::OnLoop {
            bound: is_bound.then(|| state.bind(self.generation)),
            state,
            home: home.unbind(),
            keeper,
        };
        if traces::are_kept() {
            traces::built_by_task(py, self.name(), &resource);
        }
        // A handle lives on no loop.
        let leave = (!self.cached.get().is_remote()).then_some(leave);
        let mut held = held(py, &self.function, resource, leave);
        let before = *self.before.lock().expect("nothing panics under this lock");
        if let Some((gauge, before)) = self.cached.get().gauge(py).zip(before) {
            held = held.weighing(added(gauge, before));
        }
        self.end(py, Ok(held))?;
        Ok(true)
    }

    /// The function has raised.
    fn failed(&self, py: Python<'_>, error: Bound<'_, PyAny>) -> PyResult<()> {
        let failure = Failure::new(py, PyErr::from_value(error));
        self.end(py, Err(BuildError::Failed(failure)))
    }

    /// The function was ended by what is no `Exception`, and is meant for the caller that began the build:
    /// those who wait look again.
    fn interrupted(&self, py: Python<'_>, error: Py<PyAny>) -> PyResult<()> {
        let before = {
            let mut interruption = self
                .interruption
                .lock()
                .expect("nothing panics under this lock");
            interruption.replace(error)
        };
        drop(before);
        self.abandon(py)
    }

    /// The exception that has ended the build, for the caller that began it.
    fn interruption(&self) -> Option<Py<PyAny>> {
        let mut interruption = self
            .interruption
            .lock()
            .expect("nothing panics under this lock");
        interruption.take()
    }

    /// A cancellation came out of the function that nobody had asked for.
    fn cancelled_within(&self, py: Python<'_>, error: Bound<'_, PyAny>) -> PyResult<()> {
        let class = if error.is_instance_of::<CancelledError>() {
            "asyncio.CancelledError"
        } else {
            "trio.Cancelled"
        };
        let told = PyRuntimeError::new_err(format!(
            "the build of {} ended with a cancellation of its own: something that it awaits was \
             cancelled. Handle {class} in the function",
            self.name()
        ));
        told.set_cause(py, Some(PyErr::from_value(error)));
        self.failed(py, told.into_value(py).into_bound(py).into_any())
    }

    /// Nobody carries the build any more: those who wait look again.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        if process::is_left_behind(self.generation) {
            return Ok(());
        }
        interrupts::to_caller(py, || {
            self.build.abandon();
            Ok(())
        })
    }

    /// The error for a generator without a `yield` on its way.
    fn yielded_never(&self) -> PyErr {
        shape::yielded_never(self.name())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cached)?;
        let arguments = self.arguments.try_lock().ok();
        if let Some(Some((args, kwargs))) = arguments.as_deref() {
            visit.call(args)?;
            visit.call(kwargs)?;
        }
        Ok(())
    }
}
