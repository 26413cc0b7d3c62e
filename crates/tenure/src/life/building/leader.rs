//! The look into a cache, which finds an entry, a flight to wait for, or the duty to lead a build; and the leader of one,
//! until its flight lands. The invariants are the cache's.

use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::counted::Counted;
use crate::ground::sync::Arc;
use crate::host::observe::{Seen, completed};
use crate::host::record::{Observed, Recording};
use crate::key::KeyRef;
use crate::life::aging::admission::Admission;
use crate::life::aging::old::Old;
use crate::life::building::hearer::Hearer;
use crate::life::building::hold::{BuildTurn, Hold, Wish};
use crate::life::building::led::OfThread;
use crate::life::cache::{Admitted, Cache, Orphaned, close, run, settle};
use crate::life::circle::Inside;
use crate::life::contents::Contents;
use crate::life::entry::{Built, Entry, EntryRef, Extra, Renewal};
use crate::life::flight::{Flight, Landing};
use crate::life::lease::Lease;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::fleet::{Mark, Purpose};
use crate::words::miss::Miss;
use crate::words::tags::Tags;

/// The outcome of a look into the cache.
pub(crate) enum Found<V: Resource, F: Failure> {
    /// An entry that has not expired.
    Entry(EntryRef<V>),
    /// A build of the same key; the caller may wait for it.
    Flight(Hearer<V, F>),
    /// Nothing; the caller leads now.
    Leads(Leader<V, F>),
    /// It depends on the present values of these, which the caller has to look at first.
    Unseen(Vec<Observed>),
    /// Nothing; the caller may lead once it has said what tags the build is to carry.
    Untagged,
}

/// What has become of a flight that filled nothing.
pub(crate) enum Empty {
    /// The entry that it was to replace may still be handed out.
    Stands,
    /// It has failed, and nobody hears of it.
    Untold,
    /// It has failed, and somebody may hear of it; or it was handed on.
    Told,
}

impl<V: Resource, F: Failure> Cache<V, F> {
    /// Finds an entry, a flight to wait for, or the duty to build. `seen` is what the caller knows
    /// of observed inputs, and `tags` are those of the call, where it has said so.
    pub(crate) fn find(
        self: &Arc<Self>,
        key: &KeyRef<'_>,
        seen: &Seen,
        tags: Option<&Tags>,
    ) -> Found<V, F> {
        loop {
            let mut state = self.state.lock();
            let entry = match state.entry(key, seen) {
                Err(unseen) => return Found::Unseen(unseen),
                Ok(Some(entry)) => entry.clone(),
                // Still under the lock, so that of all who find nothing one leads.
                Ok(None) => return self.flight(&mut state, key, seen, tags, || None),
            };
            if !entry.is_gone() {
                if self.core.is_apart() {
                    // It may not be current, and nobody can say: the caller builds for itself, and the entry
                    // stays for when that is known.
                    let found = self.flight(&mut state, key, seen, tags, || None);
                    return match found {
                        Found::Leads(leader) => Found::Leads(leader.because(Miss::Apart)),
                        found => found,
                    };
                }
                let waits = entry.is_due() && self.not_before(&mut state, key).is_some();
                if self.core.settings.refreshes_beside() || !entry.is_due() || waits {
                    self.warm(&mut state.turns, key, &entry);
                    return Found::Entry(entry);
                }
                // Stale: it is handed out only where its successor cannot be built.
                let old = || Some(Old::new(&entry, false));
                return self.flight(&mut state, key, seen, tags, old);
            }
            // A release begins outside the lock, since a front door may be asked whose it is, and before
            // the entry leaves, since a shutdown waits for what is under way.
            drop(state);
            let _under_way = self.begin_release();
            let expired = self
                .state
                .lock()
                .remove(&self.core.hot, &entry, Cause::Expired);
            drop(entry);
            // What the release runs may need this very entry, so nothing is led yet.
            if let Some(expired) = expired {
                expired.release();
            }
        }
    }

