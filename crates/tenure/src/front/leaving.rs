//! Builds that no caller stands behind, of functions whose arguments can leave the call: refreshes, those
//! that take longer than a caller waits, and those that warm a cache.
//!
//! The macro knows of each argument whether it is owned, or borrowed and copied in the way of
//! [`Owned`](crate::front::Owned). Whether what it is copied into can be copied again and go to another
//! thread the compiler is asked ([`Leaves`]).

use std::convert::Infallible;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::front::cached::{Cached, Said, expect_session, runtime};
use crate::front::sort::{Always, Fails, Sort};
use crate::front::warming::Warming;
use crate::ground::sync::Arc;
use crate::key::KeyRef;
use crate::life::aging::warm::Warmed;
use crate::life::building::again::Again;
use crate::life::building::carry::{Carrier, Sent, Start, send};
use crate::life::building::waiting::AsHostWishes;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::program::context;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{BuildError, Error, log_interrupted, log_panicked};
use crate::words::fallible::{self, Failed, Shared, Telling, Told};

/// An argument that a build in the background can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot leave the call",
    label = "its builds in the background need arguments that are `Clone + Send + Sync + 'static`",
    note = "such a build runs on another thread, and maybe more than once: each time with a copy of \
            every argument. An `Arc` is copied at once"
)]
pub trait Leaves: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Leaves for T {}

/// Asks of an argument whether it can leave the call.
pub fn leaves<T: Leaves>() {}

/// What gives the arguments of a build, as often as it is made.
pub type Kept<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// How arguments are kept for that.
pub type Keep<A> = fn(A) -> Kept<A>;

/// Keeps arguments for builds in the background.
#[must_use]
pub fn keep<A: Leaves>(arguments: A) -> Kept<A> {
    Arc::new(move || arguments.clone())
}

/// Asks how arguments are kept.
pub struct Keeping<A>(pub PhantomData<fn(A)>);

impl<A: Leaves> Keeping<A> {
    /// By copies.
    #[must_use]
    pub fn keep(self) -> Option<Keep<A>> {
        Some(keep)
    }
}

/// Arguments that cannot be kept.
pub trait NotKeeping<A> {
    /// Not at all.
    fn keep(self) -> Option<Keep<A>>;
}

impl<A> NotKeeping<A> for Keeping<A> {
    fn keep(self) -> Option<Keep<A>> {
        None
    }
}

/// The build of a blocking function, on whatever thread has it to make.
fn again<V, F, A, O, S>(arguments: Kept<A>, build: fn(A) -> O, sort: S) -> Again<V, F>
where
    V: Resource,
    F: Failure,
    A: 'static,
    O: 'static,
    S: Sort<V, O, Failure = F>,
{
    Arc::new(move |detached| {
        let Some(mine) = detached.into_build() else {
            return;
        };
        runtime(&*mine.core().behaviour).note();
        let function = Arc::clone(&mine.core().name);
        let output = catch_unwind(AssertUnwindSafe(|| mine.run(|| build(arguments()))));
        let outcome = match output {
            Ok(output) => mine.finish(sort.outcome(output).map_err(BuildError::Failed)),
            // Dropped, which hands it on.
            Err(panic) => return log_panicked(&function, &*panic),
        };
        if let Err(Error::Interrupted(interrupt)) = outcome {
            log_interrupted(&function, &interrupt);
        }
    })
}

/// The build of an async call, as it can be made with nobody waiting for it: a type of its own for each
/// kind, for the reason that a [`Sort`] is one.
pub(super) trait Anew<V: Resource, F: Failure> {
    fn again(&self) -> Option<Again<V, F>>;
}

/// Of a function whose builds are its callers'.
pub(super) struct Never;

impl<V: Resource, F: Failure> Anew<V, F> for Never {
    fn again(&self) -> Option<Again<V, F>> {
        None
    }
}

/// With copies of the arguments, where there is a runtime for it.
pub(super) struct ByCopies<'a, G, A, T, S> {
    pub(super) given: &'a G,
    pub(super) keep: Option<Keep<A>>,
    pub(super) start: T,
    pub(super) sort: S,
}

impl<V, F, G, A, O, T, S> Anew<V, F> for ByCopies<'_, G, A, T, S>
where
    V: Resource,
    F: Failure,
    A: 'static,
    O: 'static,
    G: Fn() -> Option<A>,
    T: Fn(A) -> Result<Start<A, O>, A> + Copy + Send + Sync + 'static,
    S: Sort<V, O, Failure = F>,
{
    fn again(&self) -> Option<Again<V, F>> {
        let carrier = Carrier::find()?;
        let arguments = (self.keep?)((self.given)()?);
        Some(carried_again(carrier, arguments, self.start, self.sort))
    }
}

/// The build of an async function, by a task of its own.
fn carried_again<V, F, A, O, T, S>(
    carrier: Carrier,
    arguments: Kept<A>,
    start: T,
    sort: S,
) -> Again<V, F>
where
    V: Resource,
    F: Failure,
    A: 'static,
    O: 'static,
    T: Fn(A) -> Result<Start<A, O>, A> + Send + Sync + 'static,
    S: Sort<V, O, Failure = F>,
{
    Arc::new(move |detached| {
        let Some(mine) = detached.into_build() else {
            return;
        };
        // One that has to stay on its thread is handed on: whoever calls next builds it.
        let Ok(start) = start(arguments()) else {
            return;
        };
        let sort = move |output| sort.outcome(output);
        let Sent { waiter, task, .. } = send(mine, start, sort);
        waiter.give_up();
        carrier.clone().spawn(Box::pin(context::carry(task)));
    })
}

