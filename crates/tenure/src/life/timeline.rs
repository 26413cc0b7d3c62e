//! The last builds and releases of an engine, for whoever looks.
//!
//! Noted by those who build and release, and never on the way of a hit. What is noted holds nothing but a name.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Record};
use crate::words::listing::{Event, Happened};

/// How many are remembered.
const MOST: usize = 256;

#[derive(Default)]
pub(crate) struct Timeline(Record<VecDeque<Noted>>);

/// What has happened to the resource of an entry, or to none.
pub(crate) struct Noted {
    pub(crate) at: Nanos,
    pub(crate) function: u64,
    pub(crate) name: Arc<str>,
    pub(crate) entry: Option<u64>,
    pub(crate) what: Happened,
}

impl Timeline {
    pub(crate) fn note(&self, noted: Noted) {
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
