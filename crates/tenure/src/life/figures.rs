//! What a cache tells of itself: figures, entries as they are shown, and what a call would meet.

use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::host::observe::Seen;
use crate::host::record::Observed;
use crate::key::{KeyRef, Part};
use crate::life::cache::Cache;
use crate::life::entry::{Entry, EntryRef};
use crate::life::order::AT_A_TIME;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::explanation::Explanation;
use crate::words::info::{EntryInfo, Figures, Info};
use crate::words::inspect::Inspection;
use crate::words::miss::Miss;

impl<V: Resource, F: Failure> Cache<V, F> {
    /// What a call would meet, whose arguments wrote these parts of the key. Nothing is counted, and nothing is taken
    /// out.
    pub(crate) fn explain(
        &self,
        key: &KeyRef<'_>,
        parts: &[Part<'_>],
        seen: &Seen,
    ) -> Result<Explanation, Vec<Observed>>
    where
        F: Clone,
    {
        let core = &self.core;
        let now = core.services.clock.now();
        let since = |then: Nanos| Some(Duration::from_nanos(now.saturating_sub(then)));
        let mut why = Explanation {
            validates: core.settings.validates,
            ..Explanation::of(&core.name)
        };
        let state = self.state.lock();
        let Some(entry) = state.entry(key, seen)? else {
            if state.flight(key, seen)?.is_some() {
                why.miss = Some(Miss::Building);
                return Ok(why);
            }
            let miss = state.history.why(key.hash());
            why.miss = Some(miss);
            if miss == Miss::Absent {
                why.differs = state.differing(key, parts);
            }
            if let Some(ended) = state.history.of(key.hash()) {
                why.age = since(ended.at);
                why.by.clone_from(&ended.by);
            } else if let Some((at, by)) = state.history.cleared() {
                why.last_clear = since(*at);
                why.by.clone_from(by);
            }
            return Ok(why);
        };
        if entry.is_gone() {
            why.miss = Some(Miss::Ended(Cause::Expired));
            why.age = since(entry.gone_at());
        } else if core.is_apart() {
            why.miss = Some(Miss::Apart);
        } else if entry.is_due() && !core.settings.refreshes_beside() {
            why.miss = Some(Miss::Stale);
        } else {
            why.age = since(entry.built_at());
            why.refreshes = entry.is_due();
            // What the slots own are no leases.
            core.hot.clear::<Entry<V>>();
            why.leases = entry.count() - 1;
        }
        Ok(why)
    }

    /// All live entries.
    pub(crate) fn live(&self) -> Vec<EntryRef<V>> {
        self.state.lock().entries.iter().cloned().collect()
    }

    /// All live entries with their figures, oldest first.
    pub(crate) fn described(&self) -> Vec<(EntryRef<V>, EntryInfo)> {
        let now = self.core.services.clock.now();
        let state = self.state.lock();
        // What the slots own are no leases, and they count hits of their own.
        self.core.hot.clear::<Entry<V>>();
        let described = state.entries.iter().map(|entry| {
            let info = EntryInfo {
                age: Duration::from_nanos(now.saturating_sub(entry.built_at())),
                hits: entry.hits(),
                // All but the cache's own reference.
                leases: entry.count() - 1,
                arguments: entry.arguments().cloned(),
            };
            (entry.clone(), info)
        });
        described.collect()
    }

    /// How many entries are live that this process has built.
    pub(crate) fn built(&self) -> usize {
        let state = self.state.lock();
        let built = state.entries.iter().filter(|it| !it.is_inherited());
        built.count()
    }

    /// Adds its figures, and gives the entries that nobody has a lease of.
    pub(crate) fn read(&self, info: &mut Info) -> Vec<EntryRef<V>> {
        let now = self.core.services.clock.now();
        let state = self.state.lock();
        self.core.hot.clear::<Entry<V>>();
        let mut unleased = Vec::new();
        for entry in state.entries.iter() {
            info.entries += 1;
            info.inherited += u64::from(entry.is_inherited());
            info.stale += u64::from(entry.is_stale());
            info.hits += entry.hits();
            info.weight = info.weight.saturating_add(entry.weight());
            let age = now.saturating_sub(entry.built_at());
            info.ages.push(Duration::from_nanos(age));
            // All but the cache's own reference are leases.
            if entry.count() == 1 {
                unleased.push(entry.clone());
            }
        }
        unleased
    }

    /// Adds its figures, and holds nobody up for long: the hits of hot entries are counted once they are not, or have
    /// had so many.
    pub(crate) fn sum(&self, all: &mut Figures) {
        let mut from = 0;
        loop {
            let state = self.state.lock();
            if from == 0 {
                all.entries += state.entries.len() as u64;
                all.weight =
                    (all.weight).saturating_add(state.weight().try_into().unwrap_or(u64::MAX));
            }
            let Some(some) = state.entries.some(from) else {
                return;
            };
            all.hits += some.map(|it| it.hits()).sum::<u64>();
            from += AT_A_TIME;
        }
    }

    pub(crate) fn inspect(&self, counts: &mut Inspection) {
        let state = self.state.lock();
        counts.flights += state.flights.len();
        counts.expiries += usize::from(state.expiry.is_some());
        counts.nodes += state.entries.nodes();
        counts.marks += state.marks.len();
    }
}
