//! A keyed digest of 128 bits that stands for long data in the tables of one process.
//!
//! ```
//! use std::collections::HashMap;
//! use tenure_digest::{Hasher128, keyed};
//!
//! let report = "a long text ".repeat(10_000);
//! let seen = HashMap::from([(keyed(report.as_bytes()), "report")]);
//!
//! let mut pieces = Hasher128::new();
//! report.as_bytes().chunks(1_000).for_each(|piece| pieces.update(piece));
//! assert_eq!(seen.get(&pieces.finish()), Some(&"report"));
//! ```
//!
//! It is a tree of inner products over the field of 2^128 elements, with independent random keys
//! on each level, all drawn from the system once per process. [`DESIGN.md`] has the definition,
//! the proof, how it is computed, and the candidates that were declined.
//!
//! # What is promised
//!
//! - **Different inputs have different digests.** For any two, chosen by someone who knows neither
//!   the keys nor a digest, the digests are equal with a probability below 2^-124, whatever the
//!   lengths. That is a theorem about the random keys, and no assumption about the attacker's time.
//! - **Equal inputs have equal digests** in one process, however they are cut into pieces, wherever
//!   they lie, and whatever arithmetic the processor has.
//! - **A digest cannot be guessed**: each on its own is uniform, so no bytes that were written down
//!   beforehand are the digest of an input, but with a probability of 2^-128.
//! - **Every byte is read.** Nothing is sampled.
//!
//! # Against whom it does not hold
//!
//! Digests mean nothing outside this process, and none may leave it: not in a file, an answer, a log
//! or an error. A digest is linear in some of the keys, so whoever sees enough of them can work those
//! keys out. This is no cryptographic hash, no message authentication code, and nothing to derive
//! secrets from; BLAKE3 is. For the same reason a table should not find its places by bits of the
//! digest itself, which timing could tell, but by a keyed hash of it, as `HashMap` does. The
//! multiplications take the same time for all operands.
//!
//! Processes that are to digest alike are given their keys ([`seed`]) before they digest anything; the
//! digests mean nothing outside of these processes then, and still none may be seen by anyone else.
//!
//! A forked child has the keys of its parent. Two versions of this crate in one program have keys of
//! their own, so their digests are not to be compared.
//!
//! # Processors
//!
//! Carry-less multiplication does the work where the processor has it: PCLMULQDQ on x86-64, 32 or 64
//! bytes at a time with VPCLMULQDQ and AVX2 or AVX-512, and PMULL on 64-bit Arm. It is found out when
//! the keys are drawn. Everywhere else ordinary multiplication gives the same digests, many times
//! slower. The keys take 32 KiB.
//!
//! # Panics
//!
//! The first use panics if the system has no random bytes to give: a known secret would be worse
//! than none.
//!
//! [`DESIGN.md`]: https://github.com/tenure-rs/tenure/blob/main/crates/tenure-digest/DESIGN.md
#![deny(missing_docs, missing_debug_implementations)]

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
mod drawn;
mod engine;
mod field;
mod keyed;
mod path;
mod secret;
mod shape;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use drawn::{SEED_BYTES, SecretInUse, seed};
pub use keyed::keyed;
pub use secret::random;
pub use stream::Hasher128;
