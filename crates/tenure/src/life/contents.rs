//! The entries and the flights of one cache, as its lock guards them.
//!
//! Invariants
//! 1. `shapes` counts the live entries whose keys are completed by observed inputs, and no others.
//! 2. An entry that leaves is moved out, to be released after the lock.

use crate::ground::sync::Arc;
use crate::ground::timer::TimerId;
use crate::host::observe::{Likeness, Seen, Shapes, completed};
use crate::host::record::Observed;
use crate::key::KeyRef;
use crate::life::circle::FlightId;
use crate::life::entry::EntryRef;
use crate::life::flight::Flight;
use crate::life::hot::{Hot, Turns};
use crate::life::order::Ordered;
use crate::life::release::release;
use crate::words::bounds::Resource;
use crate::words::cause::Cause;

use hashbrown::HashTable;

/// The part of a cache that its lock guards.
pub(super) struct Contents<V: Resource, F> {
    pub(super) entries: Ordered<V>,
    pub(super) flights: HashTable<Arc<Flight<V, F>>>,
    pub(super) shapes: Shapes,
    pub(super) turns: Turns,
    /// The job that takes out what expires next.
    pub(super) expiry: Option<TimerId>,
    pub(super) ended: bool,
}

impl<V: Resource, F> Default for Contents<V, F> {
    fn default() -> Self {
        Self {
            entries: Ordered::default(),
            flights: HashTable::new(),
            shapes: Shapes::default(),
            turns: Turns::default(),
            expiry: None,
            ended: false,
        }
    }
}

/// Something or nothing, or what the caller has to look at before that can be said.
pub(super) type Looked<T> = Result<Option<T>, Vec<Observed>>;

/// An entry that has left its cache, to be released outside the lock.
pub(super) struct Gone<V: Resource> {
    pub(super) entry: EntryRef<V>,
    _shape: Option<Observed>,
}

impl<V: Resource> Gone<V> {
    pub(super) fn release(self, cause: Cause) {
        release(self.entry, cause);
    }
}

/// The entries and the flights of one call's key, out of their cache.
pub(super) struct Removed<V: Resource, F> {
    flights: Vec<Arc<Flight<V, F>>>,
    pub(super) entries: Vec<Gone<V>>,
}

impl<V: Resource, F> Removed<V, F> {
    pub(super) fn release(self, cause: Cause) {
        drop(self.flights);
        for entry in self.entries {
            entry.release(cause);
        }
    }
}

impl<V: Resource, F> Contents<V, F> {
    /// Takes out this very entry, if it is there.
    pub(super) fn remove(&mut self, hot: &Hot, entry: &EntryRef<V>) -> Option<Gone<V>> {
        let key = entry.key().as_key();
        hot.forget(&key, entry);
        let entry = self.entries.remove(key.hash(), entry)?;
        let observed = entry.observed();
        let shape = observed.and_then(|(call, observed)| self.shapes.remove(call, observed));
        Some(Gone {
            entry,
            _shape: shape,
        })
    }

    pub(super) fn pop_oldest(&mut self, hot: &Hot) -> Option<Gone<V>> {
        let oldest = self.entries.oldest()?.clone();
        self.remove(hot, &oldest)
    }

    /// The watched deadline, where no entry is left that could have it.
    pub(super) fn idle_expiry(&mut self) -> Option<TimerId> {
        let idle = self.entries.len() == 0;
        idle.then(|| self.expiry.take()).flatten()
    }

    pub(super) fn push(&mut self, hash: u64, entry: EntryRef<V>) {
        if let Some((call, observed)) = entry.observed() {
            self.shapes.add(call, observed);
        }
        self.entries.push(hash, entry);
    }

    /// Takes out what is under a call's key, whatever it observed, and the builds of it but for the
    /// caller's own.
    pub(super) fn remove_call(
        &mut self,
        hot: &Hot,
        key: &KeyRef<'_>,
        own: &[FlightId],
    ) -> Removed<V, F> {
        let mut flights = Vec::new();
        // Builds that saw other inputs stand under the same key.
        while let Ok(there) = self.flights.find_entry(key.hash(), |flight| {
            key.matches(&flight.key) && !own.contains(&flight.id)
        }) {
            flights.push(there.remove().0);
        }
        let mut entries = Vec::new();
        // What observed nothing stands under the call's own key.
        if let Some(entry) = self.entries.get(key).cloned() {
            entries.extend(self.remove(hot, &entry));
        }
        // What observed something stands under completed keys, which do not lead back to the call's.
        if !self.shapes.of(key).is_empty() {
            let of_call = |it: &&EntryRef<V>| {
                let observed = it.observed();
                observed.is_some_and(|(call, _)| key.matches(call))
            };
            let others: Vec<_> = self.entries.iter().filter(of_call).cloned().collect();
            entries.extend(others.iter().filter_map(|entry| self.remove(hot, entry)));
        }
        Removed { flights, entries }
    }

    /// The entry of a call, whose key may have to be completed by what the caller sees.
    pub(super) fn entry(&self, call: &KeyRef<'_>, seen: &Seen) -> Looked<&EntryRef<V>> {
        // Most observe nothing, and stand under the call's own key.
        if let Some(entry) = self.entries.get(call) {
            return Ok(Some(entry));
        }
        let mut unseen = Vec::new();
        for (shape, _) in self.shapes.of(call) {
            match seen.values(shape.shape()) {
                // No answer yet: another shape may still lead to the entry.
                None => unseen.push(shape.clone()),
                Some(values) => {
                    let key = completed(call, shape.shape(), values);
                    if let Some(entry) = self.entries.get(&key.as_key()) {
                        return Ok(Some(entry));
                    }
                }
            }
        }
        if unseen.is_empty() {
            Ok(None)
        } else {
            Err(unseen)
        }
    }

    /// A build that gives this caller what it asks for, as far as can be known.
    pub(super) fn flight(&self, call: &KeyRef<'_>, seen: &Seen) -> Looked<&Arc<Flight<V, F>>>
    where
        F: Clone,
    {
        let mut unseen = Vec::new();
        for flight in self.flights.iter_hash(call.hash()) {
            if call.matches(&flight.key) {
                match flight.compare(seen) {
                    Likeness::Same => return Ok(Some(flight)),
                    // It builds for other values than this caller sees.
                    Likeness::Differs => {}
                    // Its leader had looked further than this caller has.
                    Likeness::Unseen(more) => unseen.extend(more),
                }
            }
        }
        if unseen.is_empty() {
            Ok(None)
        } else {
            Err(unseen)
        }
    }

    /// Takes out this very flight; whether it was there.
    pub(super) fn strike(&mut self, flight: &Arc<Flight<V, F>>) -> bool {
        let there = self
            .flights
            .find_entry(flight.hash, |other| Arc::ptr_eq(other, flight));
        there.is_ok_and(|there| {
            there.remove();
            true
        })
    }
}
