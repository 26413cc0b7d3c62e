//! The digest over any arithmetic: the tree is the same whatever multiplies.

use crate::field::{self, Sum};
use crate::secret::Secret;
use crate::shape::{BLOCK, FAN, LEVELS, STRIPE};

/// The arithmetic of a digest, with the whole digest compiled for it.
///
/// The first three are the parts that differ. The last two run the generic functions below where
/// the processor's features are known, so that all parts are inlined into one.
pub(crate) trait Engine: Copy {
    /// The sum over a block of at most [`BLOCK`] bytes, filled up with zeros to whole stripes.
    fn block(self, keys: &[u128; FAN], bytes: &[u8]) -> Sum;

    /// The product of two elements, not reduced.
    fn multiply(self, a: u128, b: u128) -> Sum;

    /// The element that a sum is.
    fn reduce(self, sum: Sum) -> u128;

    /// [`digest`] for this arithmetic.
    fn digest(self, secret: &Secret, bytes: &[u8]) -> u128;

    /// [`grow`] for this arithmetic.
    fn grow(self, secret: &Secret, tree: &mut Tree, blocks: &[u8]);
}

/// The right edge of a tree under construction: on each level, the node that is not full yet.
#[derive(Clone)]
pub(crate) struct Tree {
    sums: [Sum; LEVELS],
    counts: [usize; LEVELS],
    /// The highest level that has a node.
    top: usize,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self {
            sums: [Sum::default(); LEVELS],
            counts: [0; LEVELS],
            top: 0,
        }
    }

    /// Adds the value of the next block.
    #[inline(always)]
    pub(crate) fn push<E: Engine>(&mut self, engine: E, secret: &Secret, value: u128) {
        self.push_at(1, engine, secret, value);
    }

    /// Adds a value on a level. A node that becomes full is closed and moves up.
    #[inline(always)]
    fn push_at<E: Engine>(
        &mut self,
        mut level: usize,
        engine: E,
        secret: &Secret,
        mut value: u128,
    ) {
        loop {
            let (sum, count) = (&mut self.sums[level], &mut self.counts[level]);
            *sum ^= engine.multiply(secret.keys[level][*count], value);
            *count += 1;
            self.top = self.top.max(level);
            if *count < FAN {
                return;
            }
            value = engine.reduce(std::mem::take(sum));
            *count = 0;
            level += 1;
        }
    }

    /// The sum of the highest node, when all nodes below it have been closed.
    #[inline(always)]
    pub(crate) fn root<E: Engine>(mut self, engine: E, secret: &Secret) -> Sum {
        let mut level = 1;
        while level < self.top {
            if self.counts[level] > 0 {
                let value = engine.reduce(self.sums[level]);
                self.push_at(level + 1, engine, secret, value);
            }
            level += 1;
        }
        self.sums[self.top]
    }
}

/// The digest of an input that is all there.
#[inline(always)]
pub(crate) fn digest<E: Engine>(engine: E, secret: &Secret, bytes: &[u8]) -> u128 {
    let sum = if bytes.len() <= BLOCK {
        engine.block(&secret.keys[0], bytes)
    } else {
        let mut tree = Tree::new();
        grow(engine, secret, &mut tree, bytes);
        tree.root(engine, secret)
    };
    close(engine, secret, sum, bytes.len() as u64)
}

/// Adds blocks to a tree; only the last of an input may be shorter than [`BLOCK`].
#[inline(always)]
pub(crate) fn grow<E: Engine>(engine: E, secret: &Secret, tree: &mut Tree, blocks: &[u8]) {
    for bytes in blocks.chunks(BLOCK) {
        let sum = engine.block(&secret.keys[0], bytes);
        tree.push(engine, secret, engine.reduce(sum));
    }
}

/// The digest of an input of `len` bytes whose root is `sum`.
#[inline(always)]
pub(crate) fn close<E: Engine>(engine: E, secret: &Secret, mut sum: Sum, len: u64) -> u128 {
    sum ^= engine.multiply(secret.length, u128::from(len));
    engine.reduce(sum) ^ secret.mask
}

/// Writes out [`Engine`] for a type whose values prove that the processor has some features.
///
/// The functions `multiply` and `reduce` in scope and the one named for blocks need no more than
/// these features.
macro_rules! native_engine {
    ($engine:ident, $features:literal, $block:ident) => {
        impl crate::engine::Engine for $engine {
            #[inline(always)]
            fn block(self, keys: &[u128; FAN], bytes: &[u8]) -> Sum {
                // SAFETY: `self` proves the features.
                unsafe { $block(keys, bytes) }
            }

            #[inline(always)]
            fn multiply(self, a: u128, b: u128) -> Sum {
                // SAFETY: `self` proves the features.
                unsafe { multiply(a, b) }
            }

            #[inline(always)]
            fn reduce(self, sum: Sum) -> u128 {
                // SAFETY: `self` proves the features.
                unsafe { reduce(sum) }
            }

            #[inline]
            fn digest(self, secret: &crate::secret::Secret, bytes: &[u8]) -> u128 {
                #[target_feature(enable = $features)]
                fn run(engine: $engine, secret: &crate::secret::Secret, bytes: &[u8]) -> u128 {
                    crate::engine::digest(engine, secret, bytes)
                }
                // SAFETY: `self` proves the features.
                unsafe { run(self, secret, bytes) }
            }

            fn grow(
                self,
                secret: &crate::secret::Secret,
                tree: &mut crate::engine::Tree,
                blocks: &[u8],
            ) {
                #[target_feature(enable = $features)]
                fn run(
                    engine: $engine,
                    secret: &crate::secret::Secret,
                    tree: &mut crate::engine::Tree,
                    blocks: &[u8],
                ) {
                    crate::engine::grow(engine, secret, tree, blocks);
                }
                // SAFETY: `self` proves the features.
                unsafe { run(self, secret, tree, blocks) }
            }
        }
    };
}
pub(crate) use native_engine;

/// Arithmetic without help from the processor.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Engine for Portable {
    fn block(self, keys: &[u128; FAN], bytes: &[u8]) -> Sum {
        let mut sum = Sum::default();
        for (stripe, keys) in bytes.chunks(STRIPE).zip(keys.chunks_exact(STRIPE / 16)) {
            let mut padded = [0; STRIPE];
            padded[..stripe.len()].copy_from_slice(stripe);
            let (elements, _) = padded.as_chunks::<16>();
            for i in 0..4 {
                let a = u128::from_le_bytes(elements[i]) ^ keys[i];
                let b = u128::from_le_bytes(elements[i + 4]) ^ keys[i + 4];
                sum ^= field::multiply(a, b);
            }
        }
        sum
    }

    fn multiply(self, a: u128, b: u128) -> Sum {
        field::multiply(a, b)
    }

    fn reduce(self, sum: Sum) -> u128 {
        sum.reduce()
    }

    fn digest(self, secret: &Secret, bytes: &[u8]) -> u128 {
        digest(self, secret, bytes)
    }

    fn grow(self, secret: &Secret, tree: &mut Tree, blocks: &[u8]) {
        grow(self, secret, tree, blocks);
    }
}
