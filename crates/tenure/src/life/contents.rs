//! The entries and the flights of one cache, as its lock guards them.
//!
//! Invariants
//! 1. `shapes` counts the live entries whose keys are completed by observed inputs, and no others.
//! 2. An entry that leaves is moved out, to be released after the lock.
//! 3. `weight` is that of the live entries, and a part of what the budget holds.
//! 4. What leaves carries its tags no longer.

use crate::ground::clock::{NEVER, Nanos};
use crate::ground::sync::Arc;
use crate::ground::timer::TimerId;
use crate::host::observe::{Likeness, Seen, Shapes, completed};
use crate::host::record::Observed;
use crate::key::{KeyRef, Part};
use crate::life::aging::agenda::Agenda;
use crate::life::circle::FlightId;
use crate::life::core::Core;
use crate::life::entry::EntryRef;
use crate::life::fleet::marks::{Marks, Spread};
use crate::life::flight::Flight;
use crate::life::history::History;
use crate::life::hot::{Hot, Turns};
use crate::life::order::{Ordered, Place};
use crate::life::release::release;
use crate::life::tagged::Tagged;
use crate::words::bounds::Resource;
use crate::words::cause::Cause;

use hashbrown::HashTable;

/// The part of a cache that its lock guards.
pub(super) struct Contents<V: Resource, F> {
    pub(super) entries: Ordered<V>,
    pub(super) flights: HashTable<Arc<Flight<V, F>>>,
    pub(super) shapes: Shapes,
    pub(super) turns: Turns,
    /// The job that looks at what is due next.
    pub(super) expiry: Option<TimerId>,
    /// When to look at each entry, where they do not grow old in the order in which they came.
    looks: Agenda,
    /// The entries that have a weight, by their last use.
    by_use: Agenda,
    weight: u128,
    /// How often the entries had moved when the agendas were made.
    moves: u32,
    pub(super) ended: bool,
    /// The calls by the marks that a fleet knows them by.
    pub(super) marks: Marks,
    pub(super) spread: Spread,
    pub(super) history: History,
}

impl<V: Resource, F> Default for Contents<V, F> {
    fn default() -> Self {
        Self {
            entries: Ordered::default(),
            flights: HashTable::new(),
            shapes: Shapes::default(),
            turns: Turns::default(),
            expiry: None,
            looks: Agenda::default(),
            by_use: Agenda::default(),
            weight: 0,
            moves: 0,
            ended: false,
            marks: Marks::default(),
            spread: Spread::default(),
            history: History::default(),
        }
    }
}

/// Something or nothing, or what the caller has to look at before that can be said.
pub(super) type Looked<T> = Result<Option<T>, Vec<Observed>>;

/// An entry that has left its cache, to be released outside the lock.
pub(super) struct Gone<V: Resource> {
    pub(super) entry: EntryRef<V>,
    cause: Cause,
    _shape: Option<Observed>,
}

impl<V: Resource> Gone<V> {
    pub(super) fn release(self) {
        release(self.entry, self.cause);
    }
}

/// The entries and the flights of one call's key, out of their cache.
pub(super) struct Removed<V: Resource, F> {
    flights: Vec<Arc<Flight<V, F>>>,
    pub(super) entries: Vec<Gone<V>>,
}

impl<V: Resource, F> Removed<V, F> {
    pub(super) fn release(self) {
        drop(self.flights);
        for entry in self.entries {
            entry.release();
        }
    }
}

/// The times by which an entry stands on the agendas of its cache.
struct Times {
    look: Option<Nanos>,
    used_at: Option<Nanos>,
}

impl Times {
    fn of<V>(entry: &EntryRef<V>) -> Self {
        let core = entry.core();
        Self {
            look: core.looks_at_each().then(|| entry.next_look()),
            used_at: core.settings.weighs.then(|| entry.used_at()),
        }
    }
}

