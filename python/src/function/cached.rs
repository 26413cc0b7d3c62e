//! A cached function as a native callable, found in the engine by its identity.
//!
//! A hit goes from the caller to the entry without a Python frame: the plan writes the key, the
//! engine looks, and one reference more goes back. Everything else takes the longer way through
//! `get_or_build`, which may run Python and holds no lock while it does.
#![allow(unsafe_code)]

use std::any::Any;
use std::mem::offset_of;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyException, PyStopIteration, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{Borrowed, PyTraverseError, PyVisit};
use tenure::front::{self, BuildError};
use tenure::{Encoder, Error, Function, Lease, Spinner};

use crate::caller::current_function::Current;
use crate::caller::strands;
use crate::caller::user_code;
use crate::caller::waiting::Interruptible;
use crate::decoration::churn;
use crate::decoration::fingerprint::{self, Decorated, Fingerprint};
use crate::encode::{HashFuncs, Reading};
use crate::function::options::Options;
use crate::function::plan::{Arguments, Plan};
use crate::function::registration::{Known, KnownFunction, Registration};
use crate::function::shape::{self, Shape};
use crate::function::vectorcall::{self, guarded};
use crate::life::awaitables::{can_be_awaited, refused_awaitable};
use crate::life::callback::{is_meant, no_predicate};
use crate::life::failure::Failure;
use crate::life::interrupts;
use crate::life::raised::{Forked, interrupt, raised};
use crate::life::resource::{Callbacks, Claim, Held, Kinds, Leave};
use crate::process::{self, exit, worker};
use crate::program::host;
use crate::tasks::coroutines::Coroutines;
use crate::tasks::inside;
use crate::words::errors::{self, Kind};
use crate::words::info::Info;
use crate::words::log::{self, Caller};

/// A function whose results are kept. Made by `tenure.cache_resource`.
#[pyclass(frozen, dict, weakref, module = "tenure", name = "CachedFunction")]
pub(crate) struct Cached {
    vectorcall: ffi::vectorcallfunc,
    plan: Plan,
    registration: Registration,
    decorated: Decorated,
    /// Its marks for the registry, once they have been read.
    fingerprint: OnceLock<Fingerprint>,
    func: Py<PyAny>,
    shape: Shape,
    /// The makers of its coroutines, where it is async.
    coroutines: Option<Coroutines>,
    options: Options,
}

