//! The secret of the digest, and random bits from the system.

use crate::shape::{FAN, LEVELS};

/// Independent random keys: one set for each level of the tree, and two for the end.
#[repr(C, align(64))]
pub(crate) struct Secret {
    pub(crate) keys: [[u128; FAN]; LEVELS],
    pub(crate) length: u128,
    pub(crate) mask: u128,
}

impl Secret {
    /// How many random bytes a secret is made of.
    pub(crate) const BYTES: usize = size_of::<u128>() * (FAN * LEVELS + 2);

    /// A secret that nobody knows.
    ///
    /// # Panics
    ///
    /// As [`fill`].
    pub(crate) fn draw() -> Box<Self> {
        let mut bytes = vec![0; Self::BYTES];
        fill(&mut bytes);
        Self::from_bytes(&bytes)
    }

    /// Whether it is the same as another one. Takes the same time wherever they differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let keys = self.keys.iter().flatten().zip(other.keys.iter().flatten());
        let differing = keys.fold(0, |all, (one, other)| all | (one ^ other));
        differing | (self.length ^ other.length) | (self.mask ^ other.mask) == 0
    }

    /// The secret that [`Secret::BYTES`] bytes make.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Box<Self> {
        let (words, _) = bytes.as_chunks::<16>();
        let mut words = words.iter().map(|word| u128::from_le_bytes(*word));
        let mut next = || words.next().expect("as many bytes as the secret has");
        let mut secret = Box::new(Self {
            keys: [[0; FAN]; LEVELS],
            length: 0,
            mask: 0,
        });
        for key in secret.keys.iter_mut().flatten() {
            *key = next();
        }
        secret.length = next();
        secret.mask = next();
        secret
    }
}

/// 128 random bits from the system, for another secret of the process.
///
/// ```
/// use tenure_digest::random;
///
/// assert_ne!(random(), random()); // but with a probability of 2^-128
/// ```
///
/// # Panics
///
/// If the system has none to give.
#[must_use]
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    u128::from_ne_bytes(bytes)
}

/// Fills a secret with random bytes from the system.
///
/// # Panics
///
/// If the system has none to give: without secrets, different inputs could not be kept apart.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives random bytes");
}
