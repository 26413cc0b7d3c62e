//! The counts of all functions that there have been, by name: a counter does not fall where a function goes.
//!
//! Whoever adds to counts holds them: once nobody does they are what they are, and are added to those of the name.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use crate::ground::sync::{Arc, Record};
use crate::words::info::{Counters, Info};

/// So many names of functions that have gone are remembered.
const MOST: usize = 10_000;

/// With fewer counts than this nobody looks for those that are final.
const FEW: usize = 64;

#[derive(Default)]
pub(crate) struct Tally(Record<Counts>);

#[derive(Default)]
struct Counts {
    counted: Vec<(Arc<str>, Arc<Counters>)>,
    gone: BTreeMap<Arc<str>, Arc<Info>>,
    /// With how many counts the final ones are looked for again.
    next_look: usize,
}

impl Tally {
    /// Takes down the counts of a new function of this name.
    pub(crate) fn add(&self, name: Arc<str>, counters: &Arc<Counters>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.counted.len() >= counts.next_look.max(FEW) {
            counts.fold();
            counts.next_look = 2 * counts.counted.len();
        }
        counts.counted.push((name, Arc::clone(counters)));
    }

    /// The counts by name, but for those of functions that are there.
    pub(crate) fn without(
        &self,
        is_there: impl Fn(&Arc<Counters>) -> bool,
    ) -> BTreeMap<Arc<str>, Arc<Info>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.fold();
        let mut sums = counts.gone.clone();
        for (name, counters) in counts.counted.iter().filter(|it| !is_there(&it.1)) {
            let mut info = counters.read();
            info.hits = counters.hits_told(info.hits);
            info.draining = counters.unreleased(|| 0);
            Info::add_to(&mut sums, name, info);
        }
        sums
    }
}

impl Counts {
    /// Adds what is final to the sums.
    fn fold(&mut self) {
        let Self { counted, gone, .. } = self;
        counted.retain(|(name, counters)| {
            let is_final = Arc::strong_count(counters) == 1;
            if is_final {
                Info::add_to(gone, name, counters.read());
            }
            !is_final
        });
        while gone.len() > MOST {
            gone.pop_first();
        }
    }
}
