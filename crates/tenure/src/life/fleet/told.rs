//! What a cache tells the other members of a fleet, and what it is told by them.
//!
//! 1. An entry and a build under way can be found by the mark of their call for as long as they are in their cache,
//!    while the engine is in a fleet. What leaves is swept by what stands, so a mark is noted once its call does, and
//!    a build leaves once its entry stands.
//! 2. What ends here is raised once it has left its cache, and before it is released. What others have ended is
//!    taken out by whoever hears of it, on the spot; it is released in the background, and not raised again.
//! 3. Nothing here is on the way of a hit.

use std::time::Duration;

use tenure_digest::random;

use crate::ground::clock::{Nanos, nanos};
use crate::ground::sync::Arc;
use crate::key::meaning::Meaning;
use crate::key::{Key, KeyRef};
use crate::life::cache::Cache;
use crate::life::contents::Contents;
use crate::life::core::Core;
use crate::life::drain::Ends;
use crate::life::entry::{Entry, EntryRef};
use crate::life::fleet::marks::Marks;
use crate::words::bounds::{Failure, Resource};
use crate::words::fleet::{Bus, Ending, Mark, Purpose, Topic};

/// The version of the encodings that marks are made of.
const KEYS: &[u8] = b"1";

impl<V> Core<V> {
    /// The function's mark, where the members of the fleet share what it keeps.
    pub(crate) fn mark(&self, bus: &dyn Bus) -> Option<Mark> {
        let known = self.known_as.as_ref()?;
        Some(bus.mark(Purpose::Function, &[known.name.as_bytes()]))
    }

    /// The mark of a call in one scope; nothing for a key that means something in this process alone.
    fn mark_of(&self, bus: &dyn Bus, scope: Option<&str>, key: &KeyRef<'_>) -> Option<Mark> {
        let known = self.known_as.as_ref()?;
        let language = match key.meaning() {
            Meaning::Everywhere => "",
            Meaning::Version => &known.language,
            Meaning::Process => return None,
        };
        let (form, key) = key.told();
        let parts = [
            b"entry",
            KEYS,
            known.name.as_bytes(),
            language.as_bytes(),
            scope.unwrap_or("").as_bytes(),
            &form,
            &key,
        ];
        Some(bus.mark(Purpose::Entry, &parts))
    }

    /// The topic of all that is kept for all, or in one scope.
    fn topic(&self, bus: &dyn Bus, scope: Option<&str>) -> Option<Topic> {
        let known = self.known_as.as_ref()?;
        let function = self.mark(bus)?;
        Some(match scope {
            None => Topic::Function(function),
            Some(scope) => {
                let parts = [b"scope", known.name.as_bytes(), scope.as_bytes()];
                let entry = bus.mark(Purpose::Entry, &parts);
                Topic::Entry { function, entry }
            }
        })
    }

    /// Has all members told that everything has ended that is kept for all, or in one scope.
    pub(crate) fn raise_all(&self, scope: Option<&str>, ending: Ending) {
        if let Some(bus) = self.services.fleet.bus()
            && let Some(topic) = self.topic(&*bus, scope)
        {
            bus.raise(topic, ending);
        }
    }

    /// Has all members told that the entry of a call has ended.
    pub(crate) fn raise(&self, scope: Option<&str>, key: &KeyRef<'_>, ending: Ending) {
        if let Some(bus) = self.services.fleet.bus()
            && let Some(function) = self.mark(&*bus)
            && let Some(entry) = self.mark_of(&*bus, scope, key)
        {
            bus.raise(Topic::Entry { function, entry }, ending);
        }
    }

    /// Whether the function shares what it keeps with a fleet that cannot be heard, and so keeps nothing that
    /// counts as current.
    pub(crate) fn is_apart(&self) -> bool {
        self.known_as.is_some() && self.services.fleet.is_apart()
    }
}

impl<V: Resource, F> Contents<V, F> {
    /// Forgets the marks of what is here no more.
    pub(in crate::life) fn sweep_marks(&mut self) {
        let mut marks = std::mem::take(&mut self.marks);
        marks.sweep(|key| self.has(key));
        self.marks = marks;
    }

    /// Whether anything stands here under this call's key, or is being built.
    fn has(&self, key: &Key) -> bool {
        let key = key.as_key();
        let flight = self.flights.find(key.hash(), |it| key.matches(&it.key));
        self.entries.get(&key).is_some() || !self.shapes.of(&key).is_empty() || flight.is_some()
    }
}

impl<V: Resource, F: Failure> Cache<V, F> {
    /// The mark of a call; nothing outside of a fleet, and for a key that means something here alone.
    pub(in crate::life) fn mark(&self, key: &KeyRef<'_>) -> Option<Mark> {
        self.core.known_as.as_ref()?;
        let scope = self.scope.as_deref();
        let marks = |bus: &dyn Bus| self.core.mark_of(bus, scope, key);
        self.core.services.fleet.marks(marks).flatten()
    }

