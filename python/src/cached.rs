//! A cached function as Python sees it: a native callable, found in the engine by its identity.
//!
//! A hit goes from the caller to the entry without a Python frame: the plan writes the key, the
//! engine looks, and one reference more goes back. Everything else takes the longer way through
//! `get_or_build`, which may run Python and holds no lock while it does.
#![allow(unsafe_code)]

use std::any::Any;
use std::mem::offset_of;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{Borrowed, PyTraverseError, PyVisit};
use tenure::front::{self, BuildError};
use tenure::{Encoder, Error, Function, Lease, Spinner};

use crate::argument_array::ArgumentArray;
use crate::awaitables::{is_async_function, is_coroutine, refused_coroutine, refused_function};
use crate::bound::BoundCached;
use crate::callback::{is_meant, no_predicate};
use crate::current_function::Current;
use crate::encode::{HashFuncs, Reading};
use crate::errors::{self, Kind};
use crate::exit;
use crate::fingerprint::{self, Decorated, Fingerprint};
use crate::host;
use crate::info::Info;
use crate::interrupts;
use crate::log::{self, Caller};
use crate::options::{Options, Written};
use crate::plan::{Arguments, Plan};
use crate::process;
use crate::registration::{Known, KnownFunction, Registration};
use crate::resource::{Callbacks, Claim, Failure, Forked, Held, Kinds, interrupt, raised};
use crate::strands;
use crate::user_code;
use crate::vectorcall::{self, guarded};
use crate::waiting::Interruptible;
use crate::worker;

/// A function whose results are kept. Made by `tenure.cache_resource`.
#[pyclass(frozen, dict, weakref, module = "tenure", name = "CachedFunction")]
pub(crate) struct Cached {
    vectorcall: ffi::vectorcallfunc,
    plan: Plan,
    registration: Registration,
    decorated: Decorated,
    /// What it is told from others by, once that has been read.
    fingerprint: OnceLock<Fingerprint>,
    func: Py<PyAny>,
    options: Options,
}

