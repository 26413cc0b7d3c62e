//! The entry that a refresh was begun for.

use crate::ground::clock::Nanos;
use crate::key::Key;
use crate::life::contents::Contents;
use crate::life::entry::{Entry, EntryRef};
use crate::words::bounds::Resource;

/// The entry that a refresh was begun for. It is named and not held: nobody's lease, it ends as if
/// there were no refresh.
#[derive(Clone)]
pub(in crate::life) struct Old {
    key: Key,
    built_at: Nanos,
    /// Whether callers get the old one meanwhile.
    pub(in crate::life) beside: bool,
}

impl Old {
    pub(in crate::life) fn new<V>(entry: &Entry<V>, beside: bool) -> Self {
        Self {
            key: entry.key().clone(),
            built_at: entry.built_at(),
            beside,
        }
    }

    /// The entry, where it is still in its cache.
    pub(in crate::life) fn find<'a, V: Resource, F>(
        &self,
        state: &'a Contents<V, F>,
    ) -> Option<&'a EntryRef<V>> {
        let there = state.entries.get_at(self.key.hash(), &self.key);
        there.filter(|entry| entry.built_at() == self.built_at)
    }
}
