//! A cached function as a native callable, found in the engine by its identity.
//!
//! A hit goes from the caller to the entry without a Python frame: the plan writes the key, the
//! engine looks, and one reference more goes back. Everything else takes the longer way through
//! `get_or_build`, which may run Python and holds no lock while it does.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::{self, offset_of};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use pyo3::{Borrowed, PyTraverseError, PyVisit, ffi};
use tenure::front::{self, Again, Detached};
use tenure::{Encoder, Error, Fork, Function, Interrupt, Lease, Spinner, Tags};

use crate::caller::current_function::Current;
use crate::caller::strands;
use crate::caller::waiting::Interruptible;
use crate::decoration::churn;
use crate::decoration::fingerprint::{self, Decorated, Fingerprint};
use crate::encode::{HashFuncs, Reading};
use crate::function::again::{Recipe, again};
use crate::function::argument_array::ArgumentArray;
use crate::function::details::OfCall;
use crate::function::options::Options;
use crate::function::plan::{Arguments, Plan};
use crate::function::registration::{Known, KnownFunction, Registration, callbacks, held};
use crate::function::remote::{Remote, settings_here};
use crate::function::shape::Shape;
use crate::function::stand_in::{StandIn, StandIns};
use crate::function::vectorcall::{self, guarded};
use crate::function::{heirs, shown, tags};
use crate::life::claims::Claim;
use crate::life::failure::Failure;
use crate::life::interrupts;
use crate::life::raised::{Forked, interrupt, raised};
use crate::life::resource::{Callbacks, Held, Kinds};
use crate::process::once::intern;
use crate::process::{self, exit, steering, worker};
use crate::program::{host, scope};
use crate::tasks::coroutines::Coroutines;
use crate::tasks::frames;
use crate::words::errors::{self, Kind};
use crate::words::log;

/// A function whose results are kept. Made by `tenure.cache_resource`.
#[pyclass(frozen, dict, weakref, module = "tenure", name = "CachedFunction")]
pub(crate) struct Cached {
    /// A `vectorcallfunc`, which the interpreter reads anew for each call.
    vectorcall: AtomicPtr<c_void>,
    /// What a test has put in its place.
    stand_ins: StandIns,
    pub(super) plan: Plan,
    registration: Registration,
    pub(super) decorated: Decorated,
    /// Its marks for the registry, once they have been read.
    fingerprint: OnceLock<Fingerprint>,
    pub(super) func: Py<PyAny>,
    shape: Shape,
    /// Itself, without keeping itself.
    me: OnceLock<Py<PyWeakrefReference>>,
    /// The makers of its coroutines, where it is async.
    coroutines: Option<Coroutines>,
    pub(super) options: Options,
    /// What builds and ends its resources, where they live in a cluster.
    pub(super) remote: Option<Remote>,
}

