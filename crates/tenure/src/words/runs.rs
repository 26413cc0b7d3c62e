//! Runs of a function's own code: what brought them about, how long they took, and what became of refreshes in the
//! background.

use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::sync::{Figure, Ordering};
use crate::words::histogram::{Histogram, Times};

/// What had a function run.
///
/// ```
/// assert_eq!(tenure::Trigger::ALL.map(|it| it.name()), ["miss", "refresh"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Trigger {
    /// A call that found no entry, or a warm-up.
    Miss,
    /// A refresh in the background.
    Refresh,
}

impl Trigger {
    /// Every trigger, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Miss, Self::Refresh];

    /// The trigger's name, as `info()` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Refresh => "refresh",
        }
    }
}

/// What became of a refresh in the background.
///
/// ```
/// assert_eq!(tenure::Refreshed::ALL.map(|it| it.name()), ["success", "error", "skipped"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refreshed {
    /// It gave a resource.
    Success,
    /// It failed, and the old resource stays for its time.
    Error,
    /// It was not begun, since no worker was free.
    Skipped,
}

impl Refreshed {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Success, Self::Error, Self::Skipped];

    /// The outcome's name, as `info()` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

/// How long a function's runs took, those that failed too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Runs {
    /// How long they took in all.
    pub time: Duration,
    /// How many of them took how long.
    pub times: Histogram,
}

impl Runs {
    pub(crate) fn add(&mut self, other: &Self) {
        self.time += other.time;
        self.times.add(&other.times);
    }
}

/// Runs that are counted.
#[derive(Default)]
pub(crate) struct RunCounter {
    nanos: Figure,
    times: Times,
}

impl RunCounter {
    pub(crate) fn count(&self, taken: Nanos) {
        self.nanos.fetch_add(taken, Ordering::Relaxed);
        self.times.count(taken);
    }

    pub(crate) fn read(&self) -> Runs {
        Runs {
            time: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
            times: self.times.read(),
        }
    }
}