    /// The flight under way, or the duty to lead one: to a successor, where there is an `old` one.
    fn flight(
        self: &Arc<Self>,
        state: &mut Contents<V, F>,
        key: &KeyRef<'_>,
        seen: &Seen,
        tags: Option<&Tags>,
        old: impl FnOnce() -> Option<Old>,
    ) -> Found<V, F> {
        match state.flight(key, seen) {
            Err(unseen) => Found::Unseen(unseen),
            Ok(Some(flight)) => Found::Flight(Hearer::begin(&self.core, flight)),
            Ok(None) if self.core.settings.tags_calls && tags.is_none() => Found::Untagged,
            Ok(None) => {
                let tags = tags.map_or(&[][..], |tags| tags);
                Found::Leads(self.lead(state, key, seen, old(), tags))
            }
        }
    }

    pub(in crate::life) fn lead(
        self: &Arc<Self>,
        state: &mut Contents<V, F>,
        key: &KeyRef<'_>,
        seen: &Seen,
        old: Option<Old>,
        tags: &[Arc<str>],
    ) -> Leader<V, F> {
        let not_before = match old {
            Some(_) => None,
            None => self.not_before(state, key),
        };
        let number = self.core.services.number();
        let seen = seen.of(state.shapes.of(key));
        let tagged = self.tagged(tags, number, key);
        let flight = Arc::new(Flight::new(number, key, seen, tagged));
        let added = Arc::clone(&flight);
        state
            .flights
            .insert_unique(key.hash(), added, |flight| flight.hash);
        self.note_mark(state, key);
        let reason = match old {
            Some(_) => Miss::Stale,
            None => state.history.why(key.hash()),
        };
        Leader {
            cache: Arc::clone(self),
            flight: Some(flight),
            reason,
            of_thread: None,
            old,
            renewal: None,
            arguments: None,
            not_before,
            hold: None,
        }
    }

    /// Adds what a flight built, unless it is not to be kept or the flight has become an orphan. Gives
    /// what had to go.
    fn admit(
        self: &Arc<Self>,
        flight: &Arc<Flight<V, F>>,
        entry: &EntryRef<V>,
        again: EntryRef<V>,
        keeps: bool,
        old: Option<&Old>,
    ) -> Result<Admitted<V>, Orphaned<V>> {
        let mut state = self.state.lock();
        let is_beside = old.is_some_and(|old| old.beside);
        let old = old.and_then(|old| old.find(&state).cloned());
        // Where observed inputs complete the key it is another one than the flight's.
        let completed = entry.observed().map(|_| entry.key().as_key());
        // Where the flight is gone, its key was cleared, replaced or superseded while it was under way.
        let orphaned = !state.has_flight(flight)
            || !keeps
            || state.ended
            // Builds under other values of inputs that turned out not to matter end under one key.
            || {
                let there = match &completed {
                    Some(key) => state.entries.get(key),
                    None => state.entries.get_at(flight.hash, &flight.key),
                };
                there.is_some_and(|there| !old.as_ref().is_some_and(|old| old.ptr_eq(there)))
            };
        if orphaned {
            state.strike(flight);
            if let Some(old) = old.filter(|_| !keeps && is_beside) {
                // As where the build had failed: it is tried again, and not at once.
                old.pause(self.core.services.clock.now(), flight.id);
                state.look_by(old.next_look(), &old);
                self.arm(&mut state);
            }
            let now = self.core.services.clock.now();
            state.history.note(flight.hash, Cause::Orphaned, now);
            return Err(Orphaned(again));
        }
        let hash = completed.map_or(flight.hash, |key| key.hash());
        // Under the same lock, so that no caller finds neither.
        let replaced = old.and_then(|old| state.remove(&self.core.hot, &old, Cause::Replaced));
        let mut admitted = self.add(&mut state, hash, again);
        admitted.replaced = replaced;
        // Last: what stands for its mark, while others leave, is the one or the other.
        state.strike(flight);
        Ok(admitted)
    }

    /// Ends a flight that fills nothing, with the failure and what it had observed, or because its
    /// builder has died. Where the entry that it was to replace stands, those who wait look again, and
    /// have it.
    fn land_empty(
        self: &Arc<Self>,
        flight: Arc<Flight<V, F>>,
        old: Option<&Old>,
        failed: Option<(F, Option<Observed>)>,
        leader_hears: bool,
    ) -> Empty {
        // The cache may be that of a parent process.
        if self.core.services.is_abandoned() {
            return Empty::Told;
        }
        let stands = {
            let mut state = self.state.lock();
            let is_meant = state.strike(&flight);
            let died = failed.is_none();
            old.is_some_and(|old| is_meant && self.stands(&mut state, &flight, old, died))
        };
        match failed {
            Some((failure, observed)) if !stands => {
                if Flight::fail(flight, failure, observed, leader_hears) {
                    return Empty::Untold;
                }
            }
            _ => Flight::land(flight, || Landing::HandedOn),
        }
        if stands { Empty::Stands } else { Empty::Told }
    }
}