impl Cached {
    pub(crate) fn make<'py>(
        func: Bound<'py, PyAny>,
        options: Options,
    ) -> PyResult<Bound<'py, Self>> {
        let py = func.py();
        let cached = Bound::new(py, Self::new(func, options)?)?;
        static READY: std::sync::Once = std::sync::Once::new();
        // SAFETY: the first object, which nobody else has seen; the field holds `call`.
        READY.call_once(|| unsafe {
            vectorcall::install(&cached, offset_of!(Self, vectorcall), true);
            let class: *mut ffi::PyTypeObject = cached.as_any().get_type().as_ptr().cast();
            (*class).tp_finalize = Some(finalize);
        });
        Ok(cached)
    }

    fn new(func: Bound<'_, PyAny>, options: Options) -> PyResult<Self> {
        let py = func.py();
        let shape = Shape::of(&func, options.enters)?;
        options.check_callbacks(py, shape.is_async)?;
        let coroutines = shape.is_async.then(|| Coroutines::of(&func)).transpose()?;
        let funcs = match &options.hash_funcs {
            Some(funcs) => HashFuncs::new(py, funcs.bind(py))?,
            None => None,
        };
        let plan = Plan::compile(py, &func, funcs)?;
        let decorated = Decorated::here(&func, &options)?;
        if let Some(text) = plan.complaint(&decorated.name) {
            // Lambdas of one file share a site.
            let line = match func.getattr_opt(intern!(py, "__code__"))? {
                Some(code) => code.getattr(intern!(py, "co_firstlineno"))?.extract()?,
                None => 0,
            };
            let what = format!("{line}: {text}");
            if log::is_due(decorated.site, &what, 0, 1) {
                log::warn(py, &text, Caller::Above)?;
            }
        }
        let cached = Self {
            vectorcall: if shape.is_async { call_async } else { call },
            plan,
            registration: Registration::none(),
            decorated,
            fingerprint: OnceLock::new(),
            func: func.unbind(),
            shape,
            coroutines,
            options,
        };
        if cached.decorated.closes_over {
            // What cannot be told apart is refused where it stands.
            cached.read(py)?;
        } else {
            cached.function(py)?;
        }
        Ok(cached)
    }

    /// The function's name, for messages.
    pub(crate) fn name(&self) -> &str {
        &self.decorated.name
    }

    /// The function as it was written.
    pub(crate) fn func<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.func.bind(py)
    }

    /// Marks it as the one that the engine is busy with.
    pub(crate) fn current(&self) -> Current {
        Current::set(&self.func)
    }

    /// The makers of its coroutines, where it is async.
    pub(crate) fn coroutines(&self) -> Option<&Coroutines> {
        self.coroutines.as_ref()
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether its `on_release` has to be awaited.
    pub(crate) fn releases_async(&self) -> bool {
        self.options.releases_async
    }

    pub(crate) fn vectorcall(&self) -> ffi::vectorcallfunc {
        self.vectorcall
    }

    /// The function in the engine in force.
    pub(crate) fn function(&self, py: Python<'_>) -> PyResult<Arc<KnownFunction>> {
        self.registration.get(py, || self.register(py))
    }

    /// Reads what tells it from others.
    fn read(&self, py: Python<'_>) -> PyResult<Fingerprint> {
        fingerprint::of(py, self.func.bind(py), &self.options, &self.decorated)
    }

    /// Registers it with the engine in force.
    fn register(&self, py: Python<'_>) -> PyResult<Known> {
        let (options, name) = (&self.options, &self.decorated.name);
        let fingerprint = match self.fingerprint.get() {
            Some(fingerprint) => fingerprint,
            None => {
                let read = self.read(py)?;
                self.fingerprint.get_or_init(|| read)
            }
        };
        let engine = process::engine();
        let make = || {
            let callbacks = Callbacks {
                name: name.clone(),
                kinds: Kinds::default(),
                validate: options.validate.as_ref().map(|it| it.clone_ref(py)),
                keep_if: options.keep_if.as_ref().map(|it| it.clone_ref(py)),
                sharing: options.sharing.clone_ref(py),
                on_release: options.on_release.as_ref().map(|it| it.clone_ref(py)),
                _firsts: Arc::clone(&fingerprint.firsts),
                decoration: fingerprint.decoration.clone(),
            };
            Function::new(engine, name, options.settings.clone(), Box::new(callbacks))
        };
        let known = engine
            .register(fingerprint.identity, make)
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
        churn::tell(py, &known, &self.decorated, &fingerprint.decoration);
        exit::watch_signals(py)?;
        let settings = &options.settings;
        let spinner = match &settings.spinner {
            Spinner::Default => Spinner::Named(self.decorated.title.as_str().into()),
            chosen => chosen.clone(),
        };
        known.function().set_looks(spinner, settings.show_time);
        Ok(known)
    }

    /// The short way to an entry: `None` where the longer one has to be gone.
    #[inline]
    fn hit(&self, py: Python<'_>, arguments: Arguments) -> Option<Py<PyAny>> {
        self.peek_short(py, arguments, |held| held.clone_ref(py))
    }

    #[inline]
    fn peek_short<T>(
        &self,
        py: Python<'_>,
        arguments: Arguments,
        look: impl FnOnce(&Held) -> T,
    ) -> Option<T> {
        let function = self.registration.peek(py)?;
        let mut encoder = Encoder::new();
        if !self.plan.encode_short(arguments, &mut encoder) {
            return None;
        }
        function.peek(&encoder.finish(), look)
    }

    pub(crate) fn call(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Py<PyAny>> {
        let function = self.function(py)?;
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let reading = self.plan.encode(py, name, arguments, &mut encoder)?;
        if let Some(object) = function.peek(&encoder.finish(), |held| held.clone_ref(py)) {
            return Ok(object);
        }
        self.check(py, arguments, reading)?;
        interrupts::to_caller(py, || {
            let lease = self.obtain(py, &function, &encoder, arguments)?;
            Ok(lease.clone_ref(py))
        })
    }

    /// The resource of a call, and a claim on it.
    pub(crate) fn claimed(
        &self,
        py: Python<'_>,
        arguments: Arguments,
    ) -> PyResult<(Py<PyAny>, Claim)> {
        let encoder = self.key(py, arguments)?;
        let function = self.function(py)?;
        interrupts::to_caller(py, || {
            let lease = self.obtain(py, &function, &encoder, arguments)?;
            // Before the lease of the engine ends, so that nothing can come in between.
            Ok((lease.clone_ref(py), lease.claim(py)))
        })
    }

    /// Refuses arguments under which nothing would be found again, before anything is built.
    fn check(&self, py: Python<'_>, arguments: Arguments, reading: Reading) -> PyResult<()> {
        match reading {
            Reading::Seen => Ok(()),
            Reading::Told => self.plan.check(py, &self.decorated.name, arguments),
        }
    }

    fn obtain(
        &self,
        py: Python<'_>,
        function: &KnownFunction,
        encoder: &Encoder,
        arguments: Arguments,
    ) -> PyResult<Lease<Held>> {
        if process::is_over() {
            process::stay(py);
        }
        host::find(py)?;
        strands::watch(py)?;
        worker::watch(py)?;
        let _places = inside::enter(py)?;
        let _current = Current::set(&self.func);
        let generation = process::generation();
        let mut built = None;
        let build = || {
            let outcome = self.build(py, function, arguments);
            if process::is_left_behind(generation) {
                built = outcome.as_ref().ok().map(|held| held.clone_ref(py));
            }
            outcome
        };
        let outcome = function.get_or_build_while(&encoder.finish(), &Interruptible, build);
        if process::is_over() {
            // The end waits for the lease in it.
            drop(outcome);
            process::stay(py);
        }
        if process::is_left_behind(generation) {
            return self.obtain_in_child(py, encoder, arguments, built, outcome);
        }
        outcome.map_err(|error| to_python(py, error))
    }

    /// Goes on in a child process that was forked meanwhile: what was built here is kept here, and
    /// anything else is asked for again.
    #[cold]
    fn obtain_in_child(
        &self,
        py: Python<'_>,
        encoder: &Encoder,
        arguments: Arguments,
        built: Option<Py<PyAny>>,
        outcome: Result<Lease<Held>, Error<Failure>>,
    ) -> PyResult<Lease<Held>> {
        let function = self.function(py)?;
        match (built, outcome) {
            (Some(object), _) => function
                .get_or_build_while(&encoder.finish(), &Interruptible, || {
                    Ok(held(py, &function, object.into_bound(py), None))
                })
                .map_err(|error| to_python(py, error)),
            (None, Err(error)) if !matches!(&error, Error::Interrupted(it) if it.0.is::<Forked>()) => {
                Err(to_python(py, error))
            }
            (None, _) => self.obtain(py, &function, encoder, arguments),
        }
    }

    /// Runs the function itself.
    fn build(
        &self,
        py: Python<'_>,
        function: &KnownFunction,
        arguments: Arguments,
    ) -> Result<Held, BuildError<Failure>> {
        // SAFETY: the caller holds its arguments; the flag that lets the callee write before the
        // first of them is not passed on.
        let given = unsafe {
            user_code::call(
                self.func.bind(py),
                arguments.first(),
                arguments.positional(),
                arguments.names(),
            )
        };
        let resource = match given {
            Ok(object) => self.entered(function, object),
            Err(error) => Err(error),
        };
        match resource {
            Ok(held) => Ok(held),
            Err(error) if error.is_instance_of::<PyException>(py) => {
                Err(BuildError::Failed(Failure::new(py, error)))
            }
            Err(error) => Err(BuildError::Died(interrupt(error))),
        }
    }

    /// The resource that the function gave, or that this yields or is entered for.
    fn entered(&self, function: &KnownFunction, object: Bound<'_, PyAny>) -> PyResult<Held> {
        let (py, name) = (object.py(), &self.decorated.name);
        if can_be_awaited(&object) {
            return Err(refused_awaitable(name, &object));
        }
        if self.shape.is_generator {
            let next = object.getattr(intern!(py, "__next__"))?;
            let resource = user_code::apply(&next, []).map_err(|error| {
                if error.is_instance_of::<PyStopIteration>(py) {
                    shape::yielded_never(name)
                } else {
                    error
                }
            })?;
            return Ok(held(
                py,
                function,
                resource,
                Some(Leave::Generator(object.unbind())),
            ));
        }
        if self.shape.enters {
            self.shape.manager(name, &object)?;
            let enter = object.get_type().getattr(intern!(py, "__enter__"))?;
            let resource = user_code::apply(&enter, [&object])?;
            return Ok(held(
                py,
                function,
                resource,
                Some(Leave::Manager(object.unbind())),
            ));
        }
        Ok(held(py, function, object, None))
    }

    pub(crate) fn discard_this(&self, py: Python<'_>, resource: &Bound<'_, PyAny>) -> PyResult<()> {
        let function = self.function(py)?;
        host::find(py)?;
        let _places = inside::enter(py)?;
        let _current = Current::set(&self.func);
        let ended =
            interrupts::to_caller(py, || Ok(function.discard_where(|held| held.is(resource))))?;
        if ended == 0 && callbacks(&function).kinds.is_foreign(resource) {
            return Err(PyTypeError::new_err(format!(
                "{name}.discard takes a resource that {name} returned, and was given {given}: {name} \
                 has returned nothing of this class. To end the entry of a call write \
                 {name}.clear(...) with its arguments",
                name = self.decorated.name,
                given = shown(resource),
            )));
        }
        Ok(())
    }

    /// The key of a call, whose arguments have one under which it is found again.
    pub(crate) fn key(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Encoder> {
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let reading = self.plan.encode(py, name, arguments, &mut encoder)?;
        self.check(py, arguments, reading)?;
        Ok(encoder)
    }

    pub(crate) fn clear_for(&self, py: Python<'_>, arguments: Option<Arguments>) -> PyResult<()> {
        let function = self.function(py)?;
        host::find(py)?;
        let _places = inside::enter(py)?;
        let _current = Current::set(&self.func);
        interrupts::to_caller(py, || {
            let cleared = match arguments {
                Some(arguments) => {
                    let (encoder, _) = self.named_key(py, arguments)?;
                    function.clear_entry(&encoder.finish())
                }
                None => function.clear(),
            };
            cleared.map_err(|error| to_python(py, error))
        })
    }

    pub(crate) fn clear_where(
        &self,
        py: Python<'_>,
        predicate: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        interrupts::to_caller(py, || self.clear_asked(py, predicate))
    }

    fn clear_asked(&self, py: Python<'_>, predicate: &Bound<'_, PyAny>) -> PyResult<usize> {
        let name = &self.decorated.name;
        if !predicate.is_callable() {
            return Err(no_predicate(name, predicate));
        }
        let function = self.function(py)?;
        host::find(py)?;
        let _places = inside::enter(py)?;
        let _current = Current::set(&self.func);
        let generation = process::generation();
        let mut failed = None;
        let cleared = function.clear_if(|held, entry| {
            if failed.is_some() || process::is_left_behind(generation) {
                return false;
            }
            let answer = is_meant(name, predicate, held.object(py), entry);
            let meant = answer.unwrap_or_else(|error| {
                failed = Some(error);
                false
            });
            meant && !process::is_left_behind(generation)
        });
        match failed {
            Some(error) => Err(error),
            // A child process has cleared nothing of its own.
            None if process::is_left_behind(generation) => Ok(0),
            None => cleared.map_err(|error| to_python(py, error)),
        }
    }

    pub(crate) fn kept(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Option<Py<PyAny>>> {
        host::find(py)?;
        let _current = Current::set(&self.func);
        let (encoder, reading) = self.named_key(py, arguments)?;
        let function = self.function(py)?;
        let kept = function.kept(&encoder.finish());
        match kept.map_err(|error| to_python(py, error))? {
            Some(lease) => Ok(Some(lease.clone_ref(py))),
            None => self.check(py, arguments, reading).map(|()| None),
        }
    }

    /// Its figures.
    pub(crate) fn figures(&self, py: Python<'_>) -> PyResult<Info> {
        Ok(Info::new(self.function(py)?.info()))
    }

    fn named_key(&self, py: Python<'_>, arguments: Arguments) -> PyResult<(Encoder, Reading)> {
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let reading = self.plan.encode_named(py, name, arguments, &mut encoder)?;
        Ok((encoder, reading))
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.func)?;
        if let Some(coroutines) = &self.coroutines {
            coroutines.traverse(visit)?;
        }
        let pinned = self.fingerprint.get().into_iter().flat_map(|it| &it.pinned);
        for pinned in pinned.chain(&self.decorated.maker.codes) {
            visit.call(pinned)?;
        }
        self.plan.traverse(visit)?;
        self.options.traverse(visit)?;
        // SAFETY: a garbage collection holds the interpreter.
        match unsafe { self.registration.last_callbacks() } {
            Some(callbacks) => callbacks.traverse(visit),
            None => Ok(()),
        }
    }
}

/// A new reference that nobody else counts on, as a resource of this function.
pub(crate) fn held(
    py: Python<'_>,
    function: &KnownFunction,
    object: Bound<'_, PyAny>,
    leave: Option<Leave>,
) -> Held {
    let held = Held::new(object, leave);
    callbacks(function).kinds.note(&held, py);
    held
}

pub(crate) fn callbacks(function: &KnownFunction) -> &Callbacks {
    let behaviour: &dyn Any = function.behaviour();
    behaviour
        .downcast_ref()
        .expect("a Python function is registered with its callbacks")
}

/// An object as an error names it.
fn shown(object: &Bound<'_, PyAny>) -> String {
    let class = object.get_type();
    let class = class
        .fully_qualified_name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string());
    if object.is_none() {
        "None".to_owned()
    } else {
        format!("an object of the class {class}")
    }
}

pub(crate) fn to_python(py: Python<'_>, error: Error<Failure>) -> PyErr {
    match error {
        Error::Failed(failure) => failure.raise(py),
        Error::Interrupted(interrupt) => raised(interrupt),
        Error::Cycle(chain) => errors::raise(py, Kind::Cycle, front::cycle_text(&chain), None),
        Error::NoSession { function } => {
            errors::raise(py, Kind::Scope, front::no_session_text(&function), None)
        }
        Error::SharedBuild {
            function,
            kept_for,
            within,
        } => {
            let text = front::shared_build_text(&function, kept_for, &within);
            errors::raise(py, Kind::Scope, text, None)
        }
        _ => pyo3::exceptions::PyRuntimeError::new_err("the call gave no resource"),
    }
}

/// The entrance of every call of a `Cached`.
///
/// # Safety
/// As for any vectorcall, with the interpreter held and a `Cached` to be called.
pub(crate) unsafe extern "C" fn call(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    flagged: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let arguments = Arguments::new(arguments, flagged, names);
    // SAFETY: the interpreter calls this with its lock held, and with an object of this class that
    // the caller keeps alive.
    let cached = unsafe { called(callable) };
    match cached.get().hit(cached.py(), arguments) {
        Some(object) => object.into_ptr(),
        None => guarded(|py| cached.get().call(py, arguments)),
    }
}

/// What the interpreter calls.
///
/// # Safety
/// As for [`call`]; the caller keeps it alive for `'a`.
#[inline]
unsafe fn called<'a>(callable: *mut ffi::PyObject) -> Borrowed<'a, 'a, Cached> {
    // SAFETY: by the caller's word the interpreter is held, and this is of the class.
    unsafe {
        let callable: Borrowed<'_, '_, PyAny> =
            Borrowed::from_ptr(Python::assume_attached(), callable);
        callable.cast_unchecked()
    }
}

