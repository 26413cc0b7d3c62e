//! Everything that takes entries out of a cache before their time, and the time itself: discards, clears,
//! deadlines, idle times, and the cache's own end.
//!
//! Each begins a release before anything leaves, takes out under the lock, and releases after it.

use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Weak};
use crate::ground::timer::TimerId;
use crate::ground::underway::Begun;
use crate::key::KeyRef;
use crate::life::aging::budget::Weighed;
use crate::life::cache::Cache;
use crate::life::circle::{FlightId, Inside};
use crate::life::contents::{Contents, Gone};
use crate::life::drain::{End, Ends};
use crate::life::entry::{Entry, EntryRef, Home};
use crate::life::flight::Flight;
use crate::life::release::release;
use crate::life::succession::in_turn;
use crate::life::tagged::{AnyHome, Tagged};
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::fleet::Ending;

/// When an idle entry is looked at again that somebody holds.
const HELD: Nanos = 1_000_000_000;

impl<V: Resource, F: Failure> Cache<V, F> {
    /// Takes out this very entry, if it is still there, and lets go of the caller's lease; whether
    /// it was there.
    pub(crate) fn discard(&self, entry: EntryRef<V>, cause: Cause) -> bool {
        let _under_way = self.begin_release();
        let Some(taken) = self.take(entry, cause) else {
            return false;
        };
        release(taken, cause);
        true
    }

    /// Takes out this very entry, if it is still there, for a caller that has begun its release.
    pub(crate) fn take(&self, entry: EntryRef<V>, cause: Cause) -> Option<EntryRef<V>> {
        let (taken, idle) = {
            let mut state = self.state.lock();
            let taken = state.remove(&self.core.hot, &entry, cause);
            (taken, state.idle_expiry())
        };
        // The caller's own lease would keep what it discards.
        drop(entry);
        self.disarm(idle);
        taken.map(|gone| gone.entry)
    }

    /// Takes out this very entry as [`take`](Self::take) does, for a clear: the refresh of it becomes an
    /// orphan, but for one that clears.
    pub(crate) fn take_cleared_entry(&self, entry: EntryRef<V>) -> Option<EntryRef<V>> {
        let own = Inside::flights();
        let call = entry.call_key();
        let refreshes: Vec<_> = {
            let mut state = self.state.lock();
            let of_entry =
                |flight: &mut Arc<Flight<V, F>>| flight.key == *call && !own.contains(&flight.id);
            state.flights.extract_if(of_entry).collect()
        };
        drop(refreshes);
        self.take(entry, Cause::Cleared)
    }

    /// Takes out what is under `key`, whatever it observed, and orphans the builds of it, but for
    /// those that clear. All members of a fleet are told.
    pub(crate) fn clear_entry(&self, key: &KeyRef<'_>) {
        let _under_way = self.begin_release();
        let cleared = self.take_cleared_call(key, &Inside::flights());
        self.raise(key, Ending::Cleared);
        in_turn(&self.core.services, cleared);
    }

    /// Takes out what is under `key`, whatever it observed, and orphans the builds of it, but for these.
    pub(super) fn take_cleared_call(&self, key: &KeyRef<'_>, own: &[FlightId]) -> Ends {
        let (mut removed, idle) = {
            let mut state = self.state.lock();
            let removed = state.remove_call(&self.core.hot, key, own, Cause::Cleared);
            (removed, state.idle_expiry())
        };
        self.disarm(idle);
        let entries = std::mem::take(&mut removed.entries).into_iter();
        drop(removed);
        let entries = entries.map(|gone| gone.entry).collect();
        ends(entries, Cause::Cleared)
    }

    /// Takes out everything, and orphans every build. What is cleared is what stood before: not the
    /// builds that clear. All members of a fleet are told.
    pub(crate) fn clear(&self) {
        let _under_way = self.begin_release();
        let cleared = self.take_cleared(Cause::Cleared);
        self.raise_all(Ending::Cleared);
        in_turn(&self.core.services, cleared);
    }

