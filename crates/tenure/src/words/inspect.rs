//! Counts of what an engine has under way, for tests that look for leftovers.

/// Counts of what is under way. Not part of the interface.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Builds that have not landed.
    pub flights: usize,
    /// Builds that need another one.
    pub waits: usize,
    /// Caches that watch a deadline.
    pub expiries: usize,
    /// Sessions that a grace period keeps.
    pub endings: usize,
    /// Resources that are watched or lent beyond their end.
    pub drains: usize,
    /// Releases that have begun and whose callback has not returned, and checks likewise.
    pub releasing: u64,
    /// Armed jobs of the timer: those of the three above, and delayed spinners.
    pub jobs: usize,
    /// Nodes for entries, taken or free.
    pub nodes: usize,
    /// Tags that builds and entries carry by themselves.
    pub tags: usize,
    /// Marks of calls, in a fleet.
    pub marks: usize,
}
