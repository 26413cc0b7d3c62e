//! An engine's place in a fleet: its bus, its terms, and its functions by their marks.
//!
//! 1. Whoever has another lock asks for marks and takes no bus: the last hold on one may be let go of anywhere, and what
//!    then runs waits for the bus's threads.
//! 2. What a bus tells counts for as long as it is the engine's, which is looked at under the same lock.
//!
//! Lock order: the locks here are leaves. A bus computes marks under that of the place.

use std::sync::atomic::Ordering::{Acquire, Release};

use hashbrown::{HashMap, HashSet};

use crate::directory::AnyFunction;
use crate::ground::sync::{Arc, Mutex, Switch, Weak};
use crate::words::fleet::{Bus, Ending, Lost, Mark, Terms, Topic};

/// So many ends are noted one by one.
const MANY: usize = 1000;

/// An engine's place in a fleet, if it has one.
pub(crate) struct Membership {
    /// Whether there is one, so that who is in none takes no lock to find that out.
    is_member: Switch,
    /// Whether what is kept counts as current.
    is_apart: Switch,
    /// What has ended elsewhere, for a front door that has put entries aside.
    noted: Mutex<Option<Ended>>,
    place: Mutex<Option<Place>>,
    functions: Mutex<HashMap<Mark, Vec<Weak<dyn AnyFunction>>>>,
}

type Ended = HashSet<(Topic, Ending)>;

struct Place {
    bus: Arc<dyn Bus>,
    terms: Terms,
}

impl Place {
    fn is_on(&self, bus: &Weak<dyn Bus>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.bus), bus.as_ptr())
    }
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            is_member: Switch::new(false),
            is_apart: Switch::new(false),
            noted: Mutex::new(None),
            place: Mutex::new(None),
            functions: Mutex::new(HashMap::new()),
        }
    }
}

impl Membership {
    /// Joins, or leaves. Gives the bus that was there before.
    pub(crate) fn set(&self, place: Option<(Arc<dyn Bus>, Terms)>) -> Option<Arc<dyn Bus>> {
        // Another bus has other marks.
        let known = std::mem::take(&mut *self.functions.lock());
        drop(known);
        let place = place.map(|(bus, terms)| Place { bus, terms });
        let mut present = self.place.lock();
        self.is_apart.store(false, Release);
        self.is_member.store(place.is_some(), Release);
        std::mem::replace(&mut *present, place).map(|it| it.bus)
    }

    fn look<T>(&self, look: impl FnOnce(&Place) -> T) -> Option<T> {
        if !self.is_member.load(Acquire) {
            return None;
        }
        self.place.lock().as_ref().map(look)
    }

    /// The bus, for whoever has no lock.
    pub(crate) fn bus(&self) -> Option<Arc<dyn Bus>> {
        self.look(|it| Arc::clone(&it.bus))
    }

    /// The bus, for whoever has no lock, if it is this one.
    pub(crate) fn bus_if_on(&self, bus: &Weak<dyn Bus>) -> Option<Arc<dyn Bus>> {
        self.look(|it| it.is_on(bus).then(|| Arc::clone(&it.bus)))
            .flatten()
    }

    /// Has the bus compute marks.
    pub(crate) fn marks<T>(&self, marks: impl FnOnce(&dyn Bus) -> T) -> Option<T> {
        self.look(|it| marks(&*it.bus))
    }

    pub(crate) fn terms(&self) -> Terms {
        self.look(|it| it.terms).unwrap_or_default()
    }

    /// Whether nothing counts as current that the members share.
    pub(crate) fn is_apart(&self) -> bool {
        self.is_apart.load(Acquire)
    }

    /// Has what ends elsewhere noted from here on.
    pub(crate) fn note_ends(&self) {
        self.noted.lock().get_or_insert_default();
    }

    /// Something has ended elsewhere, and is about to be taken out.
    pub(crate) fn hears(&self, topic: Topic, ending: Ending) {
        if let Some(noted) = &mut *self.noted.lock() {
            noted.insert((topic, ending));
            if noted.len() > MANY {
                let all = [Topic::Everything, Topic::AnyTag];
                *noted = all.map(|topic| (topic, Ending::Cleared)).into();
            }
        }
    }

    /// What has been noted.
    pub(crate) fn noted(&self) -> Vec<(Topic, Ending)> {
        self.noted.lock().iter().flatten().copied().collect()
    }

    /// The others cannot be heard on this bus. Whether nothing that is kept counts as current from here on.
    pub(crate) fn lose(&self, bus: &Weak<dyn Bus>) -> bool {
        let lose = |it: &Place| {
            let is_apart = it.is_on(bus) && it.terms.lost == Lost::Rebuild;
            self.is_apart.fetch_or(is_apart, Release);
            is_apart
        };
        self.look(lose).unwrap_or(false)
    }

    /// All that was missed has been told on this bus.
    pub(crate) fn catch_up(&self, bus: &Weak<dyn Bus>) {
        self.look(|it| {
            if it.is_on(bus) {
                self.is_apart.store(false, Release);
            }
        });
    }

    /// Knows a function by its mark.
    pub(crate) fn know(&self, mark: Mark, function: Weak<dyn AnyFunction>) {
        let mut functions = self.functions.lock();
        // Amortised: what is gone is swept when the table would grow.
        if functions.len() == functions.capacity() {
            functions.retain(|_, known| known.iter().any(|it| it.strong_count() > 0));
        }
        let known = functions.entry(mark).or_default();
        known.retain(|it| it.strong_count() > 0 && !it.ptr_eq(&function));
        known.push(function);
    }

    pub(crate) fn known(&self, mark: Mark) -> Vec<Arc<dyn AnyFunction>> {
        let functions = self.functions.lock();
        let known = functions.get(&mark).into_iter().flatten();
        known.filter_map(Weak::upgrade).collect()
    }
}
