//! Whether other processes are to write the keys of equal arguments alike, as members of a fleet do.

use std::sync::atomic::{AtomicBool, Ordering};

static ON: AtomicBool = AtomicBool::new(false);

/// Other processes write alike from now on. What was written before may have been written otherwise: such an
/// entry is not found again.
pub(crate) fn begin() {
    ON.store(true, Ordering::Relaxed);
}

#[inline]
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}
