//! What `#[cache_resource]` expands to: signatures and conversions around the engine's calls.
//!
//! Public for the expansion alone; nothing of it is promised.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use crate::api;
use crate::bounds::{Failure, Resource};
use crate::entry::Lease;
use crate::error::{Error, Interrupt};
use crate::fallible;
use crate::function::Function;
use crate::info::Info;
use crate::key::KeyRef;
use crate::later::Place;
use crate::release::{Behaviour, Cause, ReleaseFailed};
use crate::settings::{Scope, Settings, Spinner};
use crate::sync::{Arc, Mutex, OnceLock, Weak};

pub use crate::args::{Arg, ByHash, ByKey, ByNothing};
pub use crate::fallible::{Failed, Outcome, Shared};
pub use crate::key::Encoder;

/// The settings as the attribute gives them.
pub struct Definition {
    /// The function's name.
    pub name: &'static str,
    /// `ttl = …`
    pub ttl: Option<Duration>,
    /// `max_entries = …`
    pub max_entries: Option<usize>,
    /// `scope = "session"`
    pub session: bool,
    /// `drain = …`
    pub drain: Option<Duration>,
    /// `show_spinner = …`: off, or with a text of its own.
    pub spinner: Option<&'static str>,
    /// Whether there is a spinner.
    pub shows: bool,
    /// `show_time = …`
    pub show_time: bool,
    /// `observes = …`
    pub observes: bool,
}

impl Definition {
    /// The settings that a bare attribute means.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            ttl: None,
            max_entries: None,
            session: false,
            drain: None,
            spinner: None,
            shows: true,
            show_time: false,
            observes: false,
        }
    }

    fn settings(&self, validates: bool) -> Settings {
        Settings {
            ttl: self.ttl,
            max_entries: self.max_entries,
            scope: if self.session {
                Scope::Session
            } else {
                Scope::Global
            },
            drain: self.drain,
            spinner: match self.spinner {
                _ if !self.shows => Spinner::Off,
                None => Spinner::Default,
                Some(text) => Spinner::Text(text.into()),
            },
            show_time: self.show_time,
            observes: self.observes,
            validates,
        }
    }

    /// Makes the function.
    ///
    /// # Panics
    /// Where a setting that is not a literal has a value that cannot be.
    #[must_use]
    pub fn cached<V: Resource, F: Failure>(self, rules: Rules<V>) -> Cached<V, F> {
        let settings = self.settings(rules.validates);
        let name = self.name;
        let place = Arc::clone(&rules.place);
        let failures = Arc::clone(&rules.failures);
        let function = Function::new(api::engine(), name, settings, Box::new(rules));
        let function: Arc<Function<V, F>> =
            function.unwrap_or_else(|error| panic!("#[cache_resource] on `{name}`: {error}"));
        let weak: Weak<dyn CountsFailures> = Arc::downgrade(&function) as _;
        let _ = failures.set(weak);
        Cached { function, place }
    }
}

trait CountsFailures: Send + Sync {
    fn release_failed(&self);
}

impl<V: Resource, F: Failure> CountsFailures for Function<V, F> {
    fn release_failed(&self) {
        self.shared.counters.release_failed();
    }
}

/// What releases a resource, now or later.
pub enum Settled {
    /// It has been released.
    Now(Result<(), ReleaseFailed>),
    /// It is released by this future.
    Later(Pin<Box<dyn Future<Output = Result<(), ReleaseFailed>> + Send>>),
}

type Validate<V> = Box<dyn Fn(&V) -> bool + Send + Sync>;
type Release<V> = Box<dyn Fn(V) -> Settled + Send + Sync>;

/// `validate` and `on_release`, as the attribute gives them.
pub struct Rules<V: Resource> {
    validates: bool,
    validate: Option<Validate<V>>,
    release: Option<Release<V>>,
    place: Arc<Place>,
    failures: Arc<OnceLock<Weak<dyn CountsFailures>>>,
}

impl<V: Resource> Rules<V> {
    /// No rules.
    #[must_use]
    pub fn new() -> Self {
        Self {
            validates: false,
            validate: None,
            release: None,
            place: Arc::default(),
            failures: Arc::default(),
        }
    }

