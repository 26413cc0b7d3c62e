//! Entries by key, in the order in which they came: found, added and removed in constant time,
//! oldest first.

use hashbrown::HashTable;

use crate::key::{Key, KeyRef};
use crate::life::entry::EntryRef;
use crate::words::bounds::Resource;

const NONE: u32 = u32::MAX;

/// So few nodes are kept for the next entries, whatever became of the last ones.
const KEPT: usize = 64;

/// The number of nodes that are looked at under one hold of the lock, where all need not be.
pub(crate) const AT_A_TIME: usize = 256;

/// Where an entry stands, for as long as it stands there: its node, and a part of the time that it was
/// built at, by which another one in the same node is told apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    at: u32,
    built: u32,
}

/// The entries of one cache.
pub(crate) struct Ordered<V: Resource> {
    table: HashTable<NodeRef>,
    nodes: Vec<Node<V>>,
    oldest: u32,
    newest: u32,
    /// The first of the free nodes, linked through `next`.
    free: u32,
    /// The entry of a call without arguments, which is found without a hash.
    bare: u32,
    /// How often all nodes were moved, and places became others.
    moves: u32,
}

/// Where an entry's node is, and half of its key's hash: enough to find it again when the table
/// grows, and not to look at entries that only share a bucket.
#[derive(Clone, Copy)]
struct NodeRef {
    at: u32,
    half: u32,
}

/// The table's own hash: it takes the bucket from one end and a tag from the other.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

fn half(hash: u64) -> u32 {
    hash as u32
}

struct Node<V: Resource> {
    entry: Option<EntryRef<V>>,
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
            moves: 0,
        }
    }
}

impl<V: Resource> Ordered<V> {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many nodes there are, taken or free.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub(crate) fn get(&self, key: &KeyRef<'_>) -> Option<&EntryRef<V>> {
        if key.is_empty() {
            return (self.bare != NONE).then(|| self.entry(self.bare));
        }
        self.find(key.hash(), |there| key.matches(there))
    }

    /// The entry under an owned key, of which this is the hash.
    pub(crate) fn get_at(&self, hash: u64, key: &Key) -> Option<&EntryRef<V>> {
        self.find(hash, |there| there == key)
    }

    #[inline]
    fn find(&self, hash: u64, is_it: impl Fn(&Key) -> bool) -> Option<&EntryRef<V>> {
        let half = half(hash);
        let node = self.table.find(spread(half), |node| {
            node.half == half && is_it(self.entry(node.at).key())
        })?;
        Some(self.entry(node.at))
    }

    /// The first entry of which this is true, among those under keys of this hash.
    pub(crate) fn find_where(
        &self,
        hash: u64,
        is_it: impl Fn(&EntryRef<V>) -> bool,
    ) -> Option<&EntryRef<V>> {
        let half = half(hash);
        let node = self.table.find(spread(half), |node| {
            node.half == half && is_it(self.entry(node.at))
        })?;
        Some(self.entry(node.at))
    }