/// The duty to build under one key. Dropped without a result, it hands the duty on.
pub(crate) struct Leader<V: Resource, F: Failure> {
    cache: Arc<Cache<V, F>>,
    flight: Option<Arc<Flight<V, F>>>,
    /// Why there was nothing.
    reason: Miss,
    /// Ends before the flight lands.
    of_thread: Option<OfThread>,
    /// The entry that is to be replaced.
    old: Option<Old>,
    /// How the engine has the successor of what this one builds built.
    renewal: Option<Renewal<V>>,
    /// The arguments, where the front door has them shown.
    arguments: Option<Arc<str>>,
    /// When it may build, where another member of the fleet has ended what was here.
    not_before: Option<Nanos>,
    /// Its turn among the members of a fleet, which ends with the build: before anything is released.
    hold: Option<Hold>,
}

impl<V: Resource, F: Failure> Leader<V, F> {
    fn because(mut self, reason: Miss) -> Self {
        self.reason = reason;
        self
    }

    pub(crate) fn reason(&self) -> Miss {
        self.reason
    }

    /// Has the duty handed on if this thread, on which the whole build runs, ends before it.
    pub(crate) fn stay_on_thread(&mut self) {
        self.of_thread = OfThread::begin(|| {
            let cache = Arc::downgrade(&self.cache);
            let flight = Arc::downgrade(self.flight());
            Box::new(move || {
                if let (Some(cache), Some(flight)) = (cache.upgrade(), flight.upgrade()) {
                    cache.land_empty(flight, None, None, false);
                }
            })
        });
    }

    /// Begins the wait for its turn among the members of a fleet, where it has to wait.
    pub(super) fn begin_hold(&mut self) {
        let core = &self.cache.core;
        let at_most = core.settings.fleet_builds;
        let asks = at_most.and_then(|at_most| {
            let bus = core.services.fleet.bus()?;
            let Mark(entry) = self.cache.mark(&self.flight().key.as_key())?;
            let key = bus.mark(Purpose::Permit, &[&entry]);
            let own = self.flight().id;
            let is_nested = Inside::flights().iter().any(|it| *it != own);
            Some(Wish {
                bus,
                key,
                at_most,
                is_nested,
            })
        });
        let is_held = asks.is_some() || self.not_before.is_some();
        self.hold = is_held.then(|| Hold::begin(&core.services, &core.name, self.not_before, asks));
    }

    pub(super) fn hold(&mut self) -> Option<&mut Hold> {
        self.hold.as_mut()
    }

    pub(super) fn turn(&self) -> Option<&Arc<BuildTurn>> {
        self.hold.as_ref().map(Hold::turn)
    }

    /// Has the engine have the successor of what this one builds built so.
    pub(crate) fn renewed_by(&mut self, renewal: Renewal<V>) {
        self.renewal = Some(renewal);
    }

    /// The arguments are to be shown so.
    pub(super) fn shown_with(&mut self, arguments: Option<Arc<str>>) {
        self.arguments = arguments;
    }

    /// Nothing where it has landed.
    fn take(&mut self) -> Option<Arc<Flight<V, F>>> {
        // First, so that the end of the thread does not land the flight a second time.
        drop(self.of_thread.take());
        let hold = self.hold.take();
        if self.cache.core.services.is_abandoned() {
            // The permit is that of a parent process.
            std::mem::forget(hold);
        }
        self.flight.take()
    }

    pub(crate) fn flight(&self) -> &Arc<Flight<V, F>> {
        self.flight.as_ref().expect("a leader leads until it lands")
    }