    /// Takes out what a [`clear`](Self::clear) does, for a caller that has begun the release.
    pub(crate) fn take_cleared(&self, cause: Cause) -> Ends {
        let own = match cause {
            Cause::Cleared => Inside::flights(),
            // An edit or an end means the builds that run as well.
            _ => Vec::new(),
        };
        self.take_all(&own, false, cause)
    }

    /// Moves everything out for good, for a caller that has begun the release.
    pub(crate) fn end(&self, cause: Cause) -> Ends {
        self.take_all(&[], true, cause)
    }

    /// All live entries; the builds under way become orphans.
    pub(crate) fn hold_all(&self) -> Vec<EntryRef<V>> {
        let (entries, flights) = {
            let mut state = self.state.lock();
            let entries = state.entries.iter().cloned().collect();
            (entries, std::mem::take(&mut state.flights))
        };
        drop(flights);
        entries
    }

    pub(super) fn take_all(&self, own: &[FlightId], end: bool, cause: Cause) -> Ends {
        let (entries, flights, shapes, expiry, marks) = {
            let mut state = self.state.lock();
            state.ended |= end;
            self.core.hot.clear::<Entry<V>>();
            let others = state.flights.extract_if(|it| !own.contains(&it.id));
            let others: Vec<_> = others.collect();
            let marks = std::mem::take(&mut state.marks);
            let own: Vec<_> = state.flights.iter().map(|it| it.key.clone()).collect();
            for key in own {
                self.note_mark(&mut state, &key.as_key());
            }
            (
                state.take_entries(&self.core, cause),
                others,
                std::mem::take(&mut state.shapes),
                state.expiry.take(),
                marks,
            )
        };
        drop((flights, shapes, marks));
        self.disarm(expiry);
        ends(entries, cause)
    }

    /// Marks what leaves the cache from here on as being released, for a shutdown to wait for.
    pub(super) fn begin_release(&self) -> Begun<'_> {
        self.core.services.under_way.begin()
    }

    fn disarm(&self, expiry: Option<TimerId>) {
        if let Some(expiry) = expiry {
            self.core.services.timer.cancel(expiry);
        }
    }

    /// Sees to one entry whose time has come, and asks to be called again for the next one.
    fn look(self: &Arc<Self>, id: TimerId) {
        let _under_way = self.begin_release();
        let due = {
            let mut state = self.state.lock();
            if state.expiry != Some(id) {
                return;
            }
            state.expiry = None;
            let due = self.take_due(&mut state);
            // The next one does not wait for what the release of this one does.
            self.arm(&mut state);
            due
        };
        match due {
            None => {}
            Some(Due::Gone(gone)) => gone.release(),
            Some(Due::Idle(entry)) => self.end_idle(entry),
            Some(Due::Ahead(entry)) => self.refresh_ahead(&entry),
        }
    }

    fn take_due(&self, state: &mut Contents<V, F>) -> Option<Due<V>> {
        let (when, entry) = self.next_look(state)?;
        let clock = &self.core.services.clock;
        if entry.is_gone() {
            let gone = state.remove(&self.core.hot, &entry, Cause::Expired);
            return gone.map(Due::Gone);
        }
        // Nothing else has a time of its own.
        if !self.core.looks_at_each() || !clock.has_come(when) {
            return None;
        }
        state.looked();
        if clock.has_come(entry.idle_at()) {
            Some(Due::Idle(entry))
        } else {
            Some(Due::Ahead(entry))
        }
    }

    /// Releases an entry that has been idle for long enough, if nobody holds it; it is looked at again
    /// otherwise.
    fn end_idle(self: &Arc<Self>, entry: EntryRef<V>) {
        // The front door looks, under no lock.
        let is_held = self.core.is_held(entry.value());
        let now = self.core.services.clock.now();
        let taken = {
            let mut state = self.state.lock();
            // What the slots set aside are no leases; whoever has taken one out is asking for it.
            self.core.hot.forget(&entry.key().as_key(), &entry);
            // The cache's reference and this one.
            let is_leased = entry.count() > 2;
            let is_idle = self.core.services.clock.has_come(entry.idle_at());
            let taken = if is_idle && !is_held && !is_leased {
                state.remove(&self.core.hot, &entry, Cause::Idle)
            } else {
                None
            };
            if taken.is_none() {
                let again = if is_idle { now.saturating_add(HELD) } else { 0 };
                state.look_by(again.max(entry.idle_at()).min(entry.gone_at()), &entry);
            }
            self.arm(&mut state);
            taken
        };
        drop(entry);
        if let Some(taken) = taken {
            taken.release();
        }
    }

    /// Has the entry watched whose time comes first.
    pub(super) fn arm(self: &Arc<Self>, state: &mut Contents<V, F>) {
        let Some((when, _)) = self.next_look(state) else {
            return;
        };
        match state.expiry {
            Some(there) if there.when() <= when => return,
            // Taken back or under way: it learns that another has its place.
            Some(there) => drop(self.core.services.timer.cancel(there)),
            None => {}
        }
        let cache: Weak<Self> = Arc::downgrade(self);
        let look = move |id| {
            if let Some(cache) = cache.upgrade() {
                cache.look(id);
            }
        };
        state.expiry = Some(self.core.services.timer.at(when, look));
    }

    /// When to look at an entry next, and at which.
    fn next_look(&self, state: &mut Contents<V, F>) -> Option<(Nanos, EntryRef<V>)> {
        if self.core.looks_at_each() {
            return state.next_look();
        }
        self.core.settings.ttl?;
        let oldest = state.entries.oldest()?;
        Some((oldest.gone_at(), oldest.clone()))
    }
}