impl<V: Resource, F: Failure> Cached<'_, V, F> {
    #[inline]
    fn run_refreshed<A, O, S>(
        &self,
        key: &KeyRef<'_>,
        given: impl Fn() -> Option<A>,
        keep: Option<Keep<A>>,
        build: fn(A) -> O,
        sort: S,
    ) -> Result<Lease<V>, Error<F>>
    where
        A: 'static,
        O: 'static,
        S: Sort<V, O, Failure = F>,
    {
        match self.0.hot_hit(key) {
            Some(lease) => Ok(lease),
            // What a build needs is put together there, and costs a hit nothing.
            None => self.refreshed_beyond(key, given, keep, build, sort),
        }
    }

    #[cold]
    #[inline(never)]
    fn refreshed_beyond<A, O, S>(
        &self,
        key: &KeyRef<'_>,
        given: impl Fn() -> Option<A>,
        keep: Option<Keep<A>>,
        build: fn(A) -> O,
        sort: S,
    ) -> Result<Lease<V>, Error<F>>
    where
        A: 'static,
        O: 'static,
        S: Sort<V, O, Failure = F>,
    {
        let here = || {
            runtime(self.0.behaviour()).note();
            let arguments = given().expect("what cannot be kept does not compile");
            sort.outcome(build(arguments)).map_err(BuildError::Failed)
        };
        let waiting = AsHostWishes(self.0.core.services.host());
        let again = || Some(again(keep?(given()?), build, sort));
        let details = Said {
            again,
            tags: self.1,
        };
        self.0.get_or_refresh(key, &waiting, here, &details)
    }

    /// Has the resource built before anyone asks for it.
    #[track_caller]
    fn run_warm(&self, key: &KeyRef<'_>, again: Option<Again<V, F>>, to: &Warming)
    where
        F: Told,
    {
        let done = to.one(&self.0.core.name);
        match again {
            Some(again) => expect_session(self.0.warm(key, self.tags(), again, done)),
            None => done(Warmed::Lost),
        }
    }
}

impl<V: Resource> Cached<'_, V, Infallible> {
    /// A call of a function that cannot fail, and whose builds can do without a caller. `given` gives
    /// its arguments, owned.
    ///
    /// # Panics
    /// As [`call`](Self::call), and where the build takes too long.
    #[inline]
    #[track_caller]
    pub fn call_refreshed<A: 'static, O: Into<Built<V>> + 'static>(
        &self,
        key: &KeyRef<'_>,
        _: Telling<Infallible>,
        given: impl Fn() -> Option<A>,
        keep: Option<Keep<A>>,
        build: fn(A) -> O,
    ) -> Lease<V> {
        fallible::gave(self.run_refreshed(key, given, keep, build, Always))
    }

    /// `name::warm(…)`, for one call of a blocking function.
    #[track_caller]
    pub fn warm<A: 'static, O: Into<Built<V>> + 'static>(
        &self,
        key: &KeyRef<'_>,
        _: Telling<Infallible>,
        arguments: Kept<A>,
        build: fn(A) -> O,
        to: &Warming,
    ) {
        self.run_warm(key, Some(again(arguments, build, Always)), to);
    }

    /// `name::warm(…)`, for one call of an async function.
    #[track_caller]
    pub fn warm_carried<A: 'static, O: Into<Built<V>> + 'static>(
        &self,
        key: &KeyRef<'_>,
        _: Telling<Infallible>,
        arguments: Kept<A>,
        start: fn(A) -> Result<Start<A, O>, A>,
        to: &Warming,
    ) {
        let again = Carrier::find().map(|it| carried_again(it, arguments, start, Always));
        self.run_warm(key, again, to);
    }
}

impl<V: Resource, E: Send + Sync + 'static> Cached<'_, V, Failed<E>> {
    /// A call of a function that can fail, and whose builds can do without a caller. `given` gives its
    /// arguments, owned.
    ///
    /// # Errors
    /// As [`call`](Self::call), and a build that takes too long.
    #[inline]
    pub fn call_refreshed<A: 'static, O: Into<Built<Result<V, E>>> + 'static>(
        &self,
        key: &KeyRef<'_>,
        telling: Telling<E>,
        given: impl Fn() -> Option<A>,
        keep: Option<Keep<A>>,
        build: fn(A) -> O,
    ) -> Result<Lease<V>, Shared<E>> {
        let gave = self.run_refreshed(key, given, keep, build, Fails(telling));
        gave.map_err(Shared::from_call)
    }

    /// `name::warm(…)`, for one call of a blocking function.
    #[track_caller]
    pub fn warm<A: 'static, O: Into<Built<Result<V, E>>> + 'static>(
        &self,
        key: &KeyRef<'_>,
        telling: Telling<E>,
        arguments: Kept<A>,
        build: fn(A) -> O,
        to: &Warming,
    ) {
        self.run_warm(key, Some(again(arguments, build, Fails(telling))), to);
    }

    /// `name::warm(…)`, for one call of an async function.
    #[track_caller]
    pub fn warm_carried<A: 'static, O: Into<Built<Result<V, E>>> + 'static>(
        &self,
        key: &KeyRef<'_>,
        telling: Telling<E>,
        arguments: Kept<A>,
        start: fn(A) -> Result<Start<A, O>, A>,
        to: &Warming,
    ) {
        let again = Carrier::find().map(|it| carried_again(it, arguments, start, Fails(telling)));
        self.run_warm(key, again, to);
    }
}
