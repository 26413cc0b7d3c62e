//! Calls of a cached function.
//!
//! The two kinds, with failures and without, have methods of the same names, so that the expansion
//! need not know which of them a return type means.

use std::any::Any;
use std::convert::Infallible;

use crate::front::rules::{Rules, guarded_async};
use crate::function::Function;
use crate::key::{KeyRef, Part};
use crate::life::async_release::ReleaseRuntime;
use crate::life::building::again::Again;
use crate::life::building::details::Details;
use crate::life::cleared::{Cleared, Clearing};
use crate::life::ended_by::EndedBy;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::words::behaviour::Behaviour;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{Error, Interrupt, no_session_text, shared_build_text};
use crate::words::explanation::Explanation;
use crate::words::fallible::{self, Failed, Shared, Telling};
use crate::words::info::{EntryInfo, Info};
use crate::words::tags::Tags;

/// A cached function of the program, which it keeps to its end, or the one in a
/// [`Cache`](crate::Cache).
pub struct Cached<'a, V: Resource, F: Failure>(
    pub(super) &'a Function<V, F>,
    /// The tags of the call that it is for, where calls have some.
    pub(super) Option<&'a Tags>,
);

/// Where the async releases of a function with this behaviour run.
pub(super) fn runtime<V: Resource>(behaviour: &dyn Behaviour<V>) -> &ReleaseRuntime {
    let rules: &dyn Any = behaviour;
    let rules = rules.downcast_ref::<Rules<V>>();
    &rules.expect("a front door gives rules").runtime
}

impl<'a, V: Resource, F: Failure> Cached<'a, V, F> {
    /// For a call with these tags.
    #[must_use]
    pub fn tagged(self, tags: &'a Tags) -> Self {
        Self(self.0, Some(tags))
    }
}

impl<V: Resource, F: Failure> Cached<'_, V, F> {
    pub(super) fn tags(&self) -> Tags {
        self.1.cloned().unwrap_or_default()
    }

    /// Where its async releases run.
    fn runtime(&self) -> &ReleaseRuntime {
        runtime(self.0.behaviour())
    }

    /// `name::peek(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[must_use]
    #[track_caller]
    pub fn peek(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        expect_session(self.0.kept(key))
    }

    /// `name::contains(…)`.
    ///
    /// # Panics
    /// As [`peek`](Self::peek).
    #[must_use]
    #[track_caller]
    pub fn contains(&self, key: &KeyRef<'_>) -> bool {
        self.peek(key).is_some()
    }

    /// `name::explain(…)`.
    ///
    /// # Panics
    /// As [`peek`](Self::peek).
    #[must_use]
    #[track_caller]
    pub fn explain(&self, key: &KeyRef<'_>, parts: &[Part<'_>]) -> Explanation {
        expect_session(self.0.explain_parts(key, parts))
    }

    /// `name::insert(…)`.
    ///
    /// # Panics
    /// As [`peek`](Self::peek).
    #[track_caller]
    pub fn insert(&self, key: &KeyRef<'_>, value: impl Into<Built<V>>) -> Lease<V> {
        self.runtime().note();
        expect_session(self.0.put(key, value, &self.tags())).lease
    }

    /// `name::replace(…)`.
    ///
    /// # Panics
    /// As [`peek`](Self::peek).
    #[track_caller]
    pub fn replace(&self, key: &KeyRef<'_>, value: impl Into<Built<V>>) -> Option<Lease<V>> {
        self.runtime().note();
        expect_session(self.0.put(key, value, &self.tags())).before
    }

    /// `name::clear_if(…)`.
    ///
    /// # Panics
    /// As [`peek`](Self::peek).
    #[track_caller]
    pub fn clear_if(&self, is_meant: impl FnMut(&V, &EntryInfo) -> bool) -> usize {
        let _ended_by = EndedBy::caller();
        expect_session(self.0.clear_if(is_meant))
    }

    #[inline]
    fn run(
        &self,
        key: &KeyRef<'_>,
        build: impl FnOnce() -> Result<Built<V>, F>,
    ) -> Result<Lease<V>, Error<F>> {
        let build = || {
            self.runtime().note();
            build()
        };
        self.0.call(
            key,
            build,
            &Said {
                again: || None,
                tags: self.1,
            },
        )
    }

    async fn run_async<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = Result<Built<V>, F>>,
    ) -> Result<Lease<V>, Error<F>> {
        let build = async {
            self.runtime().note();
            build.await
        };
        let check = |lease| guarded_async(&self.0.core.name, check(lease));
        let tags = self.tags();
        self.0.call_async(key, check, build, tags).await
    }
}

/// A call that has said what tags it has.
pub(super) struct Said<'a, A> {
    pub(super) again: A,
    pub(super) tags: Option<&'a Tags>,
}

