//! A Python object as a resource of the engine: how it is handed out, checked, watched, released.
//!
//! Who uses a resource? Whoever holds a reference beyond those that existed when it was built, and
//! whoever is in a `with` block over a lease of it. The first is what a drain waits for; the second
//! delays a release in any case.
#![allow(unsafe_code)]

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::exceptions::{PyException, PyKeyboardInterrupt, PyStopIteration};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use tenure::fleet::KnownAs;
use tenure::front::{Holding, Identity, Later};
use tenure::{Behaviour, Cause, Interrupt, ReleaseFailed, SessionId};

use crate::caller::attach;
use crate::caller::user_code;
use crate::decoration::fingerprint::{Decoration, Firsts};
use crate::decoration::provenance;
use crate::function::shape;
use crate::life::callback::{KEEP_IF, OnRelease, Part, Question, VALIDATE, release_raised};
use crate::life::claims::{self, Claim};
use crate::life::failure::Failure;
use crate::life::interrupts;
use crate::life::measures::{Weight, own_ttl};
use crate::life::raised::{Forked, interrupt};
use crate::life::traces;
use crate::process::once::intern;
use crate::process::{self, fleet};
use crate::program::scope::Sharing;
use crate::tasks::ticket::{BoundToLoop, LoopState, Releasing};
use crate::words::log;

/// A cached object, and how many references to it there were before the cache handed it out.
pub(crate) struct Held {
    object: Py<PyAny>,
    baseline: u32,
    /// What its build has added to the gauge of its weight, where there is one.
    measured: u32,
    leave: Option<Box<Leave>>,
}

/// The part of a release beside `on_release`, and where it is done.
pub(crate) enum Leave {
    /// Go on behind the `yield` of this generator.
    Generator(Py<PyAny>),
    /// Leave this context manager.
    Manager(Py<PyAny>),
    /// Act on the event loop that built the resource, and have its keeper leave it.
    OnLoop {
        home: Py<PyAny>,
        state: LoopState,
        keeper: Option<Py<PyAny>>,
        /// Where it can be released there alone.
        bound: Option<BoundToLoop>,
    },
}

impl Held {
    /// Takes over a new reference, which only the caller holds beyond what the object's own
    /// surroundings do.
    pub(crate) fn new(object: Bound<'_, PyAny>, leave: Option<Leave>) -> Self {
        let baseline = u32::try_from(references(&object) - 1).unwrap_or(u32::MAX);
        Self {
            object: object.unbind(),
            baseline,
            measured: 0,
            leave: leave.map(Box::new),
        }
    }

    pub(crate) fn weighing(mut self, measured: u32) -> Self {
        self.measured = measured;
        self
    }

    /// The same resource in a child process, which leaves nothing: one more reference, never given back.
    /// Those who used it in the parent use it here.
    pub(crate) fn heir(&self, py: Python<'_>) -> Self {
        Self {
            object: self.object.clone_ref(py),
            // The parent's reference is still there.
            baseline: self.baseline.saturating_add(1),
            leave: None,
            measured: self.measured,
        }
    }

    pub(crate) fn leave(&self) -> Option<&Leave> {
        self.leave.as_deref()
    }

    /// Whether the loop that built it has ended.
    #[inline]
    pub(crate) fn is_of_ended_loop(&self) -> bool {
        match self.leave.as_deref() {
            Some(Leave::OnLoop { state, .. }) => state.is_over(),
            _ => false,
        }
    }

    /// One more reference. Runs no Python.
    #[inline]
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Py<PyAny> {
        self.object.clone_ref(py)
    }

    pub(crate) fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.object.bind(py)
    }

    /// Keeps it from being released until the claim is dropped.
    pub(crate) fn claim(&self, py: Python<'_>) -> Claim {
        Claim::new(self.object.clone_ref(py))
    }

    /// The number of references to it beside the cache's own, and of those among them that came after its build;
    /// nothing where references say nothing.
    pub(crate) fn users(&self, py: Python<'_>) -> Option<(isize, isize)> {
        let object = self.object.bind(py);
        let others = references(object) - 1;
        is_counted(object).then(|| (others, others - self.baseline as isize))
    }

    /// Whether it is this very object.
    pub(crate) fn is(&self, object: &Bound<'_, PyAny>) -> bool {
        self.object.is(object)
    }

    /// Whether it stands at this address.
    pub(crate) fn is_at(&self, address: usize) -> bool {
        self.object.as_ptr().addr() == address
    }

    /// Whether anything of these modules can be seen in it.
    pub(crate) fn is_made_of(&self, modules: &Bound<'_, PyFrozenSet>) -> bool {
        provenance::is_made_of(self.object.bind(modules.py()), modules)
    }

    fn is_claimed(&self, _: Python<'_>) -> bool {
        claims::are_any() && claims::await_end(self.object.as_ptr().addr())
    }
}

fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: a live object.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// The callbacks of one cached function.
pub(crate) struct Callbacks {
    pub(crate) name: String,
    /// Its name with its module, whatever that is.
    pub(crate) full_name: Arc<str>,
    /// Its name among the members of a fleet.
    pub(crate) known_as: String,
    /// The identity that it was registered with first.
    pub(crate) identity: Identity,
    /// Of which classes its resources have been.
    pub(crate) kinds: Kinds,
    pub(crate) validate: Option<Py<PyAny>>,
    pub(crate) keep_if: Option<Py<PyAny>>,
    pub(crate) weight: Option<Weight>,
    /// A resource's own maximum age.
    pub(crate) ttl: Option<Py<PyAny>>,
    /// The function that was decorated last of those that share its entries.
    pub(crate) latest: Mutex<Option<Py<PyWeakrefReference>>>,
    pub(crate) on_release: Option<OnRelease>,
    /// Who shares an entry.
    pub(crate) sharing: Sharing,
    /// What they hold, for which what it was at first goes on counting.
    pub(crate) _firsts: Firsts,
    /// What the function itself holds, as it was decorated first.
    pub(crate) decoration: Decoration,
}

/// The classes of what one function has built, by address, up to a bound: to tell a resource that has
/// ended, which is nothing to complain of, from what never was one. A class that has come to stand
/// where another was passes for it, which costs no more than the complaint.
///
/// Locked only by who holds the interpreter, so that it is free after a fork.
#[derive(Default)]
pub(crate) struct Kinds(Mutex<Vec<usize>>);

impl Kinds {
    const MOST: usize = 64;

    pub(crate) fn note(&self, object: &Held, py: Python<'_>) {
        let class = object.object.bind(py).get_type_ptr().addr();
        let mut kinds = self.0.lock().expect("nothing panics under this lock");
        if kinds.len() < Self::MOST && !kinds.contains(&class) {
            kinds.push(class);
        }
    }

    /// Whether nothing of this object's class has been built.
    pub(crate) fn is_foreign(&self, object: &Bound<'_, PyAny>) -> bool {
        let class = object.get_type_ptr().addr();
        let kinds = self.0.lock().expect("nothing panics under this lock");
        kinds.len() < Self::MOST && !kinds.contains(&class)
    }
}

impl Callbacks {
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.validate)?;
        visit.call(&self.keep_if)?;
        visit.call(&self.ttl)?;
        self.weight.iter().try_for_each(|it| it.traverse(visit))?;
        visit.call(self.sharing.callable())?;
        self.on_release.iter().try_for_each(|it| it.traverse(visit))
    }

    pub(crate) fn note_latest(&self, cached: Py<PyWeakrefReference>) {
        let mut latest = self.latest.lock().expect("nothing panics under this lock");
        let before = latest.replace(cached);
        drop(latest);
        drop(before);
    }

    /// The function that was decorated last, unless it is gone.
    pub(crate) fn latest<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let latest = self.latest.lock().expect("nothing panics under this lock");
        let latest = latest.as_ref()?.clone_ref(py);
        latest.bind(py).upgrade()
    }

    /// Asks what a resource is like. What that raises ends the call.
    fn measure<T>(
        &self,
        value: &Held,
        ask: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> Result<T, Interrupt> {
        Python::attach(|py| {
            let generation = process::generation();
            let answer = ask(value.object(py));
            if process::is_left_behind(generation) {
                return Err(Interrupt(Box::new(Forked)));
            }
            answer.map_err(interrupt)
        })
    }

    /// Asks a callback of a resource. One that raises has said no, and is logged; one that is not
    /// there has said yes.
    fn ask(
        &self,
        question: &Question,
        callback: Option<&Py<PyAny>>,
        value: &Held,
    ) -> Result<bool, Interrupt> {
        let Some(callback) = callback else {
            return Ok(true);
        };
        Python::attach(|py| {
            let generation = process::generation();
            let answer = user_code::apply(callback.bind(py), [value.object.bind(py)]);
            if process::is_left_behind(generation) {
                return Err(Interrupt(Box::new(Forked)));
            }
            match answer {
                Ok(answer) => question.answered(&self.name, &answer).map_err(interrupt),
                Err(error) if error.is_instance_of::<PyException>(py) => {
                    question.raised(py, &self.name, error);
                    Ok(false)
                }
                Err(error) => Err(interrupt(error)),
            }
        })
    }

    /// Releases on this thread: the callback, and then what is to be left.
    fn release_here(
        &self,
        object: &Bound<'_, PyAny>,
        leave: Option<Leave>,
        cause: Cause,
    ) -> Result<(), ReleaseFailed> {
        let py = object.py();
        let called = match &self.on_release {
            Some(on_release) => on_release.call(object, cause).map(drop),
            None => Ok(()),
        };
        let called = called.map_err(|error| self.failed(py, Part::OnRelease, error, cause));
        let left = match leave {
            Some(Leave::Generator(steps)) => go_on(&self.name, steps.bind(py)),
            Some(Leave::Manager(manager)) => exit(manager.bind(py)),
            _ => Ok(()),
        };
        called.and(left.map_err(|error| self.failed(py, Part::Teardown, error, cause)))
    }

    /// Logs what a release raised, or keeps what is meant for somebody else.
    fn failed(&self, py: Python<'_>, part: Part, error: PyErr, cause: Cause) -> ReleaseFailed {
        if !error.is_instance_of::<PyException>(py) {
            pass_to_caller(py, &error);
        }
        release_raised(py, &self.name, part, Some(cause), error);
        ReleaseFailed
    }

    /// Has the release run on the loop that built the resource.
    fn begin_on_loop(
        &self,
        py: Python<'_>,
        object: &Bound<'_, PyAny>,
        (home, keeper): (&Py<PyAny>, Option<Py<PyAny>>),
        cause: Cause,
        later: &Later<'_>,
    ) -> Result<(), ReleaseFailed> {
        if self.on_release.is_none() && keeper.is_none() {
            return Ok(());
        }
        let part = Part::of(self.on_release.is_some(), keeper.is_some());
        let begin = || {
            let on_release = self.on_release.as_ref();
            let on_release = on_release.map(|it| it.with(object, cause)).transpose()?;
            let ticket = Releasing::new(&self.name, part, cause, later.begin());
            let ticket = Bound::new(py, ticket)?;
            home.bind(py)
                .call_method1(intern!(py, "release"), (keeper, on_release, ticket))
        };
        match begin() {
            Ok(_) => Ok(()),
            // What came out of the callback itself has been logged and counted.
            Err(error) if !error.is_instance_of::<PyException>(py) => {
                pass_to_caller(py, &error);
                Ok(())
            }
            Err(error) => Err(self.failed(py, part, error, cause)),
        }
    }
}

