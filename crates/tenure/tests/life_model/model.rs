//! The model: what should become of each resource, one thing after another, in plain lists.

use std::collections::BTreeMap;

use tenure::Cause;

use crate::{FUNCTIONS, Set};

/// Deadlines fall between two steps of the clock, which goes by whole milliseconds.
const HALF: u64 = 1;
/// Two units are a millisecond.
pub const UNITS: u64 = 2;

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
    /// It had expired when its session ended, and both were noticed at once: either is right.
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
    deadline: Option<u64>,
}

#[derive(Debug)]
struct Flight {
    place: Place,
    key: u64,
    orphan: bool,
}

/// What a call should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Hit(u64),
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
        let entries = self.caches.entry(place).or_default();
        if let Some(at) = entries.iter().position(|it| it.key == key) {
            let Entry {
                number, deadline, ..
            } = entries[at];
            let expired = deadline.is_some_and(|it| it <= self.now);
            let spoilt = validates(place.function) && self.resources[number as usize].spoilt;
            if !expired && !spoilt {
                return Expected::Hit(number);
            }
            entries.remove(at);
            self.end(
                number,
                if expired {
                    Cause::Expired
                } else {
                    Cause::Invalid
                },
            );
        }
        let mut flights = self.flights.iter();
        if flights.any(|it| !it.orphan && it.place == place && it.key == key) {
            return Expected::Cycle;
        }
        Expected::Build
    }

    /// A build begins. Gives its flight.
    pub fn begin(&mut self, place: Place, key: u64) {
        self.flights.push(Flight {
            place,
            key,
            orphan: false,
        });
    }

    /// The innermost build has ended, and gave this resource, which its caller leases.
    pub fn land(&mut self, built: Option<u64>) {
        let flight = self.flights.pop().expect("begun");
        let Some(number) = built else { return };
        assert_eq!(number, self.resources.len() as u64);
        let function = flight.place.function;
        self.resources.push(Resource {
            state: State::Live,
            function,
            leases: 1,
            users: 0,
            spoilt: false,
            either: false,
        });
        if flight.orphan {
            return self.end(number, Cause::Orphaned);
        }
        let set = self.sets[function];
        let entries = self.caches.entry(flight.place).or_default();
        let mut evicted = Vec::new();
        while set.most.is_some_and(|most| entries.len() >= most) {
            evicted.push(entries.remove(0).number);
        }
        entries.push(Entry {
            key: flight.key,
            number,
            deadline: set.ttl.map(|ttl| self.now + ttl * UNITS + HALF),
        });
        for number in evicted {
            self.end(number, Cause::Evicted);
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
                let expired = entry.deadline.is_some_and(|it| it <= self.now);
                self.resources[entry.number as usize].either = expired;
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
            let caches = self.caches.iter();
            let deadline = caches.filter_map(|(&place, entries)| {
                let deadline = entries.first()?.deadline?;
                Some((deadline, place))
            });
            let deadline = deadline.min().filter(|it| it.0 <= self.now);
            match (ending, deadline) {
                (Some(ending), None) => self.forget(ending.1),
                (Some(ending), Some(deadline)) if ending.0 <= deadline.0 => self.forget(ending.1),
                (_, Some((_, place))) => {
                    let entries = self.caches.get_mut(&place).expect("it has an entry");
                    let number = entries.remove(0).number;
                    self.end(number, Cause::Expired);
                }
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
