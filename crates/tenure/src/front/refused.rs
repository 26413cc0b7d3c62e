//! The stand-in for a cache where the return type cannot be kept.
//!
//! The body asks for it once, on the author's own token (`probe::resource`). The rest of the
//! expansion then finds these methods in the place of the real ones, whose bounds are not met, and
//! adds no error of its own (R8). None of them ever runs: a program with such a function does not compile.

use crate::front::family::{Member, Members};
use crate::front::slot::Slot;
use crate::words::explanation::Explanation;

/// Gives the cache that is none.
pub trait NotKept: Sized {
    /// In the place of `get`.
    fn get<M>(self, _: M) -> Nothing {
        Nothing(())
    }
}

impl<V, F> NotKept for &Slot<V, F> {}
impl<V, F> NotKept for Member<'_, V, F> {}
impl<V, F> NotKept for Members<V, F> {}

/// A cache that is none.
pub struct Nothing(());

impl Nothing {
    /// In the place of `tagged`.
    #[must_use]
    pub fn tagged<T>(self, _: T) -> Self {
        unreachable!("{REFUSED}")
    }

    /// In the place of `hit`.
    pub fn hit<K, R>(&self, _: K) -> Option<R> {
        unreachable!("{REFUSED}")
    }

    /// In the place of `call`.
    pub fn call<K, S, B, R>(&self, _: K, _: S, _: B) -> R {
        unreachable!("{REFUSED}")
    }

    /// In the place of `peek`.
    pub fn peek<K, R>(&self, _: K) -> R {
        unreachable!("{REFUSED}")
    }

    /// In the place of `contains`.
    pub fn contains<K>(&self, _: K) -> bool {
        unreachable!("{REFUSED}")
    }

    /// In the place of `explain`.
    pub fn explain<K, P>(&self, _: K, _: P) -> Explanation {
        unreachable!("{REFUSED}")
    }

    /// In the place of `insert`.
    pub fn insert<K, V, R>(&self, _: K, _: V) -> R {
        unreachable!("{REFUSED}")
    }

    /// In the place of `replace`.
    pub fn replace<K, V, R>(&self, _: K, _: V) -> R {
        unreachable!("{REFUSED}")
    }

    /// In the place of `clear_if`.
    pub fn clear_if<C>(&self, _: C) -> usize {
        unreachable!("{REFUSED}")
    }

    /// In the place of `call_refreshed`.
    pub fn call_refreshed<K, S, G, P, T, R>(&self, _: K, _: S, _: G, _: P, _: T) -> R {
        unreachable!("{REFUSED}")
    }

    /// In the place of `warm`.
    pub fn warm<K, S, A, T, W>(&self, _: K, _: S, _: A, _: T, _: W) {
        unreachable!("{REFUSED}")
    }

    /// In the place of `warm_carried`.
    pub fn warm_carried<K, S, A, T, W>(&self, _: K, _: S, _: A, _: T, _: W) {
        unreachable!("{REFUSED}")
    }

    /// In the place of `call_refreshed_async`.
    #[allow(clippy::too_many_arguments, clippy::unused_async)]
    pub async fn call_refreshed_async<K, S, C, G, P, H, T, R>(
        &self,
        _: K,
        _: S,
        _: C,
        _: G,
        _: P,
        _: H,
        _: T,
    ) -> R {
        unreachable!("{REFUSED}")
    }

    /// In the place of `call_async`.
    #[allow(clippy::unused_async)]
    pub async fn call_async<K, S, C, B, R>(&self, _: K, _: S, _: C, _: B) -> R {
        unreachable!("{REFUSED}")
    }

    /// In the place of `call_carried`.
    #[allow(clippy::unused_async)]
    pub async fn call_carried<K, S, C, A, H, T, R>(&self, _: K, _: S, _: C, _: A, _: H, _: T) -> R {
        unreachable!("{REFUSED}")
    }
}

const REFUSED: &str = "what cannot be kept does not compile";
