//! The model: what should become of each resource, one thing after another, in plain lists.

use std::collections::BTreeMap;

use tenure::Cause;

use crate::support::weight;
use crate::{Ends, FUNCTIONS, Old, Set, TAGS};

/// Deadlines fall between two steps of the clock, which goes by whole milliseconds.
const HALF: u64 = 1;
/// Two units are a millisecond.
pub const UNITS: u64 = 2;
/// For how many milliseconds what is too old may serve: less than any pause after a refresh that failed.
pub const STALE: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Live,
    /// Out of its cache, and still leased.
    Ended(Cause),
    /// Without leases, used, and watched until a time, if there is one.
    Draining(Cause, Option<u64>),
    Released(Cause),
}

#[derive(Debug)]
pub struct Resource {
    pub state: State,
    pub function: usize,
    pub leases: usize,
    pub users: usize,
    pub spoilt: bool,
    /// Its time had come when its session ended, and both were noticed at once: either is right.
    pub either: bool,
}

/// A cache: one function in one session, or for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub function: usize,
    pub session: Option<usize>,
}

#[derive(Debug)]
struct Entry {
    key: u64,
    number: u64,
    fresh_until: Option<u64>,
    /// Its successor is being built, or could not be: until it is gone nobody tries again.
    decided: bool,
    used_at: u64,
    /// The order of the last uses.
    use_number: u64,
    /// Somebody held it when it was looked at for lying idle. It is looked at again within a second.
    was_held: bool,
}

impl Entry {
    fn gone_at(&self, set: &Set) -> Option<u64> {
        let stale = if set.old == Old::Gone { 0 } else { STALE };
        self.fresh_until.map(|it| it + stale * UNITS)
    }

    fn idle_at(&self, set: &Set) -> Option<u64> {
        set.idle.map(|idle| self.used_at + idle * UNITS + HALF)
    }

    fn is_gone(&self, set: &Set, now: u64) -> bool {
        self.gone_at(set).is_some_and(|it| it <= now)
    }

    fn is_idle(&self, set: &Set, now: u64) -> bool {
        self.idle_at(set).is_some_and(|it| it <= now)
    }

    fn is_due(&self, set: &Set, now: u64) -> bool {
        let is_stale = self.fresh_until.is_some_and(|it| it <= now);
        self.is_gone(set, now) || (is_stale && !self.decided)
    }

    /// When the background looks at it.
    fn look(&self, set: &Set) -> Option<u64> {
        let idle = self.idle_at(set).filter(|_| !self.was_held);
        self.gone_at(set).into_iter().chain(idle).min()
    }
}

#[derive(Debug)]
struct Flight {
    place: Place,
    key: u64,
    orphan: bool,
    /// The resource that it is to replace.
    old: Option<u64>,
}

/// What a call should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Hit(u64),
    /// A hit on what is too old; its successor is being built.
    StaleHit(u64),
    Cycle,
    Build,
}

/// Which functions keep entries per session, and which are watched.
pub fn in_sessions(function: usize) -> bool {
    function >= 2
}

pub fn is_watched(function: usize) -> bool {
    function % 2 == 1
}

/// The tags that calls with this key have.
pub fn tags(key: u64) -> [u64; 2] {
    [key % (TAGS - 1), TAGS - 1]
}

/// The functions all of whose entries carry the last tag; the others ask each call.
pub fn is_tagged(function: usize) -> bool {
    function == 2
}

/// Whether what stands there carries the tag.
pub fn carries(place: Place, key: u64, tag: u64) -> bool {
    if is_tagged(place.function) {
        tag == TAGS
    } else {
        tags(key).contains(&tag)
    }
}

pub fn validates(function: usize) -> bool {
    function < 3
}

#[derive(Debug)]
pub struct Model {
    pub now: u64,
    pub sets: [Set; FUNCTIONS],
    pub resources: Vec<Resource>,
    pub drain: Option<u64>,
    pub grace: u64,
    caches: BTreeMap<Place, Vec<Entry>>,
    flights: Vec<Flight>,
    /// The sessions that something is kept for, and when a grace period ends them.
    sessions: BTreeMap<usize, Option<u64>>,
    uses: u64,
}

