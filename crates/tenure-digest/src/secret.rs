//! The secret of the digest, drawn once per process.

use std::sync::LazyLock;

use crate::path::Path;
use crate::shape::{FAN, LEVELS};

/// Independent random keys: one set for each level of the tree, and two for the end.
#[repr(C, align(64))]
pub(crate) struct Secret {
    pub(crate) keys: [[u128; FAN]; LEVELS],
    pub(crate) length: u128,
    pub(crate) mask: u128,
    pub(crate) path: Path,
}

pub(crate) static SECRET: LazyLock<Box<Secret>> = LazyLock::new(|| {
    let mut bytes = vec![0; Secret::BYTES];
    fill(&mut bytes);
    let path = Path::available().next().expect("one needs nothing");
    Secret::from_bytes(&bytes, path)
});

impl Secret {
    /// How many random bytes a secret is made of.
    pub(crate) const BYTES: usize = size_of::<u128>() * (FAN * LEVELS + 2);

    /// The secret that [`Secret::BYTES`] bytes make.
    pub(crate) fn from_bytes(bytes: &[u8], path: Path) -> Box<Self> {
        let (words, _) = bytes.as_chunks::<16>();
        let mut words = words.iter().map(|word| u128::from_le_bytes(*word));
        let mut next = || words.next().expect("as many bytes as the secret has");
        let mut secret = Box::new(Self {
            keys: [[0; FAN]; LEVELS],
            length: 0,
            mask: 0,
            path,
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
