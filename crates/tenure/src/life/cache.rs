//! One function's cache in one scope: its entries, and the builds under way. Who looks for an entry, and leads a build
//! where there is none, is in `building/leader.rs`; what takes entries out is in `removal.rs`.
//!
//! Invariants
//! 1. A key has at most one live entry and at most one flight that will fill it, or replace it.
//! 2. `max_entries` and `max_weight` hold at every moment: room is made before an entry is added, under one
//!    lock.
//! 3. An entry leaves the cache by being moved out under the lock; it is released after the lock.
//! 4. A flight that is no longer in `flights` when it lands is an orphan, and adds nothing. Nobody
//!    makes an orphan of a build by a clear from inside it.
//! 5. After `ended` nothing is added any more.
//! 6. An entry is hot only while it is in the `entries` of its function's global cache.
//!
//! Lock order: the budget's lock, a cache's, then the timer's. Nothing foreign runs under any of them.

use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::counted::Counted;
use crate::ground::sync::{Arc, Mutex, Weak};
use crate::host::SessionId;
use crate::host::observe::Seen;
use crate::key::KeyRef;
use crate::life::aging::admission::Admission;
use crate::life::aging::budget::{Room, Weighed};
use crate::life::contents::{Contents, Gone, Looked};
use crate::life::core::Core;
use crate::life::drain::End;
use crate::life::entry::{Built, Entry, EntryRef, Extra, Owner};
use crate::life::hot::Turns;
use crate::life::lease::Lease;
use crate::life::release::release;
use crate::life::services::Services;
use crate::life::tagged::Tagged;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::fleet::Purpose;

/// One function's cache in one scope.
pub(crate) struct Cache<V: Resource, F> {
    pub(super) core: Arc<Core<V>>,
    /// The function and the cache itself, as its entries know them.
    pub(super) owner: Arc<Owner<V>>,
    /// The name of the scope, where the members of a fleet share it.
    pub(super) scope: Option<SessionId>,
    pub(super) state: Mutex<Contents<V, F>>,
}

/// An entry that was put into a cache by hand, and the one that stood there before.
pub(crate) struct Put<V: Resource> {
    pub(crate) lease: Lease<V>,
    pub(crate) before: Option<Lease<V>>,
}