/// What the caller of a build gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gets {
    Resource(u64),
    Failure,
    Interruption,
}

impl Model {
    pub fn new(sets: [Set; FUNCTIONS]) -> Self {
        Self {
            now: 0,
            sets,
            resources: Vec::new(),
            drain: None,
            grace: 0,
            caches: BTreeMap::new(),
            flights: Vec::new(),
            sessions: BTreeMap::new(),
            uses: 0,
        }
    }

    /// How many entries a function has.
    pub fn entries(&self, function: usize) -> usize {
        let caches = self.caches.iter();
        let own = caches.filter(|(place, _)| place.function == function);
        own.map(|(_, entries)| entries.len()).sum()
    }

    /// A call begins; what it finds expired or spoilt ends.
    pub fn call(&mut self, place: Place, key: u64) -> Expected {
        if let Some(session) = place.session {
            self.sessions.entry(session).or_insert(None);
        }
        let set = self.sets[place.function];
        let (mut old, now) = (None, self.now);
        if let Some(entry) = self.entry(place, key) {
            let number = entry.number;
            let (is_gone, is_due) = (entry.is_gone(&set, now), entry.is_due(&set, now));
            if is_gone {
                self.take(place, number, Cause::Expired);
            } else if is_due && set.old == Old::Serves {
                old = Some(number);
            } else if self.is_spoilt(place, number) {
                self.take(place, number, Cause::Invalid);
            } else {
                self.touch(place, key);
                if !is_due {
                    return Expected::Hit(number);
                }
                self.entry(place, key).expect("it stays").decided = true;
                self.begin(place, key, Some(number));
                return Expected::StaleHit(number);
            }
        }
        let mut flights = self.flights.iter();
        if flights.any(|it| !it.orphan && it.place == place && it.key == key) {
            return Expected::Cycle;
        }
        self.begin(place, key, old);
        Expected::Build
    }

    fn entry(&mut self, place: Place, key: u64) -> Option<&mut Entry> {
        let entries = self.caches.entry(place).or_default();
        entries.iter_mut().find(|it| it.key == key)
    }

    fn is_spoilt(&self, place: Place, number: u64) -> bool {
        validates(place.function) && self.resources[number as usize].spoilt
    }

    /// Whoever is given it has used it.
    fn touch(&mut self, place: Place, key: u64) {
        self.uses += 1;
        let (now, uses) = (self.now, self.uses);
        let entry = self.entry(place, key).expect("it is there");
        (entry.used_at, entry.use_number) = (now, uses);
    }

    /// An entry ends.
    fn take(&mut self, place: Place, number: u64, cause: Cause) {
        let entries = self.caches.entry(place).or_default();
        entries.retain(|it| it.number != number);
        self.end(number, cause);
    }

    fn begin(&mut self, place: Place, key: u64, old: Option<u64>) {
        self.flights.push(Flight {
            place,
            key,
            orphan: false,
            old,
        });
    }