    /// Has all members told that everything in this cache has ended.
    pub(crate) fn raise_all(&self, ending: Ending) {
        self.core.raise_all(self.scope.as_deref(), ending);
        self.build_at_once(None);
    }

    /// Has all members told that the entry of a call has ended.
    pub(crate) fn raise(&self, key: &KeyRef<'_>, ending: Ending) {
        self.core.raise(self.scope.as_deref(), key, ending);
        self.build_at_once(Some(key.hash()));
    }

    /// Notes the mark of a call that stands here by now, or is being built: before that it would be forgotten with
    /// the next that are.
    pub(in crate::life) fn note_mark(&self, state: &mut Contents<V, F>, key: &KeyRef<'_>) {
        if let Some(mark) = self.mark(key)
            && state.marks.note(mark, key.to_key())
        {
            state.sweep_marks();
        }
    }

    /// Notes the marks of all that stands here: the engine has come into a fleet.
    pub(crate) fn note_marks(&self) {
        let mut state = self.state.lock();
        // Those of another fleet are none here.
        state.marks = Marks::default();
        let call = |it: &EntryRef<V>| it.call_key().clone();
        let mut calls: Vec<_> = state.entries.iter().map(call).collect();
        calls.extend(state.flights.iter().map(|it| it.key.clone()));
        for call in calls {
            self.note_mark(&mut state, &call.as_key());
        }
    }

    /// Has no call find anything without a look: none counts as current.
    pub(crate) fn cool(&self) {
        let _state = self.state.lock();
        self.core.hot.clear::<Entry<V>>();
    }

    /// Takes out what another member has ended: all of it, or what has this mark. The caller counts as one that
    /// releases.
    pub(crate) fn end_as_told(
        self: &Arc<Self>,
        bus: &dyn Bus,
        mark: Option<Mark>,
        ending: Ending,
    ) -> Ends {
        let Some(mark) = mark.filter(|it| !self.is_scope(bus, *it)) else {
            self.put_off_all();
            return match ending {
                Ending::Cleared => self.take_all(&[], false, ending.cause()),
                Ending::Expired => self.take_expired(&[], None),
            };
        };
        let Some(key) = self.state.lock().marks.key(mark).cloned() else {
            return Vec::new();
        };
        let key = key.as_key();
        self.put_off(key.hash());
        match ending {
            Ending::Cleared => self.take_cleared_call(&key, &[]),
            Ending::Expired => self.take_expired(&[], Some(&key)),
        }
    }

    fn is_scope(&self, bus: &dyn Bus, mark: Mark) -> bool {
        self.scope.is_some()
            && matches!(
                self.core.topic(bus, self.scope.as_deref()),
                Some(Topic::Entry { entry, .. }) if entry == mark
            )
    }

    /// Another member has ended what is here: what is built next waits for its time, where they spread.
    pub(crate) fn put_off_all(&self) {
        if let Some((until, _)) = self.time_to_build() {
            let mut state = self.state.lock();
            // Whoever has nothing builds no later: a member that begins is told of what may have been before it.
            if state.entries.len() > 0 || !state.flights.is_empty() {
                state.spread.put_off_all(until);
            }
        }
    }

    /// Another member has ended what is here for a call with this hash of its key.
    pub(in crate::life) fn put_off(&self, call: u64) {
        if let Some((until, now)) = self.time_to_build() {
            self.state.lock().spread.put_off(call, until, now);
        }
    }

    /// This member has ended what is here, or what is here for one call, and builds at once.
    pub(crate) fn build_at_once(&self, call: Option<u64>) {
        let spread = &mut self.state.lock().spread;
        match call {
            None => spread.clear(),
            Some(call) => spread.forget(call),
        }
    }

    /// When to build what another member ends now, where they spread; and now.
    fn time_to_build(&self) -> Option<(Nanos, Nanos)> {
        let spread = self.core.services.fleet.terms().spread;
        let now = self.core.services.clock.now();
        (spread > Duration::ZERO).then(|| (now.saturating_add(part_of(spread)), now))
    }

    /// Before when a call does not build: now, but where another member has ended what it asks for.
    pub(in crate::life) fn not_before(
        &self,
        state: &mut Contents<V, F>,
        key: &KeyRef<'_>,
    ) -> Option<Nanos> {
        let now = self.core.services.clock.now();
        state.spread.until(key.hash(), now)
    }
}

/// A part of this time, drawn at random.
fn part_of(time: Duration) -> Nanos {
    let whole = u128::from(nanos(time));
    let drawn = random() >> 64;
    // Below the whole, so it fits.
    ((whole * drawn) >> 64) as Nanos
}
