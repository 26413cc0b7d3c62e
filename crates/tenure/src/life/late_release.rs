//! Releases that go on after the callback that began them has returned: on an event loop, say.

use std::fmt;

use crate::ground::sync::Arc;
use crate::life::async_release::{AsyncReleases, Pends, Place};
use crate::words::info::Counters;

/// The way to tell that a release goes on after
/// [`Behaviour::release_or_begin`](crate::Behaviour::release_or_begin) has returned.
pub struct Later<'a> {
    pub(crate) function: &'a Arc<str>,
    pub(crate) releases: &'a Arc<AsyncReleases>,
    pub(crate) counters: &'a Arc<Counters>,
}

impl fmt::Debug for Later<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Later")
            .field("function", self.function)
            .finish_non_exhaustive()
    }
}

impl Later<'_> {
    /// The release goes on until what this gives is dropped; a shutdown waits for it.
    #[must_use]
    pub fn begin(&self) -> LateRelease {
        LateRelease {
            counters: Arc::clone(self.counters),
            _pends: Pends::new(self.releases, self.function, Place::FrontDoor),
        }
    }
}

/// A release that goes on; from [`Later::begin`].
pub struct LateRelease {
    counters: Arc<Counters>,
    _pends: Pends,
}

impl fmt::Debug for LateRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LateRelease")
    }
}

impl LateRelease {
    /// It has failed, and the front door has logged that.
    pub fn failed(self) {
        self.counters.release_failed();
    }
}