    /// The innermost build has ended, and may have given this resource. Says what its caller gets, who
    /// leases it; a refresh has none.
    pub fn land(&mut self, built: Option<u64>, ends: Ends, is_refresh: bool) -> Gets {
        let flight = self.flights.pop().expect("begun");
        let (place, key) = (flight.place, flight.key);
        let set = self.sets[place.function];
        let now = self.now;
        let old = flight.old.filter(|old| {
            let entry = self.entry(place, key);
            entry.is_some_and(|it| it.number == *old)
        });
        let Some(number) = built else {
            let stands = ends == Ends::Badly || is_refresh;
            let stands = old.filter(|_| stands && !flight.orphan);
            let entry = self.entry(place, key);
            let entry = entry.filter(|it| stands.is_some() && !it.is_gone(&set, now));
            let Some(entry) = entry else {
                return match ends {
                    Ends::Dead => Gets::Interruption,
                    _ => Gets::Failure,
                };
            };
            entry.decided = true;
            let number = entry.number;
            if is_refresh {
                return Gets::Failure;
            }
            // It is looked at as if the call had just begun.
            if self.is_spoilt(place, number) {
                self.take(place, number, Cause::Invalid);
                return Gets::Failure;
            }
            self.touch(place, key);
            self.resources[number as usize].leases += 1;
            return Gets::Resource(number);
        };
        assert_eq!(number, self.resources.len() as u64);
        self.resources.push(Resource {
            state: State::Live,
            function: place.function,
            leases: 1,
            users: 0,
            spoilt: false,
            either: false,
        });
        self.uses += 1;
        let is_too_heavy = set.heaviest.is_some_and(|most| weight(number) > most);
        if flight.orphan || is_too_heavy {
            self.end(number, Cause::Orphaned);
            return Gets::Resource(number);
        }
        if let Some(old) = old {
            self.take(place, old, Cause::Replaced);
        }
        let entries = self.caches.entry(place).or_default();
        let mut evicted = Vec::new();
        while set.most.is_some_and(|most| entries.len() >= most) {
            evicted.push(entries.remove(0).number);
        }
        while let Some(most) = set.heaviest {
            let all: u64 = entries.iter().map(|it| weight(it.number)).sum();
            if all + weight(number) <= most {
                break;
            }
            let longest_ago = entries.iter().map(|it| it.use_number).min();
            let at = entries
                .iter()
                .position(|it| Some(it.use_number) == longest_ago);
            evicted.push(entries.remove(at.expect("it weighs less than all")).number);
        }
        entries.push(Entry {
            key,
            number,
            fresh_until: set.ttl.map(|ttl| now + ttl * UNITS + HALF),
            decided: false,
            used_at: now,
            use_number: self.uses,
            was_held: false,
        });
        for number in evicted {
            self.end(number, Cause::Evicted);
        }
        Gets::Resource(number)
    }

    /// What is meant is too old from now on.
    pub fn expire(&mut self, which: impl Fn(Place, u64) -> bool) {
        let (now, sets) = (self.now, self.sets);
        let mut gone = Vec::new();
        for (&place, entries) in &mut self.caches {
            let set = &sets[place.function];
            for entry in entries.iter_mut().filter(|it| which(place, it.key)) {
                entry.fresh_until = Some(entry.fresh_until.map_or(now, |it| it.min(now)));
                entry.decided = false;
                if entry.is_gone(set, now) {
                    gone.push((place, entry.number));
                }
            }
        }
        for (place, number) in gone {
            self.take(place, number, Cause::Expired);
        }
    }

    /// Where the background looks again is its own: these have gone there for lying idle.
    pub fn has_lain_idle(&mut self, is_released: impl Fn(u64) -> bool) {
        let (now, sets) = (self.now, self.sets);
        let mut idle = Vec::new();
        for (&place, entries) in &self.caches {
            let set = &sets[place.function];
            let held = entries
                .iter()
                .filter(|it| it.was_held && it.is_idle(set, now));
            idle.extend(
                held.filter(|it| is_released(it.number))
                    .map(|it| (place, it.number)),
            );
        }
        for (place, number) in idle {
            self.take(place, number, Cause::Idle);
        }
    }

    /// Whether the innermost build will be an orphan is the model's to know; the rest is the same
    /// for all of these.
    pub fn clear(&mut self, cause: Cause, which: impl Fn(Place, u64) -> bool) {
        let mut gone = Vec::new();
        for (&place, entries) in &mut self.caches {
            entries.retain(|entry| {
                let stays = !which(place, entry.key);
                if !stays {
                    gone.push(entry.number);
                }
                stays
            });
        }
        // All builds under way are around whoever clears, and a clear spares those (L13).
        let spared = cause == Cause::Cleared;
        for flight in &mut self.flights {
            flight.orphan |= !spared && which(flight.place, flight.key);
        }
        for number in gone {
            self.end(number, cause);
        }
    }

