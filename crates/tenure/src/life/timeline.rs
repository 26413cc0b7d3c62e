//! The last builds and releases of an engine, for whoever looks.
//!
//! Noted by those who build and release, and never on the way of a hit. What is noted holds nothing but a name.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Record};
use crate::life::core::Core;
use crate::words::listing::{Event, Happened};

/// How many are remembered.
const MOST: usize = 256;

#[derive(Default)]
pub(crate) struct Timeline(Record<VecDeque<Noted>>);

struct Noted {
    at: Nanos,
    function: u64,
    name: Arc<str>,
    entry: Option<u64>,
    what: Happened,
}

impl Timeline {
    fn note(&self, noted: Noted) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == MOST {
            last.pop_front();
        }
        last.push_back(noted);
    }

    /// What is remembered, oldest first, as seen at this time.
    pub(crate) fn events(&self, now: Nanos) -> Vec<Event> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let events = last.iter().map(|it| Event {
            ago: Duration::from_nanos(now.saturating_sub(it.at)),
            function: it.function,
            name: Arc::clone(&it.name),
            entry: it.entry,
            what: it.what,
        });
        events.collect()
    }
}

impl<V> Core<V> {
    /// Notes what has happened to the resource that was built at this time, or to none.
    pub(crate) fn note(&self, built_at: Option<Nanos>, what: Happened) {
        // A thread that is not in this process may hold the lock.
        if self.services.is_abandoned() {
            return;
        }
        self.services.timeline.note(Noted {
            at: self.clock.now(),
            function: self.number,
            name: Arc::clone(&self.name),
            entry: built_at,
            what,
        });
    }
}
