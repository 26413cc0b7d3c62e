//! Successors of entries that are too old, or will be soon: who may build one, and what a failure means.
//!
//! 1. A key has at most one refresh under way. Once it builds it is a flight like any other, and callers that
//!    find the old entry gone wait for it; before that they build by themselves.
//! 2. A refresh replaces the entry that it was begun for, and no other.
//! 3. Where a refresh fails and the old entry may still be handed out, that failure is nobody's: who
//!    waits looks again and gets the old one, and for a while no refresh is tried.

use crate::ground::clock::Nanos;
use crate::ground::sync::Arc;
use crate::host::observe::Seen;
use crate::key::{Key, KeyRef};
use crate::life::aging::old::Old;
use crate::life::building::again::{self, Again};
use crate::life::building::asker::Asker;
use crate::life::building::build::Build;
use crate::life::building::detached::Detached;
use crate::life::building::leader::Leader;
use crate::life::cache::Cache;
use crate::life::circle::{FlightId, Inside};
use crate::life::contents::{Contents, Gone};
use crate::life::drain::{Ends, at_once};
use crate::life::entry::{Entry, EntryRef, Renewal};
use crate::life::flight::Flight;
use crate::life::removal::ends;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::fleet::Ending;
use crate::words::runs::Refreshed;
use crate::words::settings::Refresh;

/// When the engine looks again for a worker that is free.
const LOOK_AGAIN: Nanos = 1_000_000_000;

/// The key of the call that an entry answers, with what its build observed.
fn asked_for<V>(entry: &Entry<V>) -> Option<(Key, Seen)> {
    let mut seen = Seen::default();
    let call = match entry.observed() {
        None => entry.key(),
        Some((call, observed)) => {
            seen.add(observed.clone(), observed.values()?.clone());
            call
        }
    };
    Some((call.clone(), seen))
}

impl<V: Resource, F: Failure> Cache<V, F> {
    /// Has a successor built in the background, unless that is being done or no worker is free.
    pub(crate) fn refresh(self: &Arc<Self>, entry: &EntryRef<V>, again: Again<V, F>) -> bool {
        let services = &self.core.services;
        let Some(worker) = services.workers.take(services.config.refresh_workers()) else {
            self.core.counters.refreshed(Refreshed::Skipped);
            return false;
        };
        let Some(old) = self.mark_refresh(entry) else {
            return true;
        };
        let cache = Arc::clone(self);
        let build = move |_| {
            let Some(mut leader) = cache.lead_refresh(old) else {
                return;
            };
            if let Some(renewal) = cache.renewal(|| Some(Arc::clone(&again))) {
                leader.renewed_by(renewal);
            }
            let asker = Asker {
                core: Arc::clone(&cache.core),
                // It serves nobody, so there is no session, no spinner and nobody to put anything out for.
                host: None,
            };
            if let Ok(build) = Build::begin(&asker, leader).map(Build::in_background) {
                let (build, caller) = Detached::part(build);
                caller.give_up();
                again::begin(build, worker, &again);
            }
        };
        services.timer.at(services.clock.now(), build);
        true
    }

    /// How the engine has the successor of an entry built, where it does that by itself.
    pub(crate) fn renewal(
        self: &Arc<Self>,
        again: impl FnOnce() -> Option<Again<V, F>>,
    ) -> Option<Renewal<V>> {
        if self.core.settings.refresh != Refresh::Ahead {
            return None;
        }
        let again = again()?;
        let cache = Arc::downgrade(self);
        Some(Arc::new(move |entry| {
            let cache = cache.upgrade();
            cache.is_none_or(|cache| cache.refresh(entry, Arc::clone(&again)))
        }))
    }

    /// Marks an entry as one that is about to be refreshed, unless others were faster: with this refresh, or with
    /// what ended the entry.
    fn mark_refresh(&self, entry: &EntryRef<V>) -> Option<Old> {
        let (call, seen) = asked_for(entry)?;
        let mut state = self.state.lock();
        let old = Old::new(entry, true);
        let is_meant = old.find(&state).is_some_and(|it| it.ptr_eq(entry)) && entry.is_due();
        if !is_meant
            || !matches!(state.flight(&call.as_key(), &seen), Ok(None))
            || self.not_before(&mut state, &call.as_key()).is_some()
        {
            return None;
        }
        entry.refreshing();
        Some(old)
    }

    /// Leads the refresh of an entry that was marked for it. There is no flight before: a caller that finds the entry
    /// gone builds by itself, and does not wait for a refresh that waits for its turn.
    fn lead_refresh(self: &Arc<Self>, old: Old) -> Option<Leader<V, F>> {
        let mut state = self.state.lock();
        let entry = old.find(&state)?.clone();
        let (call, seen) = asked_for(&entry)?;
        if !matches!(state.flight(&call.as_key(), &seen), Ok(None)) {
            // Whatever that gives takes its place; if it gives nothing, it is tried again.
            let now = self.core.services.clock.now();
            entry.pause(now, self.core.services.number());
            return None;
        }
        // They say what the arguments say, which are the same.
        let tags = entry.tags();
        let leader = self.lead(&mut state, &call.as_key(), &seen, Some(old), &tags);
        leader.flight().leaves_thread();
        Some(leader)
    }