/// The entrance of every call of an async `Cached`: gives the coroutine of one that has its resource at
/// hand, or of one that has yet to find it.
///
/// # Safety
/// As for [`call`].
unsafe extern "C" fn call_async(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    flagged: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let arguments = Arguments::new(arguments, flagged, names);
    // SAFETY: as in `call`.
    let cached = unsafe { called(callable) };
    let py = cached.py();
    let Some(coroutines) = &cached.get().coroutines else {
        return guarded(|_| Err(PyTypeError::new_err("this function is not async")));
    };
    match cached.get().hit_at_home(py, coroutines, arguments) {
        Some(object) => coroutines.ready(&object),
        None => guarded(|py| coroutines.call(py, cached.as_any(), arguments, None)),
    }
}

impl Cached {
    /// A hit as [`hit`](Self::hit) finds it, unless there is something to say of its loop first.
    #[inline]
    fn hit_at_home(
        &self,
        py: Python<'_>,
        coroutines: &Coroutines,
        arguments: Arguments,
    ) -> Option<Py<PyAny>> {
        let look = |held: &Held| {
            let is_silent = !held.is_of_ended_loop() || coroutines.have_told();
            is_silent.then(|| held.clone_ref(py))
        };
        self.peek_short(py, arguments, look).flatten()
    }

