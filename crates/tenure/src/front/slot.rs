//! The cache of a function without type parameters.
//!
//! Invariant: what a slot holds is a `Function<V, F>` of the slot's own `V` and `F`. Only
//! [`Slot::get`] fills one.
//!
//! Why has the slot itself no bounds? It stands in signatures that the author of the function did
//! not write. A return type that cannot be kept is refused once, where they wrote it (R8).
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr;

use crate::front::cached::{Cached, Erased};
use crate::front::definition::{Definition, kept};
use crate::function::Function;
use crate::ground::sync::OnceLock;
use crate::key::KeyRef;
use crate::life::cleared::Cleared;
use crate::life::ended_by::EndedBy;
use crate::words::bounds::{Failure, Resource};
use crate::words::fallible::Told;
use crate::words::info::{EntryInfo, Info};

/// Invariant in its type.
type Same<T> = fn(T) -> T;

/// The cache of a function without type parameters.
pub struct Slot<V, F> {
    made: OnceLock<&'static dyn Erased>,
    /// Invariant in both types: a slot of one is never taken for a slot of another.
    types: PhantomData<(Same<V>, Same<F>)>,
}

impl<V, F> Slot<V, F> {
    /// One that nobody has called yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            made: OnceLock::new(),
            types: PhantomData,
        }
    }

    /// `name::clear()`. Before the first call there is nothing to clear.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn clear(&self) -> Cleared {
        // What the table of methods leads to no longer knows its caller.
        let _ended_by = EndedBy::caller();
        match self.made.get() {
            Some(made) => made.clear(),
            None => Cleared::nothing(),
        }
    }

    /// `name::clear_entry(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn clear_entry(&self, key: &KeyRef<'_>) -> Cleared {
        let _ended_by = EndedBy::caller();
        match self.made.get() {
            Some(made) => made.clear_entry(key),
            None => Cleared::nothing(),
        }
    }

    /// `name::expire_all()`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn expire_all(&self) {
        let _ended_by = EndedBy::caller();
        if let Some(made) = self.made.get() {
            made.expire();
        }
    }

    /// `name::expire(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn expire(&self, key: &KeyRef<'_>) {
        let _ended_by = EndedBy::caller();
        if let Some(made) = self.made.get() {
            made.expire_entry(key);
        }
    }

    /// `name::entries()`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[must_use]
    #[track_caller]
    pub fn entries(&self) -> Vec<EntryInfo> {
        self.made
            .get()
            .map(|made| made.entries())
            .unwrap_or_default()
    }

    /// `name::info()`.
    #[must_use]
    pub fn info(&self) -> Info {
        self.made.get().map(|made| made.info()).unwrap_or_default()
    }
}

impl<V: Resource, F: Failure + Told> Slot<V, F> {
    /// The cache, made by the first call.
    #[inline]
    #[track_caller]
    pub fn get(&self, make: fn() -> Definition<V>) -> Cached<'static, V, F> {
        let made = match self.made.get() {
            Some(made) => made,
            None => self.made.get_or_init(|| kept(&make().function::<F>())),
        };
        let made: *const dyn Erased = ptr::from_ref(*made);
        // SAFETY: by the invariant of the file it is one, and it is kept.
        Cached(unsafe { &*made.cast::<Function<V, F>>() }, None)
    }
}

impl<V, F> Default for Slot<V, F> {
    fn default() -> Self {
        Self::new()
    }
}
