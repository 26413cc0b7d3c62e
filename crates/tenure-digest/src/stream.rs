//! The digest of an input that comes in pieces.

use std::fmt;

use crate::drawn::in_use;
use crate::engine::{Engine, Tree, close};
use crate::path::{Path, dispatch};
use crate::secret::Secret;
use crate::shape::BLOCK;

/// The digest of an input that comes in pieces: equal to [`keyed`](crate::keyed()) of the whole,
/// wherever it was cut.
///
/// ```
/// use tenure_digest::{Hasher128, keyed};
///
/// let mut hasher = Hasher128::new();
/// for piece in ["what comes ", "in ", "pieces"] {
///     hasher.update(piece.as_bytes());
/// }
/// assert_eq!(hasher.finish(), keyed(b"what comes in pieces"));
/// ```
#[derive(Clone)]
pub struct Hasher128 {
    tree: Tree,
    /// The last bytes that came: a block is added only when it is known that more follow.
    rest: Vec<u8>,
    len: u64,
}

impl Hasher128 {
    /// A digest of nothing yet.
    ///
    /// ```
    /// # use tenure_digest::Hasher128;
    /// assert_eq!(Hasher128::new().finish(), tenure_digest::keyed(b""));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            tree: Tree::new(),
            rest: Vec::new(),
            len: 0,
        }
    }

    /// Adds the next piece.
    ///
    /// ```
    /// # use tenure_digest::Hasher128;
    /// let mut one = Hasher128::new();
    /// one.update(b"abcd");
    /// let mut two = Hasher128::new();
    /// two.update(b"a");
    /// two.update(b"bcd");
    /// assert_eq!(one.finish(), two.finish()); // where it is cut does not count
    /// ```
    pub fn update(&mut self, bytes: &[u8]) {
        let drawn = in_use();
        self.update_on(drawn.path, &drawn.secret, bytes);
    }

    /// The digest of all pieces together. A clone can go on.
    ///
    /// ```
    /// # use tenure_digest::Hasher128;
    /// let mut hasher = Hasher128::new();
    /// hasher.update(b"head");
    /// let head = hasher.clone().finish();
    /// hasher.update(b" and tail");
    /// assert_ne!(hasher.finish(), head);
    /// ```
    #[must_use]
    pub fn finish(self) -> u128 {
        let drawn = in_use();
        self.finish_on(drawn.path, &drawn.secret)
    }

    pub(crate) fn update_on(&mut self, path: Path, secret: &Secret, bytes: &[u8]) {
        dispatch!(path, engine => self.update_with(engine, secret, bytes));
    }

    pub(crate) fn finish_on(self, path: Path, secret: &Secret) -> u128 {
        dispatch!(path, engine => self.finish_with(engine, secret))
    }

    fn update_with<E: Engine>(&mut self, engine: E, secret: &Secret, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(BLOCK - self.rest.len()));
            self.rest.extend_from_slice(head);
            bytes = tail;
            if bytes.is_empty() {
                return;
            }
            engine.grow(secret, &mut self.tree, &self.rest);
            self.rest.clear();
        }
        let (blocks, rest) = bytes.split_at(bytes.len().saturating_sub(1) / BLOCK * BLOCK);
        engine.grow(secret, &mut self.tree, blocks);
        self.rest.extend_from_slice(rest);
    }

    fn finish_with<E: Engine>(mut self, engine: E, secret: &Secret) -> u128 {
        if self.len <= BLOCK as u64 {
            return engine.digest(secret, &self.rest);
        }
        engine.grow(secret, &mut self.tree, &self.rest);
        let root = self.tree.root(engine, secret);
        close(engine, secret, root, self.len)
    }
}

impl Default for Hasher128 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher128")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