impl<V: Resource, F> Contents<V, F> {
    /// Takes out this very entry, if it is there.
    pub(super) fn remove(
        &mut self,
        hot: &Hot,
        entry: &EntryRef<V>,
        cause: Cause,
    ) -> Option<Gone<V>> {
        let key = entry.key().as_key();
        hot.forget(&key, entry);
        let entry = self.entries.remove(key.hash(), entry)?;
        self.leave(&entry);
        let now = entry.core().services.clock.now();
        self.history.note(entry.call_hash(), cause, now);
        let observed = entry.observed();
        let shape = observed.and_then(|(call, observed)| self.shapes.remove(call, observed));
        Some(Gone {
            entry,
            cause,
            _shape: shape,
        })
    }

    pub(super) fn pop_longest_unused(&mut self, hot: &Hot) -> Option<Gone<V>> {
        let (_, entry) = self.longest_unused()?;
        self.remove(hot, &entry, Cause::Evicted)
    }

    pub(super) fn pop_oldest(&mut self, hot: &Hot) -> Option<Gone<V>> {
        let oldest = self.entries.oldest()?.clone();
        self.remove(hot, &oldest, Cause::Evicted)
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
        let times = Times::of(&entry);
        let weight = entry.core().settings.weighs.then(|| entry.weight());
        if let Some(weight) = weight {
            self.weight += u128::from(weight);
            entry.core().services.budget.add(weight);
        }
        let place = self.entries.push(hash, entry);
        self.note(place, &times);
    }

    fn note(&mut self, place: Place, times: &Times) {
        if let Some(when) = times.look.filter(|it| *it != NEVER) {
            self.looks.note(when, place);
        }
        if let Some(when) = times.used_at {
            self.by_use.note(when, place);
        }
    }

    /// Has an entry looked at by then, which its own time is no later than.
    pub(super) fn look_by(&mut self, when: Nanos, entry: &EntryRef<V>) {
        let place = self.entries.place(entry.key().hash(), entry);
        if let Some(place) = place {
            self.looks.note(when, place);
            self.tidy();
        }
    }

    /// An entry has been taken out of the list.
    fn leave(&mut self, entry: &EntryRef<V>) {
        if let Some(tagged) = entry.tagged() {
            tagged.leave();
        }
        if entry.core().settings.weighs {
            let weight = u128::from(entry.weight());
            self.weight -= weight;
            entry.core().services.budget.subtract(weight);
        }
        self.tidy();
        if self.marks.let_go() {
            self.sweep_marks();
        }
    }

    /// Makes the agendas anew where places have become others, or most notes are about nothing.
    fn tidy(&mut self) {
        let entries = self.entries.len();
        let moved = self.moves != self.entries.moves();
        self.moves = self.entries.moves();
        let is_noted = !self.looks.is_empty() || !self.by_use.is_empty();
        if is_noted && (moved || self.looks.is_stale(entries) || self.by_use.is_stale(entries)) {
            self.looks.clear();
            self.by_use.clear();
            let all = self
                .entries
                .places()
                .map(|(place, it)| (place, Times::of(it)));
            let all: Vec<_> = all.collect();
            for (place, times) in all {
                self.note(place, &times);
            }
        }
    }

    /// Takes out all entries, oldest first.
    pub(super) fn take_entries(&mut self, core: &Core<V>, cause: Cause) -> Vec<EntryRef<V>> {
        self.looks.clear();
        self.by_use.clear();
        core.services
            .budget
            .subtract(std::mem::take(&mut self.weight));
        let entries = self.entries.take_all();
        let hashes = entries.iter().map(|it| it.call_hash());
        self.history
            .note_all(hashes, cause, core.services.clock.now());
        if core.settings.tags_calls {
            for tagged in entries.iter().filter_map(|it| it.tagged()) {
                tagged.leave();
            }
        }
        entries
    }

    /// When to look at an entry next, and at which.
    pub(super) fn next_look(&mut self) -> Option<(Nanos, EntryRef<V>)> {
        let entries = &self.entries;
        let time = |place| entries.at(place).map(|it| it.next_look());
        let (when, place) = self.looks.first(time)?;
        Some((when, entries.at(place)?.clone()))
    }

    /// What [`next_look`](Self::next_look) has just given is being looked at.
    pub(super) fn looked(&mut self) {
        self.looks.pop();
    }

    pub(super) fn weight(&self) -> u128 {
        self.weight
    }

