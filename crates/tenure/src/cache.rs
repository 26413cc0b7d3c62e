//! One function's cache in one scope: its entries, and the builds under way.
//!
//! Invariants
//! 1. A key has at most one live entry and at most one flight that will fill it.
//! 2. `max_entries` holds at every moment: room is made before an entry is added, under one lock.
//! 3. An entry leaves the cache by being moved out under the lock; it is released after the lock.
//! 4. A flight that is no longer in `flights` when it lands is an orphan, and adds nothing.
//! 5. After `ended` nothing is added any more.
//!
//! Lock order: a cache's lock, then the timer's. Nothing foreign runs under either.

use std::time::Duration;

use crate::bounds::{Failure, Resource};
use crate::clock::Nanos;
use crate::entry::{Entry, Lease};
use crate::flight::{Flight, Landing};
use crate::function::Shared;
use crate::key::{Key, KeyRef};
use crate::order::Ordered;
use crate::record::Recording;
use crate::release::{Cause, release};
use crate::sync::{Arc, Mutex, Weak};
use crate::timer::TimerId;

use hashbrown::HashTable;

pub(crate) struct Cache<V: Resource, F> {
    shared: Arc<Shared<V>>,
    state: Mutex<State<V, F>>,
}

struct State<V: Resource, F> {
    entries: Ordered<V>,
    flights: HashTable<Arc<Flight<V, F>>>,
    /// The job that takes out what expires next.
    expiry: Option<TimerId>,
    ended: bool,
}

/// What a look into the cache found.
pub(crate) enum Found<V: Resource, F: Failure> {
    /// An entry that has not expired.
    Entry(Lease<V>),
    /// A build of the same key; the caller may wait for it.
    Flight(Arc<Flight<V, F>>),
    /// Nothing; the caller leads now.
    Leads(Leader<V, F>),
}

impl<V: Resource, F: Failure> Cache<V, F> {
    pub(crate) fn new(shared: Arc<Shared<V>>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            state: Mutex::new(State {
                entries: Ordered::default(),
                flights: HashTable::new(),
                expiry: None,
                ended: false,
            }),
        })
    }

    /// Looks at a live entry under the lock. `look` must not run foreign code.
    #[inline]
    pub(crate) fn peek<T>(
        &self,
        key: &KeyRef<'_>,
        look: impl FnOnce(&Lease<V>) -> Option<T>,
    ) -> Option<T> {
        let state = self.state.lock();
        let lease = state.entries.get(key)?;
        if lease.entry().has_expired() {
            return None;
        }
        look(lease)
    }

    /// Finds an entry, a flight to wait for, or the duty to build.
    pub(crate) fn find(self: &Arc<Self>, key: &KeyRef<'_>) -> Found<V, F> {
        let expired;
        let found = {
            let mut state = self.state.lock();
            match state.entries.get(key) {
                Some(lease) if !lease.entry().has_expired() => {
                    return Found::Entry(lease.clone());
                }
                Some(lease) => {
                    let lease = lease.clone();
                    expired = state.entries.remove(&lease);
                }
                None => expired = None,
            }
            let hash = key.hash();
            match state.flights.find(hash, |flight| key.matches(&flight.key)) {
                Some(flight) => Found::Flight(Arc::clone(flight)),
                None => {
                    let flight = Arc::new(Flight::new(
                        self.shared.engine.core().number(),
                        key.to_key(),
                        Arc::clone(&self.shared.name),
                    ));
                    let added = Arc::clone(&flight);
                    state
                        .flights
                        .insert_unique(hash, added, |flight| flight.key.hash());
                    Found::Leads(Leader {
                        cache: Arc::clone(self),
                        flight: Some(flight),
                    })
                }
            }
        };
        if let Some(entry) = expired {
            release(entry, Cause::Expired);
        }
        found
    }

    /// Takes out this very entry, if it is still there.
    pub(crate) fn discard(&self, entry: &Lease<V>, cause: Cause) {
        let taken = self.state.lock().entries.remove(entry);
        if let Some(taken) = taken {
            release(taken, cause);
        }
    }

    /// Takes out what is under `key`, and orphans a build of it.
    pub(crate) fn clear_entry(&self, key: &KeyRef<'_>) {
        let (entry, flight) = {
            let mut state = self.state.lock();
            let flight = state
                .flights
                .find_entry(key.hash(), |flight| key.matches(&flight.key))
                .ok()
                .map(|there| there.remove().0);
            (state.entries.take(key), flight)
        };
        drop(flight);
        if let Some(entry) = entry {
            release(entry, Cause::Cleared);
        }
    }

    /// Takes out everything, and orphans every build.
    pub(crate) fn clear(&self, cause: Cause) {
        for entry in self.take_all(false) {
            release(entry, cause);
        }
    }

    /// Moves everything out, for the caller to release; with `end`, for good.
    pub(crate) fn take_all(&self, end: bool) -> Vec<Lease<V>> {
        let (entries, flights, expiry) = {
            let mut state = self.state.lock();
            state.ended |= end;
            (
                state.entries.take_all(),
                std::mem::take(&mut state.flights),
                state.expiry.take(),
            )
        };
        drop(flights);
        if let Some(expiry) = expiry {
            self.shared.engine.core().timer.cancel(expiry);
        }
        entries
    }

    /// Takes out what has expired, and asks to be called again for what expires next.
    fn expire(self: &Arc<Self>) {
        loop {
            let entry = {
                let mut state = self.state.lock();
                let expired = state.entries.oldest().filter(|it| it.entry().has_expired());
                let Some(entry) = expired.cloned() else {
                    state.expiry = None;
                    self.arm(&mut state);
                    return;
                };
                state.entries.remove(&entry);
                // The next one does not wait for what the release of this one does.
                state.expiry = None;
                self.arm(&mut state);
                entry
            };
            release(entry, Cause::Expired);
        }
    }

    /// Has the oldest entry's deadline watched, where nothing is watched yet.
    fn arm(self: &Arc<Self>, state: &mut State<V, F>) {
        if state.expiry.is_some() {
            return;
        }
        let Some(deadline) = self.next_deadline(state) else {
            return;
        };
        let cache: Weak<Self> = Arc::downgrade(self);
        let job = Box::new(move || {
            if let Some(cache) = cache.upgrade() {
                cache.expire();
            }
        });
        state.expiry = Some(self.shared.engine.core().timer.at(deadline, job));
    }

    fn next_deadline(&self, state: &State<V, F>) -> Option<Nanos> {
        self.shared.settings.ttl?;
        state.entries.oldest().map(|it| it.entry().deadline())
    }

    /// Adds what a flight built, unless the flight has become an orphan. Gives what had to go.
    fn admit(
        self: &Arc<Self>,
        flight: &Arc<Flight<V, F>>,
        entry: &Lease<V>,
    ) -> Result<Vec<Lease<V>>, Orphaned> {
        let mut evicted = Vec::new();
        let mut state = self.state.lock();
        if !remove_flight(&mut state, flight) || state.ended {
            return Err(Orphaned);
        }
        let most = self.shared.settings.max_entries.unwrap_or(usize::MAX);
        while state.entries.len() >= most {
            evicted.extend(state.entries.pop_oldest());
        }
        state.entries.push(entry.clone());
        self.arm(&mut state);
        Ok(evicted)
    }

    fn strike(&self, flight: &Arc<Flight<V, F>>) {
        remove_flight(&mut self.state.lock(), flight);
    }

    pub(crate) fn read(&self, info: &mut crate::info::Info) {
        let now = self.shared.engine.core().clock.now();
        let state = self.state.lock();
        for lease in state.entries.iter() {
            info.entries += 1;
            info.hits += lease.entry().hits();
            let age = now.saturating_sub(lease.entry().built_at());
            info.ages.push(Duration::from_nanos(age));
        }
    }

    #[cfg(test)]
    pub(crate) fn flights(&self) -> usize {
        self.state.lock().flights.len()
    }
}