    /// Adds an entry as the newest; the key, of which this is the hash, must not be there.
    pub(crate) fn push(&mut self, hash: u64, entry: EntryRef<V>) -> Place {
        let is_bare = entry.key().is_empty();
        let built = entry.built_at() as u32;
        let node = Node {
            entry: Some(entry),
            older: self.newest,
            newer: NONE,
        };
        let at = if self.free == NONE {
            self.nodes.push(node);
            let at = u32::try_from(self.nodes.len() - 1).ok();
            // `NONE` is no place in the list.
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
        let half = half(hash);
        let node_ref = NodeRef { at, half };
        self.table
            .insert_unique(spread(half), node_ref, |it| spread(it.half));
        Place { at, built }
    }

    /// The entry at a place, if it is still there.
    pub(crate) fn at(&self, place: Place) -> Option<&EntryRef<V>> {
        let entry = self.nodes.get(place.at as usize)?.entry.as_ref()?;
        (entry.built_at() as u32 == place.built).then_some(entry)
    }

    /// The place of this very entry, if it is there. The hash is that of its key.
    pub(crate) fn place(&self, hash: u64, entry: &EntryRef<V>) -> Option<Place> {
        let half = half(hash);
        let node = self.table.find(spread(half), |node| {
            node.half == half && self.entry(node.at).ptr_eq(entry)
        })?;
        let built = entry.built_at() as u32;
        Some(Place { at: node.at, built })
    }

    /// Every entry with its place, oldest first.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, &EntryRef<V>)> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            let entry = node.entry.as_ref()?;
            let built = entry.built_at() as u32;
            let place = Place { at, built };
            at = node.newer;
            Some((place, entry))
        })
    }

    /// How often places became others.
    pub(crate) fn moves(&self) -> u32 {
        self.moves
    }

    pub(crate) fn oldest(&self) -> Option<&EntryRef<V>> {
        (self.oldest != NONE).then(|| self.entry(self.oldest))
    }

    /// Takes out this very entry, if it is there. The hash is that of its key.
    pub(crate) fn remove(&mut self, hash: u64, entry: &EntryRef<V>) -> Option<EntryRef<V>> {
        let nodes = &self.nodes;
        let found = self.table.find_entry(spread(half(hash)), |it| {
            let there = nodes[it.at as usize].entry.as_ref();
            there.is_some_and(|there| there.ptr_eq(entry))
        });
        let (NodeRef { at, .. }, _) = found.ok()?.remove();
        let Node { older, newer, .. } = self.nodes[at as usize];
        // What was at an end of the list gives that end to its one neighbour.
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
        // At an eighth and not at a half: a cache that goes up and down between two sizes does not copy all
        // of it each time. A few nodes are worth no copy.
        if self.nodes.len() > KEPT && self.len() < self.nodes.len() / 8 {
            let moves = self.moves.wrapping_add(1);
            // Oldest first, so that the order stays; the free nodes go with the old list.
            for entry in self.take_all() {
                self.push(entry.key().hash(), entry);
            }
            self.moves = moves;
        }
    }

    /// Takes out everything, oldest first.
    pub(crate) fn take_all(&mut self) -> Vec<EntryRef<V>> {
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

    /// The entries in the next [`AT_A_TIME`] places, in the order of these; nothing where there are no more places.
    pub(crate) fn some(&self, from: usize) -> Option<impl Iterator<Item = &EntryRef<V>>> {
        let nodes = self.nodes.get(from..).filter(|it| !it.is_empty())?;
        Some(
            nodes
                .iter()
                .take(AT_A_TIME)
                .filter_map(|it| it.entry.as_ref()),
        )
    }

    /// All entries, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &EntryRef<V>> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            at = node.newer;
            node.entry.as_ref()
        })
    }

    #[inline]
    fn entry(&self, at: u32) -> &EntryRef<V> {
        let entry = self.nodes[at as usize].entry.as_ref();
        entry.expect("a node in the table is taken")
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::function::Function;
    use crate::ground::counted::Counted;
    use crate::ground::sync::{Arc, Weak};
    use crate::key::Encoder;
    use crate::life::entry::Entry;
    use crate::life::entry::{Extra, Home, Owner};
    use crate::words::cause::Cause;
    use crate::{Engine, ManualClock, Settings};

    struct Nowhere;

    impl Home<u64> for Nowhere {
        fn discard(&self, _: EntryRef<u64>, _: Cause) {}
    }

    fn entries(count: u64) -> Vec<EntryRef<u64>> {
        let engine = Engine::with_clock(ManualClock::new());
        let function = Function::<u64, ()>::plain(&engine, "f", Settings::default()).unwrap();
        let entry = |number: u64| {
            let mut key = Encoder::new();
            key.framed(1, &number.to_le_bytes());
            let owner = Owner {
                core: Arc::clone(&function.core),
                cache: Weak::<Nowhere>::new() as _,
            };
            let [entry, _] = Counted::pair(Entry::new(
                key.finish().to_key(),
                number,
                number,
                Duration::ZERO,
                Extra::default(),
                Arc::new(owner),
            ));
            entry
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn l10_memory_follows_the_entries_and_order_survives() {
        let entries = entries(1000);
        let mut ordered = Ordered::default();
        for entry in &entries {
            ordered.push(entry.key().hash(), entry.clone());
        }
        for entry in entries.iter().filter(|it| it.value() % 50 != 7) {
            assert!(ordered.remove(entry.key().hash(), entry).is_some());
            assert!(ordered.remove(entry.key().hash(), entry).is_none());
        }
        let left: Vec<u64> = ordered.iter().map(|it| *it.value()).collect();
        assert_eq!(left, (0..20).map(|it| it * 50 + 7).collect::<Vec<_>>());
        assert!(ordered.nodes.len() <= 8 * left.len().max(KEPT));
        for number in left {
            let key = entries[number as usize].key().as_key();
            let found = ordered.get(&key).cloned().unwrap();
            assert_eq!(*found.value(), number);
            assert_eq!(*ordered.oldest().unwrap().value(), number);
            ordered.remove(key.hash(), &found);
        }
        assert!(ordered.oldest().is_none());
        assert!(ordered.nodes.len() <= KEPT);
    }
}
