//! One call of a cached async function, taken step by step.

use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use tenure::front::{Again, Asked, Detached, Next};
use tenure::{Encoder, Error, Lease, Tags};

use crate::caller::user_code;
use crate::function::again::{Given, Recipe, again};
use crate::function::argument_array::ArgumentArray;
use crate::function::cached::{Cached, to_python};
use crate::function::details::OfCall;
use crate::function::leased::Leased;
use crate::function::registration::{KnownFunction, callbacks};
use crate::life::callback::VALIDATE;
use crate::life::failure::Failure;
use crate::life::interrupts;
use crate::life::raised::interrupt;
use crate::life::resource::Held;
use crate::life::traces;
use crate::process;
use crate::process::once::intern;
use crate::program::host;
use crate::tasks::build::TaskBuild;
use crate::tasks::frames::{self, Entered, Frame, FrameKind};
use crate::tasks::waiter::TaskWaiter;
use crate::words::{code, log};

/// The steps that a carrier can be asked for.
pub(crate) const READY: u8 = 0;
pub(crate) const CHECK: u8 = 1;
pub(crate) const BUILD: u8 = 2;
pub(crate) const WAIT: u8 = 3;

/// A call under way.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct TaskCall {
    cached: Py<Cached>,
    args: Py<PyTuple>,
    kwargs: Option<Py<PyDict>>,
    /// The lease that is to hold the resource, where the call is one for a lease.
    leased: Option<Py<Leased>>,
    function: Arc<KnownFunction>,
    key: Encoder,
    generation: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: Asked,
    check: Option<Check>,
}

/// A check under way, which holds the entry that it is of.
struct Check {
    lease: Lease<Held>,
    /// Code that was started in it may go on after its end.
    frame: Option<Py<Frame>>,
}

type Step = (u8, Py<PyAny>, Option<Py<TaskBuild>>);
type Outcome = (bool, Py<PyAny>);