/// An entry whose time has come.
enum Due<V: Resource> {
    Gone(Gone<V>),
    Idle(EntryRef<V>),
    /// Its successor is to be built.
    Ahead(EntryRef<V>),
}

impl<V: Resource, F: Failure> Weighed for Cache<V, F> {
    fn longest_unused(&self) -> Option<Nanos> {
        let (used_at, _) = self.state.lock().longest_unused()?;
        Some(used_at)
    }

    fn take_longest_unused(&self) -> Option<End> {
        let gone = self.state.lock().pop_longest_unused(&self.core.hot)?;
        Some(Box::new(move || gone.release()))
    }
}

impl<V: Resource, F: Failure> AnyHome for Cache<V, F> {
    fn take_tagged(&self, tagged: &Tagged, own: &[FlightId], cause: Cause) -> Option<(Nanos, End)> {
        let (flight, gone, idle) = {
            let mut state = self.state.lock();
            // It is the one or the other, and what is asked to clear it may be building it.
            let flight = state.strike_tagged(tagged, own);
            let gone = state.remove_tagged(&self.core.hot, tagged, cause);
            (flight, gone, state.idle_expiry())
        };
        drop(flight);
        self.disarm(idle);
        let gone = gone?;
        let built_at = gone.entry.built_at();
        Some((built_at, Box::new(move || gone.release())))
    }

    fn put_off(&self, call: u64) {
        Self::put_off(self, call);
    }
}

impl<V: Resource, F: Failure> Home<V> for Cache<V, F> {
    fn discard(&self, entry: EntryRef<V>, cause: Cause) {
        Self::discard(self, entry, cause);
    }
}

impl<V: Resource, F> Drop for Cache<V, F> {
    fn drop(&mut self) {
        let _under_way = self.core.services.under_way.begin();
        let (entries, expiry) = {
            let mut state = self.state.lock();
            self.core.hot.clear::<Entry<V>>();
            let entries = state.take_entries(&self.core, Cause::Superseded);
            (entries, state.expiry.take())
        };
        if let Some(expiry) = expiry {
            self.core.services.timer.cancel(expiry);
        }
        in_turn(&self.core.services, ends(entries, Cause::Superseded));
    }
}

/// What releases these entries, which have left their cache.
pub(crate) fn ends<V: Resource>(entries: Vec<EntryRef<V>>, cause: Cause) -> Ends {
    let ends = entries.into_iter().map(|entry| {
        let built_at = entry.built_at();
        let end: End = Box::new(move || release(entry, cause));
        (built_at, end)
    });
    ends.collect()
}