    /// A check that blocks.
    #[must_use]
    pub fn validate(mut self, validate: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.validates = true;
        self.validate = Some(Box::new(validate));
        self
    }

    /// A check that the async call brings along.
    #[must_use]
    pub fn validate_async(mut self) -> Self {
        self.validates = true;
        self
    }

    /// A callback for what is released.
    #[must_use]
    pub fn release(mut self, release: impl Fn(V) -> Settled + Send + Sync + 'static) -> Self {
        self.release = Some(Box::new(release));
        self
    }
}

impl<V: Resource> Default for Rules<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Resource> Behaviour<V> for Rules<V> {
    fn validate(&self, value: &V) -> Result<bool, Interrupt> {
        Ok(match &self.validate {
            None => true,
            Some(validate) => guarded(validate, value),
        })
    }

    fn release(&self, value: V, _cause: Cause) -> Result<(), ReleaseFailed> {
        let Some(release) = &self.release else {
            drop(value);
            return Ok(());
        };
        match release(value) {
            Settled::Now(outcome) => outcome,
            Settled::Later(future) => {
                let failures = Arc::clone(&self.failures);
                let panicked = Arc::clone(&failures);
                let counted = async move {
                    if future.await.is_err() {
                        count_failure(&failures);
                    }
                };
                self.place.run(counted, move || {
                    tracing::error!("an async on_release panicked");
                    count_failure(&panicked);
                });
                Ok(())
            }
        }
    }
}

fn count_failure(failures: &OnceLock<Weak<dyn CountsFailures>>) {
    if let Some(function) = failures.get().and_then(Weak::upgrade) {
        function.release_failed();
    }
}

/// A check that panics counts as one that says no (L9).
fn guarded<V>(validate: &dyn Fn(&V) -> bool, value: &V) -> bool {
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| validate(value)));
    checked.unwrap_or_else(|_| {
        tracing::error!("validate panicked; the entry is built anew");
        false
    })
}

/// The same for a check that is awaited.
async fn guarded_async(check: impl Future<Output = bool>) -> bool {
    let mut check = std::pin::pin!(check);
    let checked = std::future::poll_fn(|cx| {
        let poll = std::panic::AssertUnwindSafe(|| check.as_mut().poll(cx));
        match std::panic::catch_unwind(poll) {
            Ok(poll) => poll.map(Some),
            Err(_) => std::task::Poll::Ready(None),
        }
    });
    checked.await.unwrap_or_else(|| {
        tracing::error!("validate panicked; the entry is built anew");
        false
    })
}

/// A cached function of the program.
pub struct Cached<V: Resource, F: Failure> {
    function: Arc<Function<V, F>>,
    place: Arc<Place>,
}

impl<V: Resource, F: Failure> Cached<V, F> {
    /// `name::clear()`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    pub fn clear(&self) {
        expect_session(self.function.clear());
    }

    /// `name::clear_entry(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    pub fn clear_entry(&self, key: &KeyRef<'_>) {
        expect_session(self.function.clear_entry(key));
    }

    /// `name::info()`.
    #[must_use]
    pub fn info(&self) -> Info {
        self.function.info()
    }
}

fn expect_session<F>(outcome: Result<(), Error<F>>) {
    if let Err(Error::NoSession { function }) = outcome {
        panic!("{}", crate::error::no_session_text(&function));
    }
}

impl<V: Resource> Cached<V, Infallible> {
    /// A call of a function that cannot fail.
    #[inline]
    pub fn call(&self, key: &KeyRef<'_>, build: impl FnOnce() -> V) -> Lease<V> {
        fallible::gave(self.function.get_or_build(key, || Ok(build())))
    }

    /// A call of an async function that cannot fail.
    #[inline]
    pub async fn call_async<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = V>,
    ) -> Lease<V> {
        let build = async {
            self.place.note();
            Ok(build.await)
        };
        let check = |lease| guarded_async(check(lease));
        fallible::gave(self.function.get_or_build_async(key, check, build).await)
    }
}