    /// Says once that a resource is used on, whose loop has ended.
    pub(crate) fn mind_loop(&self, py: Python<'_>, held: &Held) {
        let Some(coroutines) = &self.coroutines else {
            return;
        };
        if held.is_of_ended_loop() && coroutines.tell_once() {
            let text = format!(
                "{name} was built on an event loop that has ended, and is used on another one. Where it \
                 belongs to its loop, as connections and clients do, write scope=\"loop\": each loop \
                 has its own then, which is released before the loop ends",
                name = self.decorated.name
            );
            log::line(py, false, &text);
        }
    }

    /// A call by whoever has the arguments laid out, as [`call`] and [`call_async`] answer it.
    pub(crate) fn call_any(slf: &Bound<'_, Self>, arguments: Arguments) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        match &slf.get().coroutines {
            None => slf.get().call(py, arguments),
            Some(coroutines) => coroutines.call(py, slf.as_any(), arguments, None),
        }
    }
}
/// Called by the collector before it clears what it has found to be garbage, the first time that
/// this object is among it: a version whose own callback alone reached it has lost its last user.
unsafe extern "C" fn finalize(garbage: *mut ffi::PyObject) {
    // SAFETY: the collector calls this with the interpreter held, and with an object of this class
    // that is whole.
    unsafe {
        let garbage: Borrowed<'_, '_, PyAny> =
            Borrowed::from_ptr(Python::assume_attached(), garbage);
        let cached = garbage.cast_unchecked::<Cached>();
        cached.get().registration.is_garbage();
    }
}
