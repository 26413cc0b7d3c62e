//! The tree of a digest, built from the left, and the digest of an input that comes in pieces.

use super::field::{self, Sum};
use super::secret::{SECRET, Secret};
use super::{BLOCK, FAN, LEVELS, block};

/// The right edge of a tree under construction: on each level, the node that is not full yet.
pub(super) struct Tree {
    sums: [Sum; LEVELS],
    counts: [usize; LEVELS],
    /// The highest level that has a node.
    top: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { sums: [Sum::default(); LEVELS], counts: [0; LEVELS], top: 0 }
    }

    /// Adds the value of the next block.
    #[inline]
    pub(super) fn push(&mut self, secret: &Secret, value: u128) {
        self.push_at(1, secret, value);
    }

    fn push_at(&mut self, mut level: usize, secret: &Secret, mut value: u128) {
        loop {
            let (sum, count) = (&mut self.sums[level], &mut self.counts[level]);
            *sum ^= field::multiply(secret.keys[level][*count], value);
            *count += 1;
            self.top = self.top.max(level);
            if *count < FAN {
                return;
            }
            value = std::mem::take(sum).reduce();
            *count = 0;
            level += 1;
        }
    }

    /// The sum of the highest node, when all nodes below have been closed.
    pub(super) fn root(mut self, secret: &Secret) -> Sum {
        let mut level = 1;
        while level < self.top {
            if self.counts[level] > 0 {
                let value = std::mem::take(&mut self.sums[level]).reduce();
                self.counts[level] = 0;
                self.push_at(level + 1, secret, value);
            }
            level += 1;
        }
        self.sums[self.top]
    }
}

/// The digest of an input that comes in pieces: equal to [`keyed`](super::keyed) of the whole,
/// wherever it was cut.
pub struct Hasher128 {
    tree: Tree,
    /// The last bytes that came: a block is added only when it is known that more follow.
    rest: Vec<u8>,
    len: u64,
}

impl Hasher128 {
    /// A digest of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { tree: Tree::new(), rest: Vec::new(), len: 0 }
    }

    /// Adds the next piece.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let secret = &**SECRET;
        self.len += bytes.len() as u64;
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(BLOCK - self.rest.len()));
            self.rest.extend_from_slice(head);
            bytes = tail;
            if bytes.is_empty() {
                return;
            }
            self.tree.push(secret, block(secret, &self.rest).reduce());
            self.rest.clear();
        }
        while bytes.len() > BLOCK {
            let (head, tail) = bytes.split_at(BLOCK);
            self.tree.push(secret, block(secret, head).reduce());
            bytes = tail;
        }
        self.rest.extend_from_slice(bytes);
    }

    /// The digest of all pieces together.
    #[must_use]
    pub fn finish(self) -> u128 {
        let secret = &**SECRET;
        let last = block(secret, &self.rest);
        if self.len <= BLOCK as u64 {
            return secret.close(last, self.len);
        }
        let mut tree = self.tree;
        tree.push(secret, last.reduce());
        secret.close(tree.root(secret), self.len)
    }
}

impl Default for Hasher128 {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Hasher128 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher128").field("len", &self.len).finish_non_exhaustive()
    }
}