impl<V: Resource, E: Send + Sync + 'static> Cached<V, Failed<E>> {
    /// A call of a function that can fail.
    ///
    /// # Errors
    /// The function's own, a cycle, a missing session.
    #[inline]
    pub fn try_call(
        &self,
        key: &KeyRef<'_>,
        source: Source<E>,
        build: impl FnOnce() -> Result<V, E>,
    ) -> Result<Lease<V>, Shared<E>> {
        let build = || build().map_err(|error| Failed::new(error, source));
        self.function
            .get_or_build(key, build)
            .map_err(Shared::from_call)
    }

    /// A call of an async function that can fail.
    ///
    /// # Errors
    /// The function's own, a cycle, a missing session.
    #[inline]
    pub async fn try_call_async<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        source: Source<E>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = Result<V, E>>,
    ) -> Result<Lease<V>, Shared<E>> {
        let build = async {
            self.place.note();
            build.await.map_err(|error| Failed::new(error, source))
        };
        let check = |lease| guarded_async(check(lease));
        let gave = self.function.get_or_build_async(key, check, build).await;
        gave.map_err(Shared::from_call)
    }
}

/// The cache of a function without type parameters.
pub struct Slot<V: Resource, F: Failure>(OnceLock<Cached<V, F>>);

impl<V: Resource, F: Failure> Slot<V, F> {
    /// One that nobody has called yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The cache, made by the first call.
    #[inline]
    pub fn get(&self, make: fn() -> Cached<V, F>) -> &Cached<V, F> {
        match self.0.get() {
            Some(cached) => cached,
            None => self.0.get_or_init(make),
        }
    }
}

impl<V: Resource, F: Failure> Default for Slot<V, F> {
    fn default() -> Self {
        Self::new()
    }
}

/// The caches of a function with type parameters, or of a method: one for each combination of
/// types, which belongs to the type whose method it is. They live as long as the program, as the code of each combination does.
pub struct Family {
    members: OnceLock<Mutex<HashMap<Which, &'static dyn Member>>>,
    first: OnceLock<(Which, &'static dyn Member)>,
}

/// What tells one member of a family from another.
type Which = [TypeId; 4];

trait Member: Any + Send + Sync {
    fn clear(&self);
    fn info(&self) -> Info;
}

impl<V: Resource, F: Failure> Member for Cached<V, F> {
    fn clear(&self) {
        Cached::clear(self);
    }

    fn info(&self) -> Info {
        Cached::info(self)
    }
}

impl Family {
    /// One without members.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: OnceLock::new(),
            first: OnceLock::new(),
        }
    }

    /// The cache for these types.
    pub fn get<V: Resource, F: Failure>(
        &self,
        owner: TypeId,
        types: TypeId,
        make: fn() -> Cached<V, F>,
    ) -> &'static Cached<V, F> {
        let types = [owner, types, TypeId::of::<V>(), TypeId::of::<F>()];
        let member = match self.first.get() {
            Some((first, member)) if *first == types => *member,
            _ => self.find(types, make),
        };
        let member: &'static dyn Any = member;
        member
            .downcast_ref()
            .expect("the types say which member it is")
    }

    fn find<V: Resource, F: Failure>(
        &self,
        types: Which,
        make: fn() -> Cached<V, F>,
    ) -> &'static dyn Member {
        let members = self.members.get_or_init(Mutex::default);
        if let Some(there) = members.lock().get(&types) {
            return *there;
        }
        let made = make();
        let mut members = members.lock();
        let member = *members
            .entry(types)
            .or_insert_with(|| Box::leak(Box::new(made)));
        drop(members);
        let _ = self.first.set((types, member));
        member
    }

    fn members(&self, of: TypeId) -> Vec<&'static dyn Member> {
        let members = self.members.get_or_init(Mutex::default).lock();
        let of_owner = members.iter().filter(|([owner, ..], _)| *owner == of);
        of_owner.map(|(_, member)| *member).collect()
    }

    /// Clears all members of one owner.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    pub fn clear(&self, owner: TypeId) {
        for member in self.members(owner) {
            member.clear();
        }
    }

    /// The figures of all members of one owner together.
    #[must_use]
    pub fn info(&self, owner: TypeId) -> Info {
        let mut sum = Info::default();
        for member in self.members(owner) {
            sum.add(&member.info());
        }
        sum
    }
}

