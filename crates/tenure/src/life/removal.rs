//! Everything that takes entries out of a cache before their time, and the time itself: discards, clears,
//! deadlines, and the cache's own end.
//!
//! Each begins a release before anything leaves, takes out under the lock, and releases after it.

use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Weak};
use crate::ground::timer::TimerId;
use crate::ground::underway::Begun;
use crate::key::KeyRef;
use crate::life::cache::Cache;
use crate::life::circle::{FlightId, Inside};
use crate::life::contents::Contents;
use crate::life::drain::{End, Ends};
use crate::life::entry::{Entry, EntryRef, Home};
use crate::life::release::release;
use crate::life::succession::in_turn;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;

impl<V: Resource, F: Failure> Cache<V, F> {
    /// Takes out this very entry, if it is still there, and lets go of the caller's lease; whether
    /// it was there.
    pub(crate) fn discard(&self, entry: EntryRef<V>, cause: Cause) -> bool {
        let _under_way = self.begin_release();
        let Some(taken) = self.take(entry) else {
            return false;
        };
        release(taken, cause);
        true
    }

    /// Takes out this very entry, if it is still there, for a caller that has begun its release.
    pub(crate) fn take(&self, entry: EntryRef<V>) -> Option<EntryRef<V>> {
        let (taken, idle) = {
            let mut state = self.state.lock();
            (state.remove(&self.core.hot, &entry), state.idle_expiry())
        };
        // The caller's own lease would keep what it discards.
        drop(entry);
        self.disarm(idle);
        taken.map(|gone| gone.entry)
    }

    /// Takes out what is under `key`, whatever it observed, and orphans the builds of it, but for
    /// those that clear.
    pub(crate) fn clear_entry(&self, key: &KeyRef<'_>) {
        let _under_way = self.begin_release();
        let own = Inside::flights();
        let (mut removed, idle) = {
            let mut state = self.state.lock();
            let removed = state.remove_call(&self.core.hot, key, &own);
            (removed, state.idle_expiry())
        };
        self.disarm(idle);
        let entries = std::mem::take(&mut removed.entries).into_iter();
        drop(removed);
        let entries = entries.map(|gone| gone.entry).collect();
        in_turn(&self.core.services, ends(entries, Cause::Cleared));
    }

    /// Takes out everything, and orphans every build. What is cleared is what stood before: not the
    /// builds that clear.
    pub(crate) fn clear(&self, cause: Cause) {
        let _under_way = self.begin_release();
        in_turn(&self.core.services, self.take_cleared(cause));
    }

    /// Takes out what a [`clear`](Self::clear) does, for a caller that has begun the release.
    pub(crate) fn take_cleared(&self, cause: Cause) -> Ends {
        let own = match cause {
            Cause::Cleared => Inside::flights(),
            // An edit or an end means the builds that run as well.
            _ => Vec::new(),
        };
        ends(self.take_all(&own, false), cause)
    }

    /// Moves everything out for good, for a caller that has begun the release.
    pub(crate) fn end(&self, cause: Cause) -> Ends {
        ends(self.take_all(&[], true), cause)
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

    fn take_all(&self, own: &[FlightId], end: bool) -> Vec<EntryRef<V>> {
        let (entries, flights, shapes, expiry) = {
            let mut state = self.state.lock();
            state.ended |= end;
            self.core.hot.clear::<Entry<V>>();
            let others = state.flights.extract_if(|it| !own.contains(&it.id));
            let others: Vec<_> = others.collect();
            (
                state.entries.take_all(),
                others,
                std::mem::take(&mut state.shapes),
                state.expiry.take(),
            )
        };
        drop((flights, shapes));
        self.disarm(expiry);
        entries
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

    /// Takes out one entry that has expired, and asks to be called again for what expires next.
    fn expire(self: &Arc<Self>, id: TimerId) {
        let _under_way = self.begin_release();
        let expired = {
            let mut state = self.state.lock();
            if state.expiry != Some(id) {
                return;
            }
            state.expiry = None;
            let oldest = state.entries.oldest().cloned();
            let expired = oldest.filter(|it| it.has_expired());
            let expired = expired.and_then(|entry| state.remove(&self.core.hot, &entry));
            // The next one does not wait for what the release of this one does.
            self.arm(&mut state);
            expired
        };
        if let Some(expired) = expired {
            expired.release(Cause::Expired);
        }
    }

    /// Has the oldest entry's deadline watched, where nothing is watched yet.
    pub(super) fn arm(self: &Arc<Self>, state: &mut Contents<V, F>) {
        if state.expiry.is_some() {
            return;
        }
        let Some(deadline) = self.next_deadline(state) else {
            return;
        };
        let cache: Weak<Self> = Arc::downgrade(self);
        let expire = move |id| {
            if let Some(cache) = cache.upgrade() {
                cache.expire(id);
            }
        };
        state.expiry = Some(self.core.services.timer.at(deadline, expire));
    }

    fn next_deadline(&self, state: &Contents<V, F>) -> Option<Nanos> {
        self.core.settings.ttl?;
        state.entries.oldest().map(|it| it.deadline())
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
            (state.entries.take_all(), state.expiry.take())
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