    /// The build gave a resource. Its caller has begun a release, for what has to go.
    pub(crate) fn fill(
        mut self,
        built: Built<V>,
        built_at: Nanos,
        took: Duration,
        recording: Option<Recording>,
        admission: Admission,
    ) -> Lease<V> {
        let flight = self.take().expect("a leader lands once");
        let keeps = admission.keeps;
        let room = keeps.then(|| self.cache.core.make_room(admission.weight));
        let entry = self.entry(&flight, built, built_at, took, recording, admission);
        let [entry, again] = Counted::pair(entry);
        if self.cache.core.services.is_abandoned() {
            // The caller may keep it; the cache is that of a parent process.
            std::mem::forget(again);
            return Lease::new(entry);
        }
        let old = self.old.take();
        let admitted = self
            .cache
            .admit(&flight, &entry, again, keeps, old.as_ref());
        let evicted = close(room.flatten());
        // Those who waited do not wait for what the releases run.
        Flight::land(flight, || Landing::Filled(entry.clone()));
        settle(admitted);
        run(evicted);
        self.cache.core.services.timer.report();
        Lease::new(entry)
    }

    /// The entry that is to be replaced, if it is still there.
    pub(super) fn old(&self) -> Option<EntryRef<V>> {
        let old = self.old.as_ref()?;
        // Nobody's lock is taken in a child process.
        if self.cache.core.services.is_abandoned() {
            return None;
        }
        old.find(&self.cache.state.lock()).cloned()
    }

    /// The build gave the resource that is kept already.
    pub(super) fn renew(mut self, old: EntryRef<V>, now: Nanos) -> Lease<V> {
        let flight = self.take().expect("a leader lands once");
        let stands = {
            let mut state = self.cache.state.lock();
            let stands =
                state.strike(&flight) && state.entries.place(old.key().hash(), &old).is_some();
            if stands {
                old.renew(now);
                state.look_by(old.next_look(), &old);
                self.cache.arm(&mut state);
            }
            stands
        };
        // What is being released is nobody's any more but the one's who has it in hand.
        Flight::land(flight, || match stands {
            true => Landing::Filled(old.clone()),
            false => Landing::HandedOn,
        });
        self.cache.core.services.timer.report();
        Lease::new(old)
    }

    fn entry(
        &self,
        flight: &Flight<V, F>,
        Built { value, arguments }: Built<V>,
        built_at: Nanos,
        took: Duration,
        recording: Option<Recording>,
        admission: Admission,
    ) -> Entry<V> {
        let core = &self.cache.core;
        // A build with nobody to put anything out for leaves what the last one put out.
        let recording = recording.or_else(|| self.old()?.recording().cloned());
        let arguments = arguments
            .or_else(|| self.arguments.clone())
            .or_else(|| self.old()?.arguments().cloned());
        let observed = recording.as_ref().and_then(Recording::observed);
        let values = observed.and_then(|it| Some((it.shape(), it.values()?)));
        let (key, call) = match values {
            // Callers who see other values ask for another key.
            Some((shape, values)) if core.settings.observes => {
                let key = completed(&flight.key.as_key(), shape, values);
                if let Some(tagged) = &flight.tagged {
                    tagged.stands_at(key.hash());
                }
                (key, Some(flight.key.clone()))
            }
            // Recorded to be put out again, if anything.
            _ => (flight.key.clone(), None),
        };
        let extra = Extra {
            recording,
            call,
            arguments,
            term: admission.term(core, built_at),
            weight: admission.weight,
            renewal: self.renewal.clone(),
            tagged: flight.tagged.clone(),
            inherited: false,
        };
        let owner = Arc::clone(&self.cache.owner);
        Entry::new(key, value, built_at, took, extra, owner)
    }

    /// The build failed; whoever waited and sees the same inputs gets the same failure, unless the entry
    /// that it was to replace may still be handed out. The leader gets it too where it hears of it.
    pub(crate) fn fail(mut self, failure: F, observed: Option<Observed>, hears: bool) -> Empty {
        let flight = self.take().expect("a leader lands once");
        let failed = Some((failure, observed));
        self.cache
            .land_empty(flight, self.old.as_ref(), failed, hears)
    }
}

impl<V: Resource, F: Failure> Drop for Leader<V, F> {
    fn drop(&mut self) {
        if let Some(flight) = self.take() {
            let old = self.old.take();
            self.cache.land_empty(flight, old.as_ref(), None, false);
        }
    }
}