impl TaskCall {
    pub(crate) fn new(
        cached: &Bound<'_, Cached>,
        args: Bound<'_, PyTuple>,
        kwargs: Option<Bound<'_, PyDict>>,
        leased: Option<Py<Leased>>,
    ) -> PyResult<Self> {
        let py = cached.py();
        if traces::are_kept() {
            traces::task_calls(py)?;
        }
        let array = ArgumentArray::new(None, &args, kwargs.as_ref())?;
        let key = cached.get().key(py, array.arguments())?;
        let function = cached.get().function(py)?;
        Ok(Self {
            cached: cached.clone().unbind(),
            args: args.unbind(),
            kwargs: kwargs.map(Bound::unbind),
            leased,
            function,
            key,
            generation: process::generation(),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    /// The resource, held by the lease where the call is one for a lease.
    fn ready(&self, py: Python<'_>, lease: &Lease<Held>) -> Py<PyAny> {
        self.cached.get().mind_loop(py, lease);
        if let Some(leased) = &self.leased {
            // Before the lease of the engine ends, so that nothing can come in between.
            leased.get().add(lease.claim(py));
        }
        lease.clone_ref(py)
    }

    fn given(&self, py: Python<'_>) -> Given {
        let kwargs = self.kwargs.as_ref().map(|it| it.clone_ref(py));
        (self.args.clone_ref(py), kwargs)
    }

    fn outcome(&self, py: Python<'_>, lease: Option<&Lease<Held>>) -> Outcome {
        match lease {
            Some(lease) => (true, self.ready(py, lease)),
            None => (false, py.None()),
        }
    }

    /// Does what may run the program's code, as a part of what the task is inside of.
    fn engaged<T>(&self, py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        self.inside(py, || frames::enter(py), work)
    }

    fn inside<T>(
        &self,
        py: Python<'_>,
        enter: impl FnOnce() -> PyResult<Vec<Entered>>,
        work: impl FnOnce() -> PyResult<T>,
    ) -> PyResult<T> {
        if process::is_left_behind(self.generation) {
            return Err(PyRuntimeError::new_err(
                "this process was forked while the call was under way, and its event loop is the \
                 parent's. Call again",
            ));
        }
        let _places = enter()?;
        let _current = self.cached.get().current();
        interrupts::to_caller(py, work)
    }

    /// The build of this call as it can be made again on this loop. Nothing where it cannot.
    fn again(&self, home: &Bound<'_, PyAny>) -> Option<Again<Held, Failure>> {
        let py = home.py();
        let cached = self.cached.bind(py).as_any();
        let home = home.clone().unbind();
        let made = again(
            cached,
            &self.function,
            self.given(py),
            Some(home),
            make_on_loop,
        );
        made.map_err(|error| {
            let text = format!(
                "{} cannot be built in the background",
                self.cached.get().name()
            );
            log::error(py, &text, error);
        })
        .ok()
    }

    fn tags(&self, py: Python<'_>) -> PyResult<Tags> {
        let kwargs = self.kwargs.as_ref().map(|it| it.bind(py));
        let array = ArgumentArray::new(None, self.args.bind(py), kwargs)?;
        self.cached.get().tags(py, array.arguments())
    }

    fn shown_arguments(&self, py: Python<'_>) -> Option<Arc<str>> {
        let kwargs = self.kwargs.as_ref().map(|it| it.bind(py));
        let array = ArgumentArray::new(None, self.args.bind(py), kwargs).ok()?;
        self.cached.get().shown_arguments(py, array.arguments())
    }

    /// Ends the check, if there is one, and gives the lease that it held.
    fn taken(&self) -> Option<Lease<Held>> {
        let check = self.state().check.take()?;
        if let Some(frame) = &check.frame {
            frame.get().end();
        }
        Some(check.lease)
    }

    /// Ends the check with what `judge` says of it. Whatever that is, the entry is not held any longer:
    /// an exception may be kept for ever, and this call with it.
    fn judged(
        &self,
        home: &Bound<'_, PyAny>,
        judge: impl FnOnce() -> PyResult<bool>,
    ) -> PyResult<Outcome> {
        let py = home.py();
        let lease = self.taken();
        let lease = lease.ok_or_else(|| PyRuntimeError::new_err("nothing is being checked"))?;
        self.engaged(py, || {
            let is_good = judge()?;
            // Taken out, since what follows may run the program's code.
            let asked = std::mem::take(&mut self.state().asked);
            let kept = self
                .function
                .checked(lease, is_good, &asked, &|| self.again(home));
            self.state().asked = asked;
            let kept = kept.map_err(|error| to_python(py, error))?;
            Ok(self.outcome(py, kept.as_ref()))
        })
    }
}

/// Has a task of the loop carry a build that nobody waits for.
pub(crate) fn make_on_loop(
    cached: Bound<'_, PyAny>,
    build: Detached<Held, Failure>,
    recipe: &Recipe,
) -> PyResult<()> {
    let py = cached.py();
    let cached = cached.cast_into::<Cached>()?;
    let function = cached.get().function(py)?;
    let number = build.number();
    let given = recipe.given(py);
    let array = ArgumentArray::new(
        None,
        given.0.bind(py),
        given.1.as_ref().map(|it| it.bind(py)),
    )?;
    if !cached.get().is_for(py, &build, array.arguments())? {
        return Ok(());
    }
    let build = TaskBuild::new(py, cached.as_unbound(), given, function, build, number);
    let build = Bound::new(py, build)?;
    if let Some(home) = &recipe.home {
        let context = recipe.context(py)?;
        home.bind(py)
            .call_method1(intern!(py, "renew"), (build, context))?;
    }
    Ok(())
}

/// Where the entry of a lease stands, for as long as there is one.
fn entry_address(lease: &Lease<Held>) -> usize {
    std::ptr::from_ref::<Held>(lease).addr()
}

#[pymethods]
impl TaskCall {
    /// The next step: `READY` and the resource, `CHECK` and the resource, `BUILD` with the
    /// caller's wait and the build to be carried, or `WAIT` and the caller's wait.
    fn step(&self, home: &Bound<'_, PyAny>) -> PyResult<Step> {
        let py = home.py();
        if process::is_over() {
            process::stay(py);
        }
        host::find(py)?;
        let work = || {
            let mut asked = std::mem::take(&mut self.state().asked);
            let details = OfCall {
                again: || self.again(home),
                tags: || self.tags(py).map_err(interrupt),
                arguments: || self.shown_arguments(py),
            };
            let next = self.function.next(&self.key.finish(), &mut asked, &details);
            self.state().asked = asked;
            match next.map_err(|error| to_python(py, error))? {
                Next::Ready(lease) => Ok((READY, self.ready(py, &lease), None)),
                Next::Check(lease) => {
                    if frames::is_checking(py, entry_address(&lease))? {
                        let name = self.cached.get().name().to_owned();
                        return Err(to_python(py, Error::Cycle(vec![name.clone(), name])));
                    }
                    let resource = lease.clone_ref(py);
                    self.state().check = Some(Check { lease, frame: None });
                    Ok((CHECK, resource, None))
                }
                Next::Build(build, caller) => {
                    let caller = Bound::new(py, TaskWaiter::new(caller))?;
                    let function = Arc::clone(&self.function);
                    let number = caller.get().number();
                    let build =
                        TaskBuild::new(py, &self.cached, self.given(py), function, build, number);
                    let build = Bound::new(py, build)?;
                    Ok((BUILD, caller.into_any().unbind(), Some(build.unbind())))
                }
                Next::Wait(caller) => {
                    let caller = Bound::new(py, TaskWaiter::new(caller))?;
                    Ok((WAIT, caller.into_any().unbind(), None))
                }
            }
        };
        self.inside(py, || frames::enter_to_wait(home), work)
    }

    /// The end of the build: whether the call is over, and the resource.
    fn landed(&self, py: Python<'_>, caller: &Bound<'_, TaskWaiter>) -> PyResult<Outcome> {
        let caller = caller.get().take()?;
        self.engaged(py, || {
            match self.function.landed(&self.key.finish(), caller) {
                Ok(lease) => Ok(self.outcome(py, lease.as_ref())),
                Err(Error::Failed(failure)) => Err(failure.raise_own(py)),
                Err(error) => Err(to_python(py, error)),
            }
        })
    }

    /// The check as something that code can be inside of.
    fn checking<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Frame>> {
        let address = match &self.state().check {
            Some(check) => entry_address(&check.lease),
            None => 0,
        };
        let frame = frames::nested(py, FrameKind::Check(address))?;
        if let Some(check) = &mut self.state().check {
            check.frame = Some(frame.clone().unbind());
        }
        Ok(frame)
    }

    /// Asks `validate`; what it answers may have to be awaited.
    fn ask(&self, py: Python<'_>, resource: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match &callbacks(&self.function).validate {
            Some(validate) => Ok(user_code::apply(validate.bind(py), [resource])?.unbind()),
            None => Ok(true.into_pyobject(py)?.to_owned().into_any().unbind()),
        }
    }

    /// Takes the answer of `validate`.
    fn checked(&self, home: &Bound<'_, PyAny>, answer: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        self.judged(home, || VALIDATE.answered(self.cached.get().name(), answer))
    }

    /// Takes what `validate` has raised, which is a no.
    fn check_raised(&self, home: &Bound<'_, PyAny>, error: Bound<'_, PyAny>) -> PyResult<Outcome> {
        VALIDATE.raised(
            home.py(),
            self.cached.get().name(),
            PyErr::from_value(error),
        );
        self.judged(home, || Ok(false))
    }

    /// Ends a check that has no answer: it was cancelled.
    fn end_check(&self, py: Python<'_>) -> PyResult<()> {
        match self.taken() {
            Some(lease) => self.engaged(py, || {
                drop(lease);
                Ok(())
            }),
            None => Ok(()),
        }
    }

    /// The error for a caller on no event loop.
    fn no_loop(&self) -> PyErr {
        let name = self.cached.get().name();
        PyRuntimeError::new_err(format!(
            "{name} is an async function, which is built and waited for on an event loop of asyncio or \
             trio, and none runs here. Await it in a task, as in `asyncio.run(main())` with \
             `await {}(...)` in main",
            code::called(name)
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cached)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)?;
        if let Ok(state) = self.state.try_lock() {
            visit.call(state.check.as_ref().and_then(|it| it.frame.as_ref()))?;
        }
        visit.call(&self.leased)
    }
}
