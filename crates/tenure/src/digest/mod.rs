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

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
mod engine;
mod field;
mod path;
mod secret;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use stream::Hasher128;

use secret::SECRET;

/// Bytes in a block, the leaf of the tree.
const BLOCK: usize = 4096;

/// Bytes in a stripe. The elements of its first half are multiplied with those of its second.
const STRIPE: usize = 128;

/// Field elements in a block, and children of a node.
const FAN: usize = 256;

/// Levels of the tree, blocks included: enough for 2^64 bytes.
const LEVELS: usize = 8;

/// The digest of some bytes under the secret of this process: equal for equal bytes.
///
/// ```
/// use tenure::digest::keyed;
///
/// assert_eq!(keyed(b"a long argument"), keyed("a long argument".as_bytes()));
/// assert_ne!(keyed(b"a long argument"), keyed(b"another argument"));
/// ```
#[inline]
#[must_use]
pub fn keyed(bytes: &[u8]) -> u128 {
    let secret = &**SECRET;
    secret.path.digest(secret, bytes)
}

/// Random bits from the system, for secrets of the process.
pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    secret::fill(&mut bytes);
    u128::from_ne_bytes(bytes)
}
