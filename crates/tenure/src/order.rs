//! Entries by key, in the order in which they came: found, added and removed in constant time,
//! oldest first.

use hashbrown::HashTable;

use crate::bounds::Resource;
use crate::entry::Lease;
use crate::key::KeyRef;

const NONE: u32 = u32::MAX;

/// The entries of one cache.
pub(crate) struct Ordered<V: Resource> {
    table: HashTable<u32>,
    nodes: Vec<Node<V>>,
    oldest: u32,
    newest: u32,
    /// The first of the free nodes, linked through `next`.
    free: u32,
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
        }
    }
}

impl<V: Resource> Ordered<V> {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub(crate) fn get(&self, key: &KeyRef<'_>) -> Option<&Lease<V>> {
        let at = self
            .table
            .find(key.hash(), |&at| key.matches(self.entry(at).entry().key()))?;
        Some(self.entry(*at))
    }

    /// Adds an entry as the newest; the key must not be there.
    pub(crate) fn push(&mut self, entry: Lease<V>) {
        let hash = entry.entry().key().hash();
        let node = Node {
            entry: Some(entry),
            older: self.newest,
            newer: NONE,
        };
        let at = if self.free == NONE {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 entries")
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
        let node = &mut self.nodes[at as usize];
        node.newer = self.free;
        self.free = at;
        node.entry.take()
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