impl<V, F, A> Details<V, F> for Said<'_, A>
where
    V: Resource,
    F: Failure,
    A: Fn() -> Option<Again<V, F>>,
{
    fn again(&self) -> Option<Again<V, F>> {
        (self.again)()
    }

    fn tags(&self) -> Result<Tags, Interrupt> {
        Ok(self.tags.cloned().unwrap_or_default())
    }
}

/// A cached function without its types.
pub(super) trait Erased: Any + Send + Sync {
    #[track_caller]
    fn clear(&self) -> Cleared;
    #[track_caller]
    fn clear_entry(&self, key: &KeyRef<'_>) -> Cleared;
    #[track_caller]
    fn expire(&self);
    #[track_caller]
    fn expire_entry(&self, key: &KeyRef<'_>);
    #[track_caller]
    fn entries(&self) -> Vec<EntryInfo>;
    fn info(&self) -> Info;
}

impl<V: Resource, F: Failure> Erased for Function<V, F> {
    #[track_caller]
    fn clear(&self) -> Cleared {
        let clearing = Clearing::begin();
        expect_session(Self::clear(self));
        clearing.end(&self.core.services)
    }

    #[track_caller]
    fn clear_entry(&self, key: &KeyRef<'_>) -> Cleared {
        let clearing = Clearing::begin();
        expect_session(Self::clear_entry(self, key));
        clearing.end(&self.core.services)
    }

    #[track_caller]
    fn expire(&self) {
        expect_session(Self::expire(self));
    }

    #[track_caller]
    fn expire_entry(&self, key: &KeyRef<'_>) {
        expect_session(Self::expire_entry(self, key));
    }

    #[track_caller]
    fn entries(&self) -> Vec<EntryInfo> {
        expect_session(Self::entries(self))
    }

    fn info(&self) -> Info {
        Self::info(self)
    }
}

/// The outcome of work by hand, which needs a session where the function does.
#[track_caller]
pub(super) fn expect_session<T, F: Failure>(outcome: Result<T, Error<F>>) -> T {
    match outcome {
        Ok(done) => done,
        Err(Error::NoSession { function }) => panic!("{}", no_session_text(&function)),
        Err(Error::SharedBuild {
            function,
            kept_for,
            within,
        }) => panic!("{}", shared_build_text(&function, kept_for, &within)),
        Err(Error::Interrupted(interrupt)) => panic!("{interrupt}"),
        Err(Error::Failed(_) | Error::Cycle(_) | Error::TimedOut { .. }) => {
            unreachable!("nothing is built by hand")
        }
    }
}

impl<V: Resource> Cached<'_, V, Infallible> {
    /// A hit that an async function need not wait for.
    #[inline]
    pub fn hit(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        self.0.hot_hit(key)
    }

    /// A call of a function that cannot fail.
    ///
    /// # Panics
    /// In a cycle, and for a session-scoped function where there is no session.
    #[inline]
    #[track_caller]
    pub fn call<B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        _: Telling<Infallible>,
        build: impl FnOnce() -> B,
    ) -> Lease<V> {
        fallible::gave(self.run(key, || Ok(build().into())))
    }

    /// A call of an async function that cannot fail, after [`hit`](Self::hit).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub async fn call_async<C: Future<Output = bool>, B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        _: Telling<Infallible>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = B>,
    ) -> Lease<V> {
        let build = async { Ok(build.await.into()) };
        fallible::gave(self.run_async(key, check, build).await)
    }
}

impl<V: Resource, E: Send + Sync + 'static> Cached<'_, V, Failed<E>> {
    /// A hit that an async function need not wait for.
    #[inline]
    pub fn hit(&self, key: &KeyRef<'_>) -> Option<Result<Lease<V>, Shared<E>>> {
        self.0.hot_hit(key).map(Ok)
    }

    /// A call of a function that can fail.
    ///
    /// # Errors
    /// The function's own, a cycle, a missing session.
    #[inline]
    pub fn call<B: Into<Built<Result<V, E>>>>(
        &self,
        key: &KeyRef<'_>,
        telling: Telling<E>,
        build: impl FnOnce() -> B,
    ) -> Result<Lease<V>, Shared<E>> {
        let failed = |error| Failed::new(error, telling);
        let build = || build().into().transpose().map_err(failed);
        self.run(key, build).map_err(Shared::from_call)
    }

    /// A call of an async function that can fail, after [`hit`](Self::hit).
    ///
    /// # Errors
    /// The function's own, a cycle, a missing session.
    pub async fn call_async<C: Future<Output = bool>, B: Into<Built<Result<V, E>>>>(
        &self,
        key: &KeyRef<'_>,
        telling: Telling<E>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = B>,
    ) -> Result<Lease<V>, Shared<E>> {
        let failed = |error| Failed::new(error, telling);
        let build = async { build.await.into().transpose().map_err(failed) };
        let gave = self.run_async(key, check, build).await;
        gave.map_err(Shared::from_call)
    }
}