impl Default for Family {
    fn default() -> Self {
        Self::new()
    }
}

/// Some types, as a value: those of a member of a family. Lifetimes do not count.
pub struct Types<T: ?Sized>(pub PhantomData<T>);

impl<T: ?Sized> Types<T> {
    /// Adds the type of a value, for types that have no name.
    pub fn and<U: ?Sized>(self, _: &U) -> Types<(PhantomData<T>, PhantomData<U>)> {
        Types(PhantomData)
    }

    /// Their identity.
    #[must_use]
    pub fn id(self) -> TypeId {
        typeid::of::<T>()
    }
}

/// How to find the cause of an `E`.
pub type Source<E> = fn(&E) -> Option<&(dyn StdError + 'static)>;

/// Asks what a type is, at compile time: inherent methods win over those of a trait.
pub struct Probe<T: ?Sized>(pub PhantomData<T>);

impl<E: StdError + 'static> Probe<E> {
    /// An error knows its source.
    #[must_use]
    pub fn source(self) -> Source<E> {
        |error| error.source()
    }
}

/// Errors that do not say what caused them.
pub trait NoSource<E> {
    /// No cause is known.
    fn source(self) -> Source<E>;
}

impl<E> NoSource<E> for Probe<E> {
    fn source(self) -> Source<E> {
        |_| None
    }
}

/// What a `validate` returned.
pub struct Said<T>(pub T);

impl Said<bool> {
    /// The verdict.
    #[must_use]
    pub fn verdict(self) -> Ready<bool> {
        ready(self.0)
    }
}

/// A verdict that has to be awaited.
pub trait SaidLater {
    /// The future of it.
    type Verdict: Future<Output = bool>;
    /// The future of the verdict.
    fn verdict(self) -> Self::Verdict;
}

impl<T: Future<Output = bool>> SaidLater for Said<T> {
    type Verdict = T;
    fn verdict(self) -> T {
        self.0
    }
}

/// What an `on_release` may return.
#[diagnostic::on_unimplemented(
    message = "`on_release` returns `{Self}`",
    note = "it must return `()`, or a `Result<(), E>` whose error is logged"
)]
pub trait Released {
    /// What there is to count.
    fn outcome(self) -> Result<(), ReleaseFailed>;
}

impl Released for () {
    fn outcome(self) -> Result<(), ReleaseFailed> {
        Ok(())
    }
}

impl<E: fmt::Debug> Released for Result<(), E> {
    fn outcome(self) -> Result<(), ReleaseFailed> {
        self.map_err(|error| {
            tracing::error!(?error, "on_release failed");
            ReleaseFailed
        })
    }
}

/// What an `on_release` returned.
pub struct Done<T>(pub T);

impl<T: Released> Done<T> {
    /// The release is over.
    #[must_use]
    pub fn settled(self) -> Settled {
        Settled::Now(self.0.outcome())
    }
}

/// A release that has to be awaited.
pub trait DoneLater {
    /// The release is on its way.
    fn settled(self) -> Settled;
}

impl<T> DoneLater for Done<T>
where
    T: Future<Output: Released> + Send + 'static,
{
    fn settled(self) -> Settled {
        Settled::Later(Box::pin(async { self.0.await.outcome() }))
    }
}

/// Gives a closure the type of a check.
pub fn check<V>(check: impl Fn(&V) -> bool) -> impl Fn(&V) -> bool {
    check
}

/// Gives a closure the type of a release.
pub fn release<V, R>(release: impl Fn(V) -> R) -> impl Fn(V) -> R {
    release
}

/// Says what a future gives.
#[inline]
pub fn future<T, B: Future<Output = T>>(build: B) -> B {
    build
}

/// What a custom hash function makes of an argument.
#[inline]
pub fn with<'a, T: ?Sized, R>(value: &'a T, function: impl FnOnce(&'a T) -> R) -> R {
    function(value)
}
