//! Entries by key, in the order in which they came: found, added and removed in constant time,
//! oldest first.

use hashbrown::HashTable;

use crate::bounds::Resource;
use crate::entry::Lease;
use crate::key::KeyRef;

const NONE: u32 = u32::MAX;

/// So few nodes are kept for the next entries, whatever became of the last ones.
const KEPT: usize = 64;

/// The entries of one cache.
pub(crate) struct Ordered<V: Resource> {
    table: HashTable<u32>,
    nodes: Vec<Node<V>>,
    oldest: u32,
    newest: u32,
    /// The first of the free nodes, linked through `next`.
    free: u32,
    /// The entry of a call without arguments, which is found without a hash.
    bare: u32,
}

struct Node<V: Resource> {
    entry: Option<Lease<V>>,
    older: u32,
    newer: u32,
}

impl<V: Resource> Default for Ordered<V> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            nodes: Vec::new(),
            oldest: NONE,
            newest: NONE,
            free: NONE,
            bare: NONE,
        }
    }
}

impl<V: Resource> Ordered<V> {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Places for entries, taken or free.
    pub(crate) fn places(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub(crate) fn get(&self, key: &KeyRef<'_>) -> Option<&Lease<V>> {
        if key.is_empty() {
            return (self.bare != NONE).then(|| self.entry(self.bare));
        }
        let at = self
            .table
            .find(key.hash(), |&at| key.matches(self.entry(at).entry().key()))?;
        Some(self.entry(*at))
    }

    /// Adds an entry as the newest; the key must not be there.
    pub(crate) fn push(&mut self, entry: Lease<V>) {
        let key = entry.entry().key();
        let (hash, is_bare) = (key.hash(), key.is_empty());
        let node = Node {
            entry: Some(entry),
            older: self.newest,
            newer: NONE,
        };
        let at = if self.free == NONE {
            self.nodes.push(node);
            let at = u32::try_from(self.nodes.len() - 1).ok();
            at.filter(|&at| at != NONE)
                .expect("fewer than 2^32 - 1 entries")
        } else {
            let at = self.free;
            self.free = self.nodes[at as usize].newer;
            self.nodes[at as usize] = node;
            at
        };
        match self.newest {
            NONE => self.oldest = at,
            newest => self.nodes[newest as usize].newer = at,
        }
        self.newest = at;
        if is_bare {
            self.bare = at;
        }
        let nodes = &self.nodes;
        self.table.insert_unique(hash, at, |&at| {
            let entry = nodes[at as usize].entry.as_ref();
            entry
                .expect("a node in the table is taken")
                .entry()
                .key()
                .hash()
        });
    }

    pub(crate) fn oldest(&self) -> Option<&Lease<V>> {
        (self.oldest != NONE).then(|| self.entry(self.oldest))
    }

    /// Takes out this very entry, if it is there.
    pub(crate) fn remove(&mut self, entry: &Lease<V>) -> Option<Lease<V>> {
        let hash = entry.entry().key().hash();
        let nodes = &self.nodes;
        let found = self.table.find_entry(hash, |&at| {
            let there = nodes[at as usize].entry.as_ref();
            there.is_some_and(|there| there.same_entry(entry))
        });
        let (at, _) = found.ok()?.remove();
        let Node { older, newer, .. } = self.nodes[at as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.nodes[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.nodes[newer as usize].older = older,
        }
        if self.bare == at {
            self.bare = NONE;
        }
        let node = &mut self.nodes[at as usize];
        node.newer = self.free;
        self.free = at;
        let gone = node.entry.take();
        self.shrink();
        gone
    }

    /// Gives memory back where most of it is for entries that are gone. Constant time, amortised:
    /// seven of eight entries left since it grew.
    fn shrink(&mut self) {
        if self.nodes.len() > KEPT && self.len() < self.nodes.len() / 8 {
            for entry in self.take_all() {
                self.push(entry);
            }
        }
    }

    /// Takes out everything, oldest first.
    pub(crate) fn take_all(&mut self) -> Vec<Lease<V>> {
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.oldest;
        while at != NONE {
            let node = &mut self.nodes[at as usize];
            all.extend(node.entry.take());
            at = node.newer;
        }
        *self = Self::default();
        all
    }

    /// All entries, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lease<V>> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            at = node.newer;
            node.entry.as_ref()
        })
    }

    #[inline]
    fn entry(&self, at: u32) -> &Lease<V> {
        let entry = self.nodes[at as usize].entry.as_ref();
        entry.expect("a node in the table is taken")
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::counted::Counted;
    use crate::entry::Entry;
    use crate::function::Function;
    use crate::key::Encoder;
    use crate::sync::Arc;
    use crate::{Engine, ManualClock, Settings};

    fn entries(count: u64) -> Vec<Lease<u64>> {
        let engine = Engine::with_clock(ManualClock::new());
        let function = Function::<u64, ()>::plain(&engine, "f", Settings::default()).unwrap();
        let entry = |number: u64| {
            let mut key = Encoder::new();
            key.framed(1, &number.to_le_bytes());
            let shared = Arc::clone(&function.shared);
            Lease::new(Counted::new(Entry::new(
                key.finish().to_key(),
                number,
                None,
                shared,
            )))
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn l10_memory_follows_the_entries_and_order_survives() {
        let entries = entries(1000);
        let mut ordered = Ordered::default();
        for entry in &entries {
            ordered.push(entry.clone());
        }
        for entry in entries.iter().filter(|it| ***it % 50 != 7) {
            assert!(ordered.remove(entry).is_some());
            assert!(ordered.remove(entry).is_none());
        }
        let left: Vec<u64> = ordered.iter().map(|it| **it).collect();
        assert_eq!(left, (0..20).map(|it| it * 50 + 7).collect::<Vec<_>>());
        assert!(ordered.nodes.len() <= 8 * left.len().max(KEPT));
        for number in left {
            let key = entries[number as usize].entry().key();
            let found = ordered.get(&key.as_key()).cloned().unwrap();
            assert_eq!(*found, number);
            assert_eq!(**ordered.oldest().unwrap(), number);
            ordered.remove(&found);
        }
        assert!(ordered.oldest().is_none());
        assert!(ordered.nodes.len() <= KEPT);
    }
}