/// Keeps what is no `Exception` for the caller that led here, or for the program.
fn pass_to_caller(py: Python<'_>, error: &PyErr) {
    if !interrupts::keep(py, error) && error.is_instance_of::<PyKeyboardInterrupt>(py) {
        pass_on_interrupt(py);
    }
}

/// Has a generator go on behind its `yield`, to its end.
fn go_on(function: &str, steps: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = steps.py();
    let next = steps.getattr(intern!(py, "__next__"))?;
    match user_code::apply(&next, []) {
        Err(error) if error.is_instance_of::<PyStopIteration>(py) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            steps.call_method0(intern!(py, "close"))?;
            Err(shape::yielded_twice(function))
        }
    }
}

/// Leaves a context manager, as a `with` block does whose body raised nothing.
fn exit(manager: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = manager.py();
    let none = py.None();
    let none = none.bind(py);
    let exit = manager.get_type().getattr(intern!(py, "__exit__"))?;
    user_code::apply(&exit, [manager, none, none, none]).map(drop)
}

impl Behaviour<Held> for Callbacks {
    fn validate(&self, value: &Held) -> Result<bool, Interrupt> {
        self.ask(&VALIDATE, self.validate.as_ref(), value)
    }

    fn keeps(&self, value: &Held) -> Result<bool, Interrupt> {
        self.ask(&KEEP_IF, self.keep_if.as_ref(), value)
    }

    fn weight(&self, value: &Held) -> Result<u64, Interrupt> {
        match &self.weight {
            None => Ok(0),
            Some(weight) => self.measure(value, |resource| {
                weight.of(&self.name, resource, value.measured)
            }),
        }
    }

    fn ttl(&self, value: &Held) -> Result<Option<Duration>, Interrupt> {
        match &self.ttl {
            None => Ok(None),
            Some(ttl) => self.measure(value, |resource| own_ttl(&self.name, ttl, resource)),
        }
    }

    /// What has to be left has been entered anew.
    fn is_same(&self, kept: &Held, built: &Held) -> bool {
        let leaves = kept.leave.is_some() || built.leave.is_some();
        !leaves && kept.object.is(&built.object)
    }

    fn full_name(&self) -> Option<Arc<str>> {
        Some(Arc::clone(&self.full_name))
    }

    fn known_as(&self) -> Option<KnownAs> {
        // A handle's end is told by the actor, to whoever uses it.
        if self.sharing.is_by_handle() {
            return None;
        }
        let name = format!("python {}", self.known_as);
        Some(KnownAs::new(&name, fleet::language()))
    }