impl<V: Resource, F: Failure> Cache<V, F> {
    pub(crate) fn new(core: Arc<Core<V>>, scope: Option<SessionId>) -> Arc<Self> {
        let weighs = core.settings.weighs;
        let scope = scope.filter(|_| core.known_as.is_some());
        let cache = Arc::new_cyclic(|me: &Weak<Self>| Self {
            owner: Arc::new(Owner {
                core: Arc::clone(&core),
                cache: Weak::clone(me) as _,
            }),
            core,
            scope,
            state: Mutex::default(),
        });
        if weighs {
            let weighed: Weak<dyn Weighed> = Arc::downgrade(&cache) as _;
            cache.core.services.budget.join(weighed);
        }
        cache
    }

    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.core.services
    }

    /// Finds an entry that is at hand and was not recorded, and counts the hit. For quick functions.
    #[inline(never)]
    pub(crate) fn hit(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let entry = state.entries.get(key)?;
        if entry.is_due() || entry.recording().is_some() || self.core.is_apart() {
            return None;
        }
        entry.note_use();
        entry.count_hits(1);
        self.warm(&mut state.turns, key, entry);
        Some(Lease::new(entry.clone()))
    }

    /// A live entry that may be handed out, as it is: no hit is counted, and nothing is taken out. None where none counts
    /// as current.
    pub(crate) fn kept(&self, key: &KeyRef<'_>, seen: &Seen) -> Looked<Lease<V>> {
        let state = self.state.lock();
        let entry = state.entry(key, seen)?;
        let entry = entry.filter(|entry| !entry.is_gone() && !self.core.is_apart());
        Ok(entry.map(|entry| Lease::new(entry.clone())))
    }

    /// Has later calls find the entry without a lock, where they need nothing but it.
    pub(super) fn warm(&self, turns: &mut Turns, key: &KeyRef<'_>, entry: &EntryRef<V>) {
        let is_at_hand = entry.recording().is_none() && !entry.is_due();
        if self.core.settings.is_quick() && is_at_hand && !self.core.is_apart() {
            self.core.hot.offer(turns, key, entry);
        }
    }

    /// Has what is built or kept for a call carry tags, if there are any.
    pub(super) fn tagged(
        self: &Arc<Self>,
        tags: &[Arc<str>],
        number: u64,
        key: &KeyRef<'_>,
    ) -> Option<Arc<Tagged>> {
        let home = || Arc::downgrade(self) as _;
        let index = &self.core.services.tags;
        let fleet = &self.core.services.fleet;
        let mark = |tag: &str| fleet.marks(|bus| bus.mark(Purpose::Tag, &[tag.as_bytes()]));
        index.add(tags, number, key.hash(), home, &mark)
    }

    /// Puts a resource under `key`, in the place of what is there, and orphans the builds of it.
    pub(crate) fn insert(
        self: &Arc<Self>,
        key: &KeyRef<'_>,
        built: Built<V>,
        built_at: Nanos,
        admission: Admission,
        tags: &[Arc<str>],
    ) -> Put<V> {
        let Built { value, arguments } = built;
        let extra = Extra {
            arguments,
            term: admission.term(&self.core, built_at),
            weight: admission.weight,
            tagged: self.tagged(tags, self.core.services.number(), key),
            ..Extra::default()
        };
        let entry = Entry::new(
            key.to_key(),
            value,
            built_at,
            Duration::ZERO,
            extra,
            Arc::clone(&self.owner),
        );
        // One reference for the caller's lease, one for the cache.
        let [entry, again] = Counted::pair(entry);
        let room = self.core.make_room(admission.weight);
        let (replaced, added) = {
            let mut state = self.state.lock();
            // The caller's own build of it too: what is put in by hand is newer than what it builds.
            let replaced = state.remove_call(&self.core.hot, key, &[], Cause::Replaced);
            let added = if state.ended || !admission.keeps {
                Err(Orphaned(again))
            } else {
                let admitted = self.add(&mut state, key.hash(), again);
                self.note_mark(&mut state, key);
                Ok(admitted)
            };
            (replaced, added)
        };
        // Leased before it is released, or the release would be its end.
        let before = replaced.entries.first();
        let before = before.map(|gone| Lease::new(gone.entry.clone()));
        let evicted = close(room);
        replaced.release();
        settle(added);
        run(evicted);
        Put {
            lease: Lease::new(entry),
            before,
        }
    }

    /// The hashes of the calls that have an entry.
    pub(crate) fn hashes(&self) -> Vec<u64> {
        let state = self.state.lock();
        state.entries.iter().map(|it| it.call_hash()).collect()
    }

    /// What was kept for these calls has been superseded, as far as this cache is concerned: another one had it.
    pub(crate) fn takes_over(&self, calls: Vec<u64>) {
        let now = self.core.services.clock.now();
        let mut state = self.state.lock();
        state
            .history
            .note_all(calls.into_iter(), Cause::Superseded, now);
    }

    /// Adds an entry to a cache that has room for it or makes some. Gives what had to go.
    pub(super) fn add(
        self: &Arc<Self>,
        state: &mut Contents<V, F>,
        hash: u64,
        entry: EntryRef<V>,
    ) -> Admitted<V> {
        // Room first: at no moment are there more entries than may be.
        let mut evicted = Vec::new();
        let most = self.core.settings.max_entries.unwrap_or(usize::MAX);
        while state.entries.len() >= most {
            evicted.extend(state.pop_oldest(&self.core.hot));
        }
        let heaviest = self.core.settings.max_weight.unwrap_or(u64::MAX);
        while state.weight() + u128::from(entry.weight()) > u128::from(heaviest) {
            match state.pop_longest_unused(&self.core.hot) {
                Some(gone) => evicted.push(gone),
                None => break,
            }
        }
        state.push(hash, entry);
        self.arm(state);
        Admitted {
            evicted,
            replaced: None,
        }
    }
}

/// An entry that stands in no cache: its flight was taken out while it was under way, or it is not
/// to be kept.
pub(super) struct Orphaned<V: Resource>(pub(super) EntryRef<V>);

/// What had to go for an entry.
pub(super) struct Admitted<V: Resource> {
    evicted: Vec<Gone<V>>,
    /// The one that it is the successor of.
    pub(super) replaced: Option<Gone<V>>,
}

/// Releases what had to go for an entry, or the one that became none.
pub(super) fn settle<V: Resource>(added: Result<Admitted<V>, Orphaned<V>>) {
    match added {
        Ok(Admitted { evicted, replaced }) => {
            if let Some(replaced) = replaced {
                replaced.release();
            }
            for entry in evicted {
                entry.release();
            }
        }
        Err(Orphaned(again)) => release(again, Cause::Orphaned),
    }
}

/// Ends a turn at the budget, and gives what had to go.
pub(super) fn close(room: Option<Room<'_>>) -> Vec<End> {
    room.map(Room::close).unwrap_or_default()
}

pub(super) fn run(ends: Vec<End>) {
    for end in ends {
        end();
    }
}
