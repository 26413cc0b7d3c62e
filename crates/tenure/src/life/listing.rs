//! The entries of a cache as a program is shown them, and the end of one of them by its number.
//!
//! An entry's number is the time that it was built at, which no other entry of the engine has.

use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::sync::Arc;
use crate::key::digests::Digests;
use crate::life::aging::term::Pace;
use crate::life::cache::Cache;
use crate::life::entry::{Entry, EntryRef};
use crate::life::order::AT_A_TIME;
use crate::life::removal::ends;
use crate::life::succession::in_turn;
use crate::words::bounds::{Failure, Resource};
use crate::words::fleet::Ending;
use crate::words::listing::ListedEntry;

/// The digest by which a session or a scope is shown, and which does not lead back to its name.
pub(crate) fn owner(scope: &str) -> Arc<str> {
    let digest = Digests::Own.of(scope.as_bytes());
    Arc::from(&format!("{digest:032x}")[..8])
}

impl<V: Resource, F: Failure> Cache<V, F> {
    /// So many of the entries, with what is shown of each.
    pub(crate) fn listed(
        &self,
        owner: Option<&Arc<str>>,
        at_most: usize,
    ) -> Vec<(EntryRef<V>, ListedEntry)> {
        let mut listed = Vec::new();
        self.look_through(|entry| {
            if listed.len() < at_most {
                listed.push((entry.clone(), self.shown(entry, owner)));
            }
            listed.len() == at_most
        });
        listed
    }

    /// The entry with this number, if it is still there.
    pub(crate) fn numbered(&self, number: u64) -> Option<EntryRef<V>> {
        let mut found = None;
        self.look_through(|entry| {
            let is_it = entry.built_at() == number;
            if is_it {
                found = Some(entry.clone());
            }
            is_it
        });
        found
    }

    /// Looks at one entry after another until `is_enough`, and holds nobody up for long.
    fn look_through(&self, mut is_enough: impl FnMut(&EntryRef<V>) -> bool) {
        let mut from = 0;
        loop {
            let state = self.state.lock();
            // What the slots own are no leases, and they count hits of their own.
            self.core.hot.clear::<Entry<V>>();
            let Some(mut some) = state.entries.some(from) else {
                return;
            };
            if some.any(&mut is_enough) {
                return;
            }
            from += AT_A_TIME;
        }
    }

    fn shown(&self, entry: &EntryRef<V>, owner: Option<&Arc<str>>) -> ListedEntry {
        let now = self.core.clock.now();
        let since = |then: Nanos| Duration::from_nanos(now.saturating_sub(then));
        // All but the cache's own reference, and the one that was just taken.
        let leases = entry.count().saturating_sub(2);
        ListedEntry {
            number: entry.built_at(),
            function: self.core.number,
            owner: owner.cloned(),
            is_stale: entry.is_stale(),
            is_inherited: entry.is_inherited(),
            age: since(entry.built_at()),
            unused: (self.core.pace == Pace::Noted).then(|| since(entry.used_at())),
            build_time: entry.build_time(),
            hits: entry.hits(),
            leases,
            in_use: leases > 0,
            weight: entry.weight(),
            arguments: entry.arguments().cloned(),
        }
    }

    /// Ends this very entry as a clear or an expiry of its call does, if it is still there; whether it was. All
    /// members of a fleet are told.
    pub(crate) fn end_this(self: &Arc<Self>, entry: EntryRef<V>, ending: Ending) -> bool {
        let _under_way = self.begin_release();
        let call = entry.call_key().clone();
        let taken = match ending {
            Ending::Cleared => self.take_cleared_entry(entry).map(Some),
            Ending::Expired => self.take_expired_entry(&entry),
        };
        let Some(taken) = taken else {
            return false;
        };
        self.raise(&call.as_key(), ending);
        let gone = taken.into_iter().collect();
        in_turn(&self.core.services, ends(gone, ending.cause()));
        true
    }
}