    /// The entry used longest ago of those that have a weight, and when.
    pub(super) fn longest_unused(&mut self) -> Option<(Nanos, EntryRef<V>)> {
        let entries = &self.entries;
        let time = |place| entries.at(place).map(|it| it.used_at());
        let (when, place) = self.by_use.first(time)?;
        Some((when, entries.at(place)?.clone()))
    }

    /// Takes out what is under a call's key, whatever it observed, and the builds of it but for the
    /// caller's own.
    pub(super) fn remove_call(
        &mut self,
        hot: &Hot,
        key: &KeyRef<'_>,
        own: &[FlightId],
        cause: Cause,
    ) -> Removed<V, F> {
        let flights = self.strike_call(key, own);
        let entries = self.entries_of(key);
        let entries = entries.iter().filter_map(|it| self.remove(hot, it, cause));
        Removed {
            entries: entries.collect(),
            flights,
        }
    }

    /// Takes out the builds under a call's key, but for these.
    pub(super) fn strike_call(
        &mut self,
        key: &KeyRef<'_>,
        own: &[FlightId],
    ) -> Vec<Arc<Flight<V, F>>> {
        let mut flights = Vec::new();
        // Builds that saw other inputs stand under the same key.
        while let Ok(there) = self.flights.find_entry(key.hash(), |flight| {
            key.matches(&flight.key) && !own.contains(&flight.id)
        }) {
            flights.push(there.remove().0);
        }
        flights
    }

    /// What is under a call's key, whatever it observed.
    pub(super) fn entries_of(&self, key: &KeyRef<'_>) -> Vec<EntryRef<V>> {
        // What observed nothing stands under the call's own key.
        let mut entries: Vec<_> = self.entries.get(key).cloned().into_iter().collect();
        // What observed something stands under completed keys, which do not lead back to the call's.
        if !self.shapes.of(key).is_empty() {
            let of_call = |it: &&EntryRef<V>| {
                let observed = it.observed();
                observed.is_some_and(|(call, _)| key.matches(call))
            };
            entries.extend(self.entries.iter().filter(of_call).cloned());
        }
        entries
    }

    /// Takes out the build that carries these tags, unless it is one of `own`.
    pub(super) fn strike_tagged(
        &mut self,
        tagged: &Tagged,
        own: &[FlightId],
    ) -> Option<Arc<Flight<V, F>>> {
        let is_it = |flight: &Arc<Flight<V, F>>| {
            let carries = flight.tagged.as_deref();
            carries.is_some_and(|it| std::ptr::eq(it, tagged)) && !own.contains(&flight.id)
        };
        let there = self.flights.find_entry(tagged.call(), is_it).ok()?;
        Some(there.remove().0)
    }

    /// Takes out the entry that carries these tags, if it is there.
    pub(super) fn remove_tagged(
        &mut self,
        hot: &Hot,
        tagged: &Tagged,
        cause: Cause,
    ) -> Option<Gone<V>> {
        let is_it = |entry: &EntryRef<V>| {
            let carries = entry.tagged();
            carries.is_some_and(|it| std::ptr::eq(&**it, tagged))
        };
        let entry = self.entries.find_where(tagged.entry(), is_it)?.clone();
        self.remove(hot, &entry, cause)
    }

    /// The arguments of a call in which alone the calls that have an entry differ from it, and how many do.
    pub(super) fn differing(&self, call: &KeyRef<'_>, parts: &[Part<'_>]) -> Vec<(Arc<str>, u64)> {
        let mut counts: Vec<(Arc<str>, u64)> = Vec::new();
        let differing = self.entries.iter();
        for at in differing.filter_map(|it| call.differs_in(it.call_key(), parts)) {
            let name = parts[at].name;
            match counts.iter_mut().find(|(it, _)| **it == *name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name.into(), 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
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

    /// Whether this very flight is there.
    pub(super) fn has_flight(&self, flight: &Arc<Flight<V, F>>) -> bool {
        let is_it = |other: &Arc<Flight<V, F>>| Arc::ptr_eq(other, flight);
        self.flights.find(flight.hash, is_it).is_some()
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