    pub fn end_session(&mut self, session: usize) {
        let Some(ending) = self.sessions.get_mut(&session) else {
            return;
        };
        if self.grace == 0 {
            self.forget(session);
        } else if ending.is_none() {
            *ending = Some(self.now + self.grace * UNITS + HALF);
        }
    }

    fn forget(&mut self, session: usize) {
        self.sessions.remove(&session);
        for (place, entries) in &self.caches {
            for entry in entries.iter().filter(|_| place.session == Some(session)) {
                let set = &self.sets[place.function];
                let over = entry.is_gone(set, self.now) || entry.is_idle(set, self.now);
                self.resources[entry.number as usize].either = over;
            }
        }
        self.clear(Cause::SessionEnded, |place, _| {
            place.session == Some(session)
        });
    }

    pub fn resume(&mut self, session: usize) {
        if let Some(ending) = self.sessions.get_mut(&session) {
            *ending = None;
        }
    }

    /// The background has noticed what time it is: what is due happens in its order.
    pub fn notice(&mut self) {
        loop {
            let endings = self.sessions.iter();
            let ending = endings.filter_map(|(&session, ending)| Some(((*ending)?, session)));
            let ending = ending.min().filter(|it| it.0 <= self.now);
            let looks = self.caches.iter().flat_map(|(&place, entries)| {
                let set = &self.sets[place.function];
                let looks = entries.iter();
                looks.filter_map(move |it| Some((it.look(set)?, place, it.key)))
            });
            let look = looks.min().filter(|it| it.0 <= self.now);
            match (ending, look) {
                (Some(ending), None) => self.forget(ending.1),
                (Some(ending), Some(look)) if ending.0 <= look.0 => self.forget(ending.1),
                (_, Some((_, place, key))) => self.look(place, key),
                (None, None) => break,
            }
        }
        for resource in &mut self.resources {
            if let State::Draining(cause, Some(until)) = resource.state
                && until <= self.now
            {
                resource.state = State::Released(cause);
            }
        }
    }

    /// The background looks at an entry whose time has come.
    fn look(&mut self, place: Place, key: u64) {
        let (now, set) = (self.now, self.sets[place.function]);
        let entry = self.entry(place, key).expect("it is there");
        let number = entry.number;
        if entry.is_gone(&set, now) {
            return self.take(place, number, Cause::Expired);
        }
        let resource = &self.resources[number as usize];
        let is_used = is_watched(place.function) && resource.users > 0;
        if resource.leases > 0 || is_used {
            self.entry(place, key).expect("it is there").was_held = true;
        } else {
            self.take(place, number, Cause::Idle);
        }
    }

    /// Everything is released, whoever uses it.
    pub fn shutdown(&mut self) {
        self.clear(Cause::Shutdown, |_, _| true);
        for resource in &mut self.resources {
            if let State::Draining(cause, _) = resource.state {
                resource.state = State::Released(cause);
            }
        }
        self.sessions.clear();
    }

    fn end(&mut self, number: u64, cause: Cause) {
        self.resources[number as usize].state = State::Ended(cause);
        self.settle(number);
    }

    pub fn drop_lease(&mut self, number: u64) {
        self.resources[number as usize].leases -= 1;
        self.settle(number);
    }

    /// What nobody leases any more drains or is released.
    fn settle(&mut self, number: u64) {
        let (drain, now) = (self.drain, self.now);
        let resource = &mut self.resources[number as usize];
        let State::Ended(cause) = resource.state else {
            return;
        };
        if resource.leases > 0 {
            return;
        }
        let until = drain.map(|drain| now + drain * UNITS);
        let waits = match cause {
            Cause::Shutdown => false,
            Cause::Orphaned => true,
            _ => drain.is_some(),
        };
        let waits = waits && is_watched(resource.function) && resource.users > 0;
        resource.state = if waits {
            State::Draining(cause, until)
        } else {
            State::Released(cause)
        };
    }
}
