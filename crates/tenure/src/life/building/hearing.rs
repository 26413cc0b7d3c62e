//! How many are to hear how a flight ends, in one number.

use crate::ground::sync::{AtomicU64, Ordering};

/// The flight has failed.
const FAILED: u64 = 1 << 63;
/// Somebody has got the failure.
const HEARD: u64 = 1 << 62;

/// How many are to hear how a flight ends, and whether somebody has heard that it failed.
pub(crate) struct Hearing(AtomicU64);

impl Hearing {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn begins(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn heard(&self) {
        self.0.fetch_or(HEARD, Ordering::Relaxed);
    }

    /// The flight has failed, and its leader is told or not. Whether nobody hears of it.
    pub(crate) fn fails(&self, leader_hears: bool) -> bool {
        let told = if leader_hears { HEARD } else { 0 };
        (self.0.fetch_or(FAILED | told, Ordering::AcqRel) | told) == 0
    }

    /// One of them leaves. Whether nobody has heard of a failure.
    pub(crate) fn leaves(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == (FAILED | 1)
    }
}