    fn refresh_failed(&self, function: &str, failure: &dyn Any) {
        let Some(failure) = failure.downcast_ref::<Failure>() else {
            return;
        };
        attach::with(|py| {
            let text =
                format!("{function} could not be built anew; the old resource stays while it may");
            log::error(py, &text, failure.raise_own(py));
        });
    }

    fn build_failed(&self, function: &str, failure: &dyn Any) {
        let Some(failure) = failure.downcast_ref::<Failure>() else {
            return;
        };
        attach::with(|py| {
            let text = format!("{function} could not be built, and nobody waited for it any more");
            log::error(py, &text, failure.raise_own(py));
        });
    }

    fn gave_way(&self, function: &str, why: &str, weight: u64) {
        let weight = match weight {
            0 => String::new(),
            weight => format!(" (weight={weight})"),
        };
        attach::with(|py| log::info(py, format_args!("{function}: {why}{weight}")));
    }

    fn release_or_begin(
        &self,
        value: Held,
        cause: Cause,
        later: &Later<'_>,
    ) -> Result<(), ReleaseFailed> {
        // Where the interpreter has ended, its objects have with it.
        attach::with(|py| {
            let Held { object, leave, .. } = value;
            let object = object.into_bound(py);
            if traces::are_kept() {
                traces::released(py, &object);
            }
            match leave.map(|it| *it) {
                Some(Leave::OnLoop { home, keeper, .. }) => {
                    self.begin_on_loop(py, &object, (&home, keeper), cause, later)
                }
                leave => self.release_here(&object, leave, cause),
            }
        })
        .unwrap_or(Ok(()))
    }

    fn scope(&self) -> Result<Option<SessionId>, Interrupt> {
        Python::attach(|py| self.sharing.present(py, &self.name)).map_err(interrupt)
    }

    fn scope_is_of_callers(&self) -> bool {
        self.sharing.callable().is_some()
    }

    fn scope_word(&self) -> &'static str {
        self.sharing.word()
    }

    fn scope_has_ended(&self, scope: &str) -> Result<bool, Interrupt> {
        Python::attach(|py| self.sharing.has_ended(py, scope)).map_err(interrupt)
    }

    fn place(&self, value: &Held) -> Option<u64> {
        match value.leave() {
            Some(Leave::OnLoop { state, bound, .. }) => bound.as_ref().map(|_| state.number()),
            _ => None,
        }
    }

    fn holding(&self) -> Holding {
        Holding::Watched
    }

    fn in_use(&self, value: &Held) -> bool {
        // Whoever holds a handle holds nothing of what it stands for.
        if self.sharing.is_by_handle() {
            return false;
        }
        attach::with(|py| {
            // Asked first, so that the end of a claim is told, whoever else uses it.
            let is_claimed = value.is_claimed(py);
            let users = value.users(py);
            is_claimed || users.is_some_and(|(_, later)| later > 0)
        })
        .unwrap_or(false)
    }

    fn is_claimed(&self, value: &Held) -> bool {
        if !claims::are_any() {
            return false;
        }
        attach::with(|py| value.is_claimed(py)).unwrap_or(false)
    }
}

/// Whether references to an object say anything: those to shared constants do not, and those to an
/// immortal object are not counted.
fn is_counted(object: &Bound<'_, PyAny>) -> bool {
    /// No program holds so many, and those that Python gives to an immortal object are more.
    const IMMORTAL: isize = 1 << 30;
    if references(object) >= IMMORTAL {
        return false;
    }
    // SAFETY: only the type of a live object is read.
    unsafe {
        let class = ffi::Py_TYPE(object.as_ptr());
        let shared = [
            ffi::Py_TYPE(ffi::Py_None()),
            &raw mut ffi::PyBool_Type,
            &raw mut ffi::PyLong_Type,
            &raw mut ffi::PyFloat_Type,
            &raw mut ffi::PyUnicode_Type,
            &raw mut ffi::PyBytes_Type,
        ];
        !shared.contains(&class)
    }
}

/// A Ctrl-C that came during a callback of the main thread that no call led to is for the program: it
/// comes again once this thread has nothing more to release.
fn pass_on_interrupt(py: Python<'_>) {
    let is_main = || {
        let threading = py.import(intern!(py, "threading"))?;
        let main = threading.call_method0(intern!(py, "main_thread"))?;
        let here = threading.call_method0(intern!(py, "current_thread"))?;
        Ok::<_, PyErr>(main.is(&here))
    };
    if is_main().unwrap_or(false) {
        // SAFETY: only notes that the signal has come.
        tenure::front::after_releases(|| unsafe { ffi::PyErr_SetInterrupt() });
    }
}
