//! Calls of a cached function.
//!
//! The two kinds, with failures and without, have methods of the same names, so that the expansion
//! need not know which of them a return type means.

use std::convert::Infallible;

use crate::bounds::{Failure, Resource};
use crate::error::Error;
use crate::fallible::{self, Failed, Shared};
use crate::front::Source;
use crate::front::rules::guarded_async;
use crate::function::Function;
use crate::info::Info;
use crate::key::KeyRef;
use crate::later::Place;
use crate::lease::Lease;
use crate::sync::Arc;

/// A cached function of the program.
pub struct Cached<V: Resource, F: Failure> {
    pub(super) function: Arc<Function<V, F>>,
    pub(super) place: Arc<Place>,
}

impl<V: Resource, F: Failure> Cached<V, F> {
    /// `name::clear()`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn clear(&self) {
        expect_session(self.function.clear());
    }

    /// `name::clear_entry(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn clear_entry(&self, key: &KeyRef<'_>) {
        expect_session(self.function.clear_entry(key));
    }

    /// `name::info()`.
    #[must_use]
    pub fn info(&self) -> Info {
        self.function.info()
    }
}

#[track_caller]
fn expect_session<F>(outcome: Result<(), Error<F>>) {
    if let Err(Error::NoSession { function }) = outcome {
        panic!("{}", crate::error::no_session_text(&function));
    }
}

impl<V: Resource> Cached<V, Infallible> {
    /// A hit that an async function need not wait for.
    #[inline]
    pub fn hit(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        self.function.hot_hit(key)
    }

    /// A call of a function that cannot fail.
    ///
    /// # Panics
    /// In a cycle, and for a session-scoped function where there is no session.
    #[inline]
    #[track_caller]
    pub fn call(
        &self,
        key: &KeyRef<'_>,
        _: Source<Infallible>,
        build: impl FnOnce() -> V,
    ) -> Lease<V> {
        fallible::gave(self.function.get_or_build(key, || Ok(build())))
    }

    /// A call of an async function that cannot fail, after [`hit`](Self::hit).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub async fn call_async<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        _: Source<Infallible>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = V>,
    ) -> Lease<V> {
        let build = async {
            self.place.note();
            Ok(build.await)
        };
        let check = |lease| guarded_async(&self.function.shared.name, check(lease));
        fallible::gave(self.function.call_async(key, check, build).await)
    }
}

impl<V: Resource, E: Send + Sync + 'static> Cached<V, Failed<E>> {
    /// A hit that an async function need not wait for.
    #[inline]
    pub fn hit(&self, key: &KeyRef<'_>) -> Option<Result<Lease<V>, Shared<E>>> {
        self.function.hot_hit(key).map(Ok)
    }

    /// A call of a function that can fail.
    ///
    /// # Errors
    /// The function's own, a cycle, a missing session.
    #[inline]
    pub fn call(
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

    /// A call of an async function that can fail, after [`hit`](Self::hit).
    ///
    /// # Errors
    /// The function's own, a cycle, a missing session.
    pub async fn call_async<C: Future<Output = bool>>(
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
        let check = |lease| guarded_async(&self.function.shared.name, check(lease));
        let gave = self.function.call_async(key, check, build).await;
        gave.map_err(Shared::from_call)
    }
}