    /// The engine's own refresh of an entry that is due soon.
    pub(in crate::life) fn refresh_ahead(self: &Arc<Self>, entry: &EntryRef<V>) {
        let now = self.core.services.clock.now();
        let looks_again = match entry.renewal() {
            Some(renewal) if entry.is_in_use_lately() && !renewal(entry) => {
                now.saturating_add(LOOK_AGAIN).min(entry.gone_at())
            }
            // It goes when its time comes, or a call has it refreshed.
            _ => entry.gone_at().min(entry.idle_at()),
        };
        let mut state = self.state.lock();
        state.look_by(looks_again, entry);
        self.arm(&mut state);
    }

    /// A build has failed, or died. Whether the entry that it was for still stands.
    pub(in crate::life) fn stands(
        self: &Arc<Self>,
        state: &mut Contents<V, F>,
        flight: &Flight<V, F>,
        old: &Old,
        died: bool,
    ) -> bool {
        let Some(entry) = old.find(state).cloned() else {
            return false;
        };
        // Who builds in the foreground and dies has not said that it cannot be built.
        if entry.is_gone() || (died && !old.beside) {
            return false;
        }
        entry.pause(self.core.services.clock.now(), flight.id);
        state.look_by(entry.next_look(), &entry);
        self.arm(state);
        true
    }

    /// Has what is under `key` expire, whatever it observed; see [`expire`](Self::expire_all). All members of a
    /// fleet are told.
    pub(crate) fn expire_entry(self: &Arc<Self>, key: &KeyRef<'_>) {
        let _under_way = self.begin_release();
        let gone = self.take_expired(&Inside::flights(), Some(key));
        self.raise(key, Ending::Expired);
        at_once(gone);
    }

    /// Has everything expire, and orphans the builds of it, but for those that ask for this. What may
    /// still be handed out stays until it is refreshed or gone.
    pub(crate) fn expire_all(self: &Arc<Self>) {
        let _under_way = self.begin_release();
        let gone = self.take_all_expired();
        self.raise_all(Ending::Expired);
        at_once(gone);
    }

    /// Has everything expire as [`expire_all`](Self::expire_all) does, for a caller that has begun the release.
    pub(crate) fn take_all_expired(self: &Arc<Self>) -> Ends {
        self.take_expired(&Inside::flights(), None)
    }

    /// Has everything expire, or what is under a call's key, and orphans the builds of it, but for these. Gives the
    /// ends of what may not be handed out any more.
    pub(in crate::life) fn take_expired(
        self: &Arc<Self>,
        own: &[FlightId],
        call: Option<&KeyRef<'_>>,
    ) -> Ends {
        let now = self.core.services.clock.now();
        let mut gone = Vec::new();
        let flights: Vec<_> = {
            let mut state = self.state.lock();
            let (flights, meant): (_, Vec<_>) = match call {
                None => {
                    let others = state.flights.extract_if(|it| !own.contains(&it.id));
                    (others.collect(), state.entries.iter().cloned().collect())
                }
                Some(key) => (state.strike_call(key, own), state.entries_of(key)),
            };
            for entry in meant {
                gone.extend(self.expire_in(&mut state, &entry, now));
            }
            self.arm(&mut state);
            flights
        };
        drop(flights);
        ends(
            gone.into_iter().map(|gone| gone.entry).collect(),
            Cause::Expired,
        )
    }

    /// Has this very entry expire, if it is still there, and orphans the builds of its call, but for those that ask for
    /// this. Gives it where it may not be handed out any more.
    pub(in crate::life) fn take_expired_entry(
        self: &Arc<Self>,
        entry: &EntryRef<V>,
    ) -> Option<Option<EntryRef<V>>> {
        let now = self.core.services.clock.now();
        let own = Inside::flights();
        let call = entry.call_key();
        let (gone, flights) = {
            let mut state = self.state.lock();
            state.entries.place(entry.key().hash(), entry)?;
            let flights = state.strike_call(&call.as_key(), &own);
            let gone = self.expire_in(&mut state, entry, now);
            self.arm(&mut state);
            (gone, flights)
        };
        drop(flights);
        Some(gone.map(|gone| gone.entry))
    }

    /// Has an entry expire that is there; it is taken out where it may not be handed out any more.
    fn expire_in(
        &self,
        state: &mut Contents<V, F>,
        entry: &EntryRef<V>,
        now: Nanos,
    ) -> Option<Gone<V>> {
        self.core.hot.forget(&entry.key().as_key(), entry);
        if entry.expire(now) {
            state.look_by(entry.next_look(), entry);
            return None;
        }
        state.remove(&self.core.hot, entry, Cause::Expired)
    }
}
