//! The keyed digest of 128 bits that stands for long arguments in keys.
//!
//! It is a tree of inner products over the field of 2^128 elements, with independent random keys
//! on each level, all drawn from the system once per process. For any two different inputs,
//! chosen by someone who knows neither these keys nor a digest, the digests are equal with a
//! probability below 2^-124, whatever their lengths. `docs/design/0002-digest.md` has the
//! definition, the proof and the candidates that were declined; `0003-threat-model.md` says who
//! is kept out.
//!
//! Digests mean nothing outside this process, and none may leave it: the bound does not hold
//! against someone who sees them.

mod field;
mod secret;
mod stream;

pub use stream::Hasher128;

use field::Sum;
use secret::{SECRET, Secret};

/// Bytes in a block, the leaf of the tree.
const BLOCK: usize = 4096;

/// Bytes in a stripe. The elements of its first half are multiplied with those of its second.
const STRIPE: usize = 128;

/// Field elements in a block, and children of a node.
const FAN: usize = 256;

/// Levels of the tree: enough for 2^64 bytes.
const LEVELS: usize = 8;

/// The digest of some bytes under the secret of this process.
#[must_use]
pub fn keyed(bytes: &[u8]) -> u128 {
    digest(&SECRET, bytes)
}

/// Random bits from the system, for secrets of the process.
pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    secret::fill(&mut bytes);
    u128::from_ne_bytes(bytes)
}

fn digest(secret: &Secret, bytes: &[u8]) -> u128 {
    if bytes.len() <= BLOCK {
        return secret.close(block(secret, bytes), bytes.len() as u64);
    }
    let mut tree = stream::Tree::new();
    for piece in bytes.chunks(BLOCK) {
        tree.push(secret, block(secret, piece).reduce());
    }
    secret.close(tree.root(secret), bytes.len() as u64)
}

/// The sum over a block of at most [`BLOCK`] bytes, filled up with zeros to whole stripes.
fn block(secret: &Secret, bytes: &[u8]) -> Sum {
    let mut sum = Sum::default();
    for (stripe, keys) in bytes.chunks(STRIPE).zip(secret.keys[0].chunks_exact(STRIPE / 16)) {
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
