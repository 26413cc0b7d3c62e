//! The secret of the digest, drawn once per process.

use std::sync::LazyLock;

use super::field::{self, Sum};
use super::{FAN, LEVELS};

/// Independent random keys: one set for each level of the tree, and two for the end.
#[repr(C, align(64))]
pub(super) struct Secret {
    pub(super) keys: [[u128; FAN]; LEVELS],
    length: u128,
    mask: u128,
}

pub(super) static SECRET: LazyLock<Box<Secret>> = LazyLock::new(Secret::draw);

impl Secret {
    fn draw() -> Box<Self> {
        let mut bytes = vec![0; size_of::<u128>() * (FAN * LEVELS + 2)];
        fill(&mut bytes);
        Self::from_bytes(&bytes)
    }

    /// The secret that these bytes make. They must be enough.
    pub(super) fn from_bytes(bytes: &[u8]) -> Box<Self> {
        let (words, _) = bytes.as_chunks::<16>();
        let mut words = words.iter().map(|word| u128::from_le_bytes(*word));
        let mut next = || words.next().expect("as many bytes as the secret has");
        let mut secret = Box::new(Self { keys: [[0; FAN]; LEVELS], length: 0, mask: 0 });
        secret.keys.iter_mut().flatten().for_each(|key| *key = next());
        secret.length = next();
        secret.mask = next();
        secret
    }

    /// The digest of an input of `len` bytes whose root is `sum`.
    #[inline]
    pub(super) fn close(&self, mut sum: Sum, len: u64) -> u128 {
        sum ^= field::multiply(self.length, u128::from(len));
        sum.reduce() ^ self.mask
    }
}

/// Fills a secret with random bytes from the system.
///
/// # Panics
///
/// If the system has none to give: a cache without secrets would not keep users apart.
pub(super) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives random bytes");
}
