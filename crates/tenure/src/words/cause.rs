//! Why an entry ends.

use std::fmt;

/// Why an entry ended.
///
/// ```
/// use tenure::Cause;
///
/// assert_eq!(Cause::SessionEnded.to_string(), "session_ended");
/// assert!(Cause::ALL.contains(&Cause::Evicted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Cause {
    /// It had to make room: it was the oldest in a full cache, or, where entries have a weight, the one
    /// used longest ago.
    Evicted,
    /// Its `ttl` had passed.
    Expired,
    /// Someone cleared it.
    Cleared,
    /// `validate` turned it down, or its user discarded it.
    Invalid,
    /// A refresh built its successor.
    Replaced,
    /// The end of its scope: of its session, its event loop, its thread, or the value it was kept for.
    SessionEnded,
    /// The function was edited or its settings changed.
    Superseded,
    /// It became no entry: it was cleared, superseded, or its session ended, while it was being
    /// built, or `keep_if` turned it down.
    Orphaned,
    /// Nobody had asked for it for as long as `max_idle` says, and nobody held it.
    Idle,
    /// The process ends.
    Shutdown,
}

impl Cause {
    /// Every cause, in the order of their numbers.
    pub const ALL: &'static [Self] = &[
        Self::Evicted,
        Self::Expired,
        Self::Cleared,
        Self::Invalid,
        Self::Replaced,
        Self::SessionEnded,
        Self::Superseded,
        Self::Orphaned,
        Self::Idle,
        Self::Shutdown,
    ];

    /// The cause's name in snake case, as `info()` shows it.
    ///
    /// ```
    /// # use tenure::Cause;
    /// assert_eq!(Cause::Evicted.name(), "evicted");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Cleared => "cleared",
            Self::Invalid => "invalid",
            Self::Replaced => "replaced",
            Self::SessionEnded => "session_ended",
            Self::Superseded => "superseded",
            Self::Orphaned => "orphaned",
            Self::Idle => "idle",
            Self::Shutdown => "shutdown",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