impl<V: Resource, F> Drop for Cache<V, F> {
    fn drop(&mut self) {
        let (entries, expiry) = {
            let mut state = self.state.lock();
            (state.entries.take_all(), state.expiry.take())
        };
        if let Some(expiry) = expiry {
            self.shared.engine.core().timer.cancel(expiry);
        }
        for entry in entries {
            release(entry, Cause::Superseded);
        }
    }
}

/// The flight was taken out of its cache while it was under way.
struct Orphaned;

fn remove_flight<V: Resource, F>(state: &mut State<V, F>, flight: &Arc<Flight<V, F>>) -> bool {
    let hash = flight.key.hash();
    let there = state
        .flights
        .find_entry(hash, |other| Arc::ptr_eq(other, flight));
    there.is_ok_and(|there| {
        there.remove();
        true
    })
}

/// The duty to build under one key. Dropped without a result, it hands the duty on.
pub(crate) struct Leader<V: Resource, F: Failure> {
    cache: Arc<Cache<V, F>>,
    flight: Option<Arc<Flight<V, F>>>,
}

impl<V: Resource, F: Failure> Leader<V, F> {
    pub(crate) fn flight(&self) -> &Arc<Flight<V, F>> {
        self.flight.as_ref().expect("a leader leads until it lands")
    }

    /// The build gave a resource.
    pub(crate) fn fill(mut self, value: V, recording: Option<Recording>) -> Lease<V> {
        let flight = self.flight.take().expect("a leader lands once");
        let shared = &self.cache.shared;
        let key: Key = flight.key.clone();
        let lease = Lease::new(Arc::new(Entry::new(
            key,
            value,
            recording,
            Arc::clone(shared),
        )));
        let admitted = self.cache.admit(&flight, &lease);
        flight.land(Landing::Filled(lease.clone()));
        match admitted {
            Ok(evicted) => {
                for entry in evicted {
                    release(entry, Cause::Evicted);
                }
            }
            Err(Orphaned) => release(lease.clone(), Cause::Orphaned),
        }
        lease
    }

    /// The build failed; whoever waited gets the same failure.
    pub(crate) fn fail(mut self, failure: F) {
        let flight = self.flight.take().expect("a leader lands once");
        self.cache.strike(&flight);
        flight.land(Landing::Failed(failure));
    }
}

impl<V: Resource, F: Failure> Drop for Leader<V, F> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.cache.strike(&flight);
            flight.land(Landing::Abandoned);
        }
    }
}