impl Cached {
    pub(crate) fn make<'py>(
        func: Bound<'py, PyAny>,
        options: Options,
    ) -> PyResult<Bound<'py, Self>> {
        let py = func.py();
        let cached = Bound::new(py, Self::new(func, options)?)?;
        let me = PyWeakrefReference::new(cached.as_any())?.unbind();
        let me = cached.get().me.get_or_init(|| me);
        if let Some(remote) = &cached.get().remote {
            remote.belongs_to(cached.as_any())?;
        }
        if let Some(function) = cached.get().registration.peek(py) {
            callbacks(function).note_latest(me.clone_ref(py));
        }
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
        options.check_callbacks(&func, shape.is_async)?;
        options.check_fork(py, shape.is_async)?;
        if options.settings.fork == Fork::Keep {
            heirs::expect_forks();
        }
        let coroutines = shape.is_async.then(|| Coroutines::of(&func)).transpose()?;
        let funcs = match &options.hash_funcs {
            Some(funcs) => HashFuncs::new(py, funcs.bind(py))?,
            None => None,
        };
        let plan = Plan::compile(py, &func, funcs)?;
        let decorated = Decorated::here(&func, &options)?;
        if let Some(tags) = &options.tags {
            tags::check_fit(tags.bind(py), &decorated.name, plan.signature().bind(py))?;
        }
        if let Some(text) = plan.complaint(&decorated.name) {
            // Lambdas of one file share a site.
            let line = match func.getattr_opt(intern!(py, "__code__"))? {
                Some(code) => code.getattr(intern!(py, "co_firstlineno"))?.extract()?,
                None => 0,
            };
            let what = format!("{line}: {text}");
            if log::is_due(decorated.site, &what, 0, 1) {
                log::warn(py, &text)?;
            }
        }
        let remote = match &options.actor {
            Some(actor) => {
                let (name, is_async) = (&decorated.name, shape.is_async);
                Some(Remote::new(&func, actor, name, is_async)?)
            }
            None => None,
        };
        let cached = Self {
            vectorcall: AtomicPtr::new(entrance(shape) as *mut c_void),
            stand_ins: StandIns::default(),
            plan,
            registration: Registration::none(),
            decorated,
            fingerprint: OnceLock::new(),
            func: func.unbind(),
            shape,
            me: OnceLock::new(),
            coroutines,
            options,
            remote,
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
        self.options.releases_async && self.remote.is_none()
    }

    /// Whether what it keeps are handles of resources that live elsewhere.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// What is called for a resource: the function, or what has it run elsewhere.
    pub(crate) fn builder<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        match &self.remote {
            Some(remote) => remote.builder(py),
            None => self.func(py),
        }
    }

    pub(crate) fn vectorcall(&self) -> ffi::vectorcallfunc {
        let entrance = self.vectorcall.load(Ordering::Relaxed);
        // SAFETY: nothing else is ever stored there.
        unsafe { mem::transmute::<*mut c_void, ffi::vectorcallfunc>(entrance) }
    }

    /// Puts something in its place. A hit of a function in whose place nothing stands pays nothing for it: calls
    /// enter elsewhere meanwhile.
    pub(crate) fn replace(&self, stand_in: StandIn) {
        self.stand_ins.put(stand_in);
        let entrance: ffi::vectorcallfunc = call_instead;
        self.vectorcall
            .store(entrance as *mut c_void, Ordering::Relaxed);
    }

    /// Takes what has this number out of its place.
    pub(crate) fn give_back(&self, number: u64) {
        if self.stand_ins.take(number) {
            let entrance = entrance(self.shape) as *mut c_void;
            self.vectorcall.store(entrance, Ordering::Relaxed);
        }
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.stand_ins.are_there()
    }

    /// The answer to a call, if something stands in its place for it.
    pub(crate) fn instead(
        &self,
        py: Python<'_>,
        arguments: Arguments,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.stand_ins
            .answer(py, self.coroutines.as_ref(), arguments)
    }

    /// What is seen in its place without a call, if anything stands there for it.
    pub(super) fn seen_instead(
        &self,
        py: Python<'_>,
        arguments: Arguments,
    ) -> Option<Option<Py<PyAny>>> {
        self.stand_ins.seen(py, arguments)
    }

    /// The function in the engine in force.
    pub(crate) fn function(&self, py: Python<'_>) -> PyResult<Arc<KnownFunction>> {
        if process::asks_for_time() {
            steering::look(py)?;
        }
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
        process::note_use();
        // Whose version it is counts from the first one on.
        host::find(py)?;
        let engine = process::engine();
        // What is asked of a resource is asked where it lives.
        let asked = self.remote.is_none().then_some(options);
        let of_asked =
            |it: fn(&Options) -> Option<&Py<PyAny>>| asked.and_then(it).map(|it| it.clone_ref(py));
        let make = || {
            let callbacks = Callbacks {
                name: name.clone(),
                full_name: self.decorated.full_name.as_str().into(),
                known_as: self.decorated.known_as.clone(),
                identity: fingerprint.identity.clone(),
                kinds: Kinds::default(),
                validate: of_asked(|it| it.validate.as_ref()),
                keep_if: of_asked(|it| it.keep_if.as_ref()),
                weight: asked.and_then(|it| Some(it.weight.as_ref()?.clone_ref(py))),
                ttl: of_asked(|it| it.ttl.as_ref()),
                latest: Mutex::default(),
                sharing: options.sharing.clone_ref(py),
                on_release: match &self.remote {
                    Some(remote) => Some(remote.on_release(py)),
                    None => options.on_release.as_ref().map(|it| it.clone_ref(py)),
                },
                _firsts: Arc::clone(&fingerprint.firsts),
                decoration: fingerprint.decoration.clone(),
            };
            let settings = match self.remote {
                Some(_) => settings_here(&options.settings),
                None => options.settings.clone(),
            };
            let function = Function::new(engine, name, settings, Box::new(callbacks))?;
            heirs::inherit(py, &function);
            Ok(function)
        };
        let known = engine
            .register(fingerprint.identity.clone(), make)
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
        if let Some(me) = self.me.get() {
            callbacks(known.function()).note_latest(me.clone_ref(py));
        }
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
        self.hit_with(py, arguments, |held| held.clone_ref(py))
    }

    /// Such a hit, with what `look` sees of the resource.
    #[inline]
    fn hit_with<T>(
        &self,
        py: Python<'_>,
        arguments: Arguments,
        look: impl FnOnce(&Held) -> T,
    ) -> Option<T> {
        let function = self.registration.at_hand(py)?;
        let mut encoder = Encoder::new();
        if !self.plan.encode_short(arguments, &mut encoder) {
            return None;
        }
        function.peek(&encoder.finish(), look)
    }

    /// A hit as [`hit`](Self::hit) finds it, and whether its loop has ended.
    #[inline]
    fn hit_at_home(&self, py: Python<'_>, arguments: Arguments) -> Option<(Py<PyAny>, bool)> {
        let look = |held: &Held| (held.clone_ref(py), held.is_of_ended_loop());
        self.hit_with(py, arguments, look)
    }

    /// Says once that a resource is used on, whose loop has ended.
    pub(crate) fn mind_loop(&self, py: Python<'_>, held: &Held) {
        if held.is_of_ended_loop() {
            self.tell_of_ended_loop(py);
        }
    }

    #[cold]
    fn tell_of_ended_loop(&self, py: Python<'_>) {
        let Some(coroutines) = &self.coroutines else {
            return;
        };
        if coroutines.tell_once() {
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
        if let Some(instead) = slf.get().instead(py, arguments)? {
            return Ok(instead);
        }
        match &slf.get().coroutines {
            None => slf.get().call(py, arguments),
            Some(coroutines) => coroutines.call(py, slf.as_any(), arguments, None),
        }
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

    /// Whether a build that is made again still has the key that it was begun for. Arguments that have been
    /// changed since the call would put another's resource under it.
    pub(crate) fn is_for(
        &self,
        py: Python<'_>,
        build: &Detached<Held, Failure>,
        arguments: Arguments,
    ) -> PyResult<bool> {
        let is_for = build.is_for(&self.key(py, arguments)?.finish());
        if !is_for {
            let name = self.name();
            log::line(
                py,
                false,
                &format!(
                    "{name} was not built anew: its arguments have been changed since the call"
                ),
            );
        }
        Ok(is_for)
    }

    /// Refuses arguments under which nothing would be found again, before anything is built.
    pub(super) fn check(
        &self,
        py: Python<'_>,
        arguments: Arguments,
        reading: Reading,
    ) -> PyResult<()> {
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
        let _places = frames::enter(py)?;
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
        let details = OfCall {
            again: || self.again(py, function, arguments),
            tags: || match self.tags(py, arguments) {
                // It has forked: this engine is the parent's, and the call begins anew.
                _ if process::is_left_behind(generation) => Err(Interrupt(Box::new(Forked))),
                tags => tags.map_err(interrupt),
            },
            arguments: || self.shown_arguments(py, arguments),
        };
        let outcome = function.get_or_refresh(&encoder.finish(), &Interruptible, build, &details);
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
            (Some(object), _) => {
                let build = || Ok(held(py, &function, object.into_bound(py), None));
                let details = OfCall {
                    again: || None,
                    tags: || self.tags(py, arguments).map_err(interrupt),
                    arguments: || self.shown_arguments(py, arguments),
                };
                function
                    .get_or_refresh(&encoder.finish(), &Interruptible, build, &details)
                    .map_err(|error| to_python(py, error))
            }
            (None, Err(error)) if !matches!(&error, Error::Interrupted(it) if it.0.is::<Forked>()) => {
                Err(to_python(py, error))
            }
            (None, _) => self.obtain(py, &function, encoder, arguments),
        }
    }

    /// The tags of a call, where its calls have some of their own.
    #[cold]
    pub(crate) fn tags(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Tags> {
        let Some(tags) = &self.options.tags else {
            return Ok(Tags::default());
        };
        let signature = self.plan.signature().bind(py);
        tags::of_call(tags.bind(py), self.name(), signature, arguments)
    }

    /// The arguments of a call that count, where an inspector shows them.
    #[cold]
    pub(crate) fn shown_arguments(&self, py: Python<'_>, arguments: Arguments) -> Option<Arc<str>> {
        shown::arguments(py, self.plan.signature().bind(py), arguments)
    }

    /// The build of this call as it can be made again. Nothing where it cannot.
    #[cold]
    fn again(
        &self,
        py: Python<'_>,
        function: &KnownFunction,
        arguments: Arguments,
    ) -> Option<Again<Held, Failure>> {
        let made = || {
            let me = self.me.get().and_then(|it| it.bind(py).upgrade());
            let Some(me) = me else {
                return Ok(None);
            };
            let (args, kwargs) = arguments.packed(py)?;
            let given = (args.unbind(), kwargs.map(Bound::unbind));
            again(&me, function, given, None, make_here).map(Some)
        };
        made().unwrap_or_else(|error| {
            let text = format!("{} cannot be built in the background", self.name());
            log::error(py, &text, error);
            None
        })
    }

    /// The key of a call, whose arguments have one under which it is found again.
    pub(crate) fn key(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Encoder> {
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let reading = self.plan.encode(py, name, arguments, &mut encoder)?;
        self.check(py, arguments, reading)?;
        Ok(encoder)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.func)?;
        self.stand_ins.traverse(visit)?;
        if let Some(coroutines) = &self.coroutines {
            coroutines.traverse(visit)?;
        }
        let pinned = self.fingerprint.get().into_iter().flat_map(|it| &it.pinned);
        for pinned in pinned.chain(&self.decorated.maker.codes) {
            visit.call(pinned)?;
        }
        self.plan.traverse(visit)?;
        self.options.traverse(visit)?;
        self.remote.iter().try_for_each(|it| it.traverse(visit))?;
        // SAFETY: a garbage collection holds the interpreter.
        match unsafe { self.registration.last_callbacks() } {
            Some(callbacks) => callbacks.traverse(visit),
            None => Ok(()),
        }
    }
}

/// Makes a build that nobody waits for on this thread.
pub(crate) fn make_here(
    cached: Bound<'_, PyAny>,
    build: Detached<Held, Failure>,
    recipe: &Recipe,
) -> PyResult<()> {
    let py = cached.py();
    let cached = cached.cast_into::<Cached>()?;
    let function = cached.get().function(py)?;
    let (args, kwargs) = recipe.given(py);
    let kwargs = kwargs.as_ref().map(|it| it.bind(py));
    let array = ArgumentArray::new(None, args.bind(py), kwargs)?;
    if !cached.get().is_for(py, &build, array.arguments())? {
        return Ok(());
    }
    let _entered = recipe.enter(py)?;
    let _current = cached.get().current();
    let outcome = build.run(|| cached.get().build(py, &function, array.arguments()));
    drop(build.finish(outcome, |interrupt| Failure::new(py, raised(interrupt))));
    Ok(())
}

pub(crate) fn to_python(py: Python<'_>, error: Error<Failure>) -> PyErr {
    match error {
        Error::Failed(failure) => failure.raise(py),
        Error::Interrupted(interrupt) => raised(interrupt),
        Error::Cycle(chain) => errors::raise(py, Kind::Cycle, front::cycle_text(&chain), None),
        Error::NoSession { function } => scope::no_session(py, &function),
        Error::TimedOut { function, waited } => {
            let text = front::timed_out_text(&function, waited);
            errors::raise(py, Kind::Timeout, text, None)
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

/// The entrance of every call of a `Cached` while something stands in its place.
///
/// # Safety
/// As for [`call`].
unsafe extern "C" fn call_instead(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    flagged: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let arguments = Arguments::new(arguments, flagged, names);
    // SAFETY: as in `call`.
    let cached = unsafe { called(callable) };
    guarded(|_| Cached::call_any(&cached, arguments))
}

/// Where the calls of a function of this shape enter.
fn entrance(shape: Shape) -> ffi::vectorcallfunc {
    if shape.is_async { call_async } else { call }
}

/// The callable that the interpreter calls, borrowed.
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
    match cached.get().hit_at_home(py, arguments) {
        Some((object, true)) if !coroutines.have_told() => guarded(|py| {
            cached.get().tell_of_ended_loop(py);
            coroutines.of_value(py, &object)
        }),
        Some((object, _)) => coroutines.ready(&object),
        None => guarded(|py| coroutines.call(py, cached.as_any(), arguments, None)),
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
