//! The shape of the tree, which follows from the length of an input alone.

/// Bytes in a block, the leaf of the tree.
pub(crate) const BLOCK: usize = 4096;

/// Bytes in a stripe. The elements of its first half are multiplied with those of its second.
pub(crate) const STRIPE: usize = 128;

/// Field elements in a block, and children of a node.
pub(crate) const FAN: usize = 256;

/// Levels of the tree, blocks included: enough for 2^64 bytes.
pub(crate) const LEVELS: usize = 8;
