//! The entries that a forked child process has of its parent.
//!
//! 1. An inherited resource was not built here, and is neither released nor dropped here: no figure counts
//!    it as either, and whatever ends its entry ends no more than that.
//! 2. What a parent hands down cannot be released until that is over: a [`Legacy`] leases it.
//! 3. A child takes no lock of its parent's engine, and gives no lease back to it.
//! 4. An entry is as old here as it is there, and has lain idle for as long.

use std::fmt;
use std::mem::ManuallyDrop;
use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::counted::Counted;
use crate::ground::sync::{Arc, Ordering};
use crate::key::Key;
use crate::life::aging::term::Term;
use crate::life::cache::{Cache, Orphaned, close, run, settle};
use crate::life::entry::{Entry, EntryRef, Extra};
use crate::words::bounds::{Failure, Resource};
use crate::words::tags::Tags;

/// The entries of one function that child processes are to have; they stay while this lives.
///
/// In a child process this belongs to the engine that is [given up](crate::Engine::abandon) there, and must
/// be forgotten like all of it.
pub struct Legacy<V: Resource> {
    entries: Vec<EntryRef<V>>,
}

/// An entry on its way into a child process's own engine. Its resource is never released by this process,
/// whether it gets there or not.
pub struct Heirloom<V> {
    key: Key,
    value: ManuallyDrop<V>,
    built_at: Nanos,
    used_at: Nanos,
    took: Duration,
    term: Option<Term>,
    weight: u64,
    arguments: Option<Arc<str>>,
    /// Its own.
    tags: Tags,
    /// Those of all that its function keeps.
    of_function: Tags,
}

impl<V: Resource> fmt::Debug for Legacy<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Legacy")
            .field("entries", &self.entries.len())
            .finish()
    }
}

impl<V> fmt::Debug for Heirloom<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heirloom").finish_non_exhaustive()
    }
}

impl<V> Heirloom<V> {
    /// The resource.
    #[must_use]
    pub fn value(&self) -> &V {
        &self.value
    }

    /// Whether a clear of this tag means it.
    #[must_use]
    pub fn carries(&self, tag: &str) -> bool {
        let mut tags = self.tags.iter().chain(self.of_function.iter());
        tags.any(|it| &**it == tag)
    }
}

impl<V: Resource> Legacy<V> {
    pub(crate) fn new(entries: Vec<EntryRef<V>>) -> Self {
        Self { entries }
    }

    /// The entries as this process has them of its parent; `heir` gives another hold on a resource. What
    /// ended while the process forked is not among them.
    #[must_use]
    pub fn heirlooms(&self, heir: impl Fn(&V) -> V) -> Vec<Heirloom<V>> {
        let live = self.entries.iter().filter(|entry| entry.is_live());
        let heirlooms = live.map(|entry| Heirloom {
            key: entry.key().clone(),
            value: ManuallyDrop::new(heir(entry.value())),
            built_at: entry.built_at(),
            used_at: entry.used_at(),
            took: entry.build_time(),
            term: entry.term().map(Term::handed_down),
            weight: entry.weight(),
            arguments: entry.arguments().cloned(),
            tags: entry.tags(),
            of_function: entry.core().settings.tags.clone(),
        });
        heirlooms.collect()
    }
}

impl<V: Resource, F: Failure> Cache<V, F> {
    /// The live entries that a child process may have: not those that put something out as they were built,
    /// which was for the parent's host to show.
    pub(crate) fn legacy(&self) -> Legacy<V> {
        let entries = self.live().into_iter();
        Legacy::new(entries.filter(|it| it.recording().is_none()).collect())
    }

    /// Keeps what a parent process has handed down, unless its time is over or something stands there.
    pub(crate) fn inherit(self: &Arc<Self>, heirloom: Heirloom<V>) {
        let Heirloom {
            key,
            value,
            built_at,
            used_at,
            took,
            term,
            weight,
            arguments,
            tags,
            of_function: _,
        } = heirloom;
        let hash = key.hash();
        let extra = Extra {
            arguments,
            term,
            weight,
            tagged: self.tagged(&tags, self.core.services.number(), &key.as_key()),
            inherited: true,
            ..Extra::default()
        };
        let (owner, value) = (Arc::clone(&self.owner), ManuallyDrop::into_inner(value));
        let entry = Entry::new(key, value, built_at, took, extra, owner);
        // What is built and used from now on comes after all that was handed down.
        self.core.services.stamp(built_at);
        self.core.services.use_stamp(used_at);
        entry.used_at.store(used_at, Ordering::Relaxed);
        entry.begin();
        if entry.is_gone() || self.core.services.clock.has_come(entry.idle_at()) {
            return;
        }
        let [entry, again] = Counted::pair(entry);
        let _under_way = self.begin_release();
        let room = self.core.make_room(weight);
        let added = {
            let mut state = self.state.lock();
            let is_taken = state.entries.get_at(hash, entry.key()).is_some();
            if state.ended || is_taken {
                Err(Orphaned(again))
            } else {
                let admitted = self.add(&mut state, hash, again);
                self.note_mark(&mut state, &entry.key().as_key());
                Ok(admitted)
            }
        };
        let evicted = close(room);
        settle(added);
        run(evicted);
    }
}