impl Cached {
    fn make(py: Python<'_>, func: Bound<'_, PyAny>, options: Options) -> PyResult<Self> {
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
            vectorcall: call,
            plan,
            registration: Registration::none(),
            decorated,
            fingerprint: OnceLock::new(),
            func: func.unbind(),
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

    /// What the engine in force keeps for this function.
    fn function(&self, py: Python<'_>) -> PyResult<Arc<KnownFunction>> {
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
                on_release: options.on_release.as_ref().map(|it| it.clone_ref(py)),
                _firsts: Arc::clone(&fingerprint.firsts),
                decoration: fingerprint.decoration.clone(),
            };
            Function::new(engine, name, options.settings.clone(), Box::new(callbacks))
        };
        let known = engine
            .register(fingerprint.identity, make)
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
        fingerprint
            .decoration
            .tell(py, &known, name, self.decorated.site);
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
        let function = self.registration.peek(py)?;
        let mut encoder = Encoder::new();
        if !self.plan.encode_short(arguments, &mut encoder) {
            return None;
        }
        function.peek(&encoder.finish(), |held| held.clone_ref(py))
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
                    Ok(held(py, &function, object.into_bound(py)))
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
        let outcome = unsafe {
            user_code::call(
                self.func.bind(py),
                arguments.first(),
                arguments.positional(),
                arguments.names(),
            )
        };
        match outcome {
            Ok(object) if is_coroutine(&object) => {
                let error = refused_coroutine(&self.decorated.name, &object);
                Err(BuildError::Failed(Failure::new(py, error)))
            }
            Ok(object) => Ok(held(py, function, object)),
            Err(error) if error.is_instance_of::<PyException>(py) => {
                Err(BuildError::Failed(Failure::new(py, error)))
            }
            Err(error) => Err(BuildError::Died(interrupt(error))),
        }
    }

    pub(crate) fn discard_this(&self, py: Python<'_>, resource: &Bound<'_, PyAny>) -> PyResult<()> {
        let function = self.function(py)?;
        host::find(py)?;
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

    fn key(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Encoder> {
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let reading = self.plan.encode(py, name, arguments, &mut encoder)?;
        self.check(py, arguments, reading)?;
        Ok(encoder)
    }

    pub(crate) fn clear_for(&self, py: Python<'_>, arguments: Option<Arguments>) -> PyResult<()> {
        let function = self.function(py)?;
        host::find(py)?;
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
        let _current = Current::set(&self.func);
        let generation = process::generation();
        let mut failed = None;
        let cleared = function.clear_if(|held, entry| {
            if failed.is_some() || process::is_left_behind(generation) {
                return false;
            }
            let answer = is_meant(py, name, predicate, held, entry);
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

    fn named_key(&self, py: Python<'_>, arguments: Arguments) -> PyResult<(Encoder, Reading)> {
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let reading = self.plan.encode_named(py, name, arguments, &mut encoder)?;
        Ok((encoder, reading))
    }
}

fn held(py: Python<'_>, function: &KnownFunction, object: Bound<'_, PyAny>) -> Held {
    let held = Held::new(object);
    callbacks(function).kinds.note(&held, py);
    held
}

fn callbacks(function: &KnownFunction) -> &Callbacks {
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

fn to_python(py: Python<'_>, error: Error<Failure>) -> PyErr {
    match error {
        Error::Failed(failure) => failure.raise(py),
        Error::Interrupted(interrupt) => raised(interrupt),
        Error::Cycle(chain) => errors::raise(py, Kind::Cycle, front::cycle_text(&chain), None),
        Error::NoSession { function } => {
            errors::raise(py, Kind::Scope, front::no_session_text(&function), None)
        }
        _ => pyo3::exceptions::PyRuntimeError::new_err("the call gave no resource"),
    }
}

/// What every call of a `Cached` enters through.
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
    let cached = unsafe {
        let py = Python::assume_attached();
        let callable: Borrowed<'_, '_, PyAny> = Borrowed::from_ptr(py, callable);
        callable.cast_unchecked::<Cached>()
    };
    match cached.get().hit(cached.py(), arguments) {
        Some(object) => object.into_ptr(),
        None => guarded(|py| cached.get().call(py, arguments)),
    }
}

#[pymethods]
impl Cached {
    /// The same for those who ask for `__call__` by name; a call itself does not come this way.
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        self.call(py, ArgumentArray::new(None, args, kwargs)?.arguments())
    }

    /// Clears the entry of a call with these arguments; without arguments, every entry.
    #[pyo3(signature = (*args, **kwargs))]
    fn clear(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let array = ArgumentArray::new(None, args, kwargs)?;
        self.clear_for(py, (!array.is_empty()).then(|| array.arguments()))
    }

    /// Clears the entries that the predicate means: it is asked of each resource and its figures, and
    /// answers `True` or `False`. Gives how many were cleared.
    #[pyo3(signature = (predicate, /))]
    fn clear_if(&self, py: Python<'_>, predicate: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.clear_where(py, predicate)
    }

    /// The resource of a call with these arguments, if it is kept, and `None` otherwise. Builds
    /// nothing, waits for nothing, asks no `validate`, and counts as no use.
    #[pyo3(signature = (*args, **kwargs))]
    fn peek(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.kept(py, ArgumentArray::new(None, args, kwargs)?.arguments())
    }

    /// Gives back a resource that was found broken: the next call builds anew. What its entry's key
    /// has got since stays, and so does everything where the entry has ended already.
    #[pyo3(signature = (resource, /))]
    fn discard(&self, py: Python<'_>, resource: &Bound<'_, PyAny>) -> PyResult<()> {
        self.discard_this(py, resource)
    }

    /// The figures of this function.
    pub(crate) fn info(&self, py: Python<'_>) -> PyResult<Info> {
        Ok(Info::new(self.function(py)?.info()))
    }

    /// A context manager that gives the resource and keeps it from being released meanwhile.
    #[pyo3(signature = (*args, **kwargs))]
    pub(crate) fn lease(
        slf: &Bound<'_, Self>,
        args: Bound<'_, PyTuple>,
        kwargs: Option<Bound<'_, PyDict>>,
    ) -> Leased {
        Leased {
            cached: slf.clone().unbind(),
            args: args.unbind(),
            kwargs: kwargs.map(Bound::unbind),
            claims: std::sync::Mutex::new(Vec::new()),
        }
    }

    /// The function's annotations, unless others were set. From Python 3.14 on they are evaluated
    /// when somebody asks, and `update_wrapper` passes on only how.
    #[getter]
    fn __annotations__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let name = intern!(slf.py(), "__annotations__");
        let attributes = slf.getattr(intern!(slf.py(), "__dict__"))?;
        match attributes.cast::<PyDict>()?.get_item(name)? {
            Some(set) => Ok(set),
            None => slf.get().func.bind(slf.py()).getattr(name),
        }
    }

    #[setter(__annotations__)]
    fn set_annotations(slf: &Bound<'_, Self>, annotations: Bound<'_, PyAny>) -> PyResult<()> {
        let attributes = slf.getattr(intern!(slf.py(), "__dict__"))?;
        attributes.set_item(intern!(slf.py(), "__annotations__"), annotations)
    }

    fn __get__(
        slf: Bound<'_, Self>,
        instance: Option<Bound<'_, PyAny>>,
        _owner: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        match instance {
            None => Ok(slf.into_any().unbind()),
            Some(instance) => BoundCached::make(slf, instance),
        }
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        // Like a function: found again by its name.
        let name = slf.getattr(intern!(slf.py(), "__qualname__"))?;
        Ok(name.unbind())
    }

    fn __repr__(&self) -> String {
        format!("<cached function {}>", self.decorated.name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.func)?;
        let pinned = self.fingerprint.get().into_iter().flat_map(|it| &it.pinned);
        for pinned in pinned.chain(&self.decorated.maker.codes) {
            visit.call(pinned)?;
        }
        self.plan.traverse(&visit)?;
        self.options.traverse(&visit)?;
        // SAFETY: a garbage collection holds the interpreter.
        match unsafe { self.registration.last_callbacks() } {
            Some(callbacks) => callbacks.traverse(&visit),
            None => Ok(()),
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

/// A resource on loan: `with f.lease(args) as resource`.
#[pyclass(frozen, module = "tenure", name = "Lease")]
pub(crate) struct Leased {
    cached: Py<Cached>,
    args: Py<PyTuple>,
    kwargs: Option<Py<PyDict>>,
    claims: std::sync::Mutex<Vec<Claim>>,
}

impl Leased {
    fn claims(&self) -> std::sync::MutexGuard<'_, Vec<Claim>> {
        self.claims.lock().expect("nothing panics under this lock")
    }
}

#[pymethods]
impl Leased {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let cached = self.cached.get();
        let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        let array = ArgumentArray::new(None, self.args.bind(py), kwargs)?;
        let encoder = cached.key(py, array.arguments())?;
        let function = cached.function(py)?;
        let (object, claim) = interrupts::to_caller(py, || {
            let lease = cached.obtain(py, &function, &encoder, array.arguments())?;
            // Before the lease of the engine ends, so that nothing can come in between.
            Ok((lease.clone_ref(py), lease.claim(py)))
        })?;
        self.claims().push(claim);
        Ok(object)
    }

    fn __exit__(
        &self,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        let claim = self.claims().pop();
        drop(claim);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cached)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)
    }
}

/// Decorates a function: `tenure.cache_resource` with its settings checked.
#[pyfunction]
pub(crate) fn cache(func: Bound<'_, PyAny>, written: Written<'_>) -> PyResult<Py<PyAny>> {
    user_code::held(|| decorated(func, written))
}

fn decorated(func: Bound<'_, PyAny>, written: Written<'_>) -> PyResult<Py<PyAny>> {
    let py = func.py();
    // A class or static method is cached inside, and bound outside.
    for kind in ["classmethod", "staticmethod"] {
        let class = py.import(intern!(py, "builtins"))?.getattr(kind)?;
        if func.get_type().is(&class) {
            let inner = decorated(func.getattr(intern!(py, "__func__"))?, written)?;
            return Ok(class.call1((inner,))?.unbind());
        }
    }
    if !func.is_callable() {
        return Err(PyTypeError::new_err(format!(
            "cache_resource decorates a function, not {func:?}. Settings are given by name, as in \
             @cache_resource(ttl=\"1h\")"
        )));
    }
    if is_async_function(&func)? {
        return Err(refused_function(&func));
    }
    written.warn()?;
    let cached = Cached::make(py, func.clone(), written.check()?)?;
    let cached = Bound::new(py, cached)?;
    static READY: std::sync::Once = std::sync::Once::new();
    // SAFETY: the first object, which nobody else has seen; the field holds `call`.
    READY.call_once(|| unsafe {
        vectorcall::install(&cached, offset_of!(Cached, vectorcall), true);
        let class: *mut ffi::PyTypeObject = cached.as_any().get_type().as_ptr().cast();
        (*class).tp_finalize = Some(finalize);
    });
    let functools = py.import(intern!(py, "functools"))?;
    functools.call_method1(intern!(py, "update_wrapper"), (&cached, func))?;
    // What a class or an instance has under the names of the methods here does not hide them.
    let attributes = cached.getattr(intern!(py, "__dict__"))?;
    for name in ["clear", "clear_if", "discard", "info", "lease", "peek"] {
        attributes.call_method1(intern!(py, "pop"), (name, py.None()))?;
    }
    Ok(cached.into_any().unbind())
}

/// Checks the settings where the decorator stands, before there is a function.
#[pyfunction]
pub(crate) fn check(written: Written<'_>) -> PyResult<()> {
    written.check().map(drop)
}
