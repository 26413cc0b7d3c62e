//! Why a call was a miss.

use std::fmt;

use crate::words::cause::Cause;

/// Why a call found no entry that it could have.
///
/// ```
/// use tenure::{Cause, Miss};
///
/// assert_eq!(Miss::Absent.name(), "absent");
/// assert_eq!(Miss::Ended(Cause::Expired).name(), "expired");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Miss {
    /// Nothing was kept for its arguments, as far as the cache remembers: it knows the last 256 calls whose entries
    /// have ended.
    Absent,
    /// Another call was building it.
    Building,
    /// What was kept is stale: it is there only for the case that its successor cannot be built.
    Stale,
    /// What was kept may not be current, and could not be asked after: the process is cut off from its
    /// [fleet](crate::fleet).
    Apart,
    /// What was kept had ended.
    Ended(Cause),
}

/// The reasons that are no end.
const OTHERS: usize = 4;

/// How many reasons there are.
pub(crate) const MISSES: usize = OTHERS + Cause::ALL.len();

impl Miss {
    /// Every reason, in the order of their numbers.
    ///
    /// ```
    /// # use tenure::Miss;
    /// assert!(Miss::all().any(|reason| reason.name() == "superseded"));
    /// ```
    pub fn all() -> impl Iterator<Item = Self> {
        let ends = Cause::ALL.iter().map(|&cause| Self::Ended(cause));
        [Self::Absent, Self::Building, Self::Stale, Self::Apart]
            .into_iter()
            .chain(ends)
    }

    pub(crate) fn number(self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Building => 1,
            Self::Stale => 2,
            Self::Apart => 3,
            Self::Ended(cause) => OTHERS + cause as usize,
        }
    }

    /// The reason's name in snake case: of an end the name of its cause.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Building => "building",
            Self::Stale => "stale",
            Self::Apart => "apart",
            Self::Ended(cause) => cause.name(),
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn v1_the_reasons_are_numbered_in_their_order_and_named_apart() {
        let numbers: Vec<_> = Miss::all().map(Miss::number).collect();
        assert_eq!(numbers, (0..MISSES).collect::<Vec<_>>());
        let names: std::collections::BTreeSet<_> = Miss::all().map(Miss::name).collect();
        assert_eq!(names.len(), MISSES);
    }
}
