//! The term of an entry: how old it may become, and what has come in between.

use crate::ground::clock::{NEVER, Nanos};
use crate::ground::sync::{Figure, Ordering};
use crate::words::settings::Settings;

/// What a hit has to do besides finding its entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Nothing.
    Timeless,
    /// Look at the clock.
    Timed,
    /// Look at the clock, and note the use.
    Noted,
}

impl Pace {
    pub(crate) fn of(settings: &Settings) -> Self {
        if settings.notes_use() {
            Self::Noted
        } else if settings.ttl.is_some() || settings.has_terms() {
            Self::Timed
        } else {
            Self::Timeless
        }
    }
}

/// The part of an entry's term that not all entries have.
pub(crate) struct Term {
    /// The maximum age.
    pub(in crate::life) lifetime: Nanos,
    /// When its age began.
    pub(in crate::life) since: Figure,
    /// When someone had it expire; `NEVER` where nobody has.
    pub(in crate::life) expired_at: Figure,
    /// Its last use is one of this term if it came after this.
    pub(in crate::life) used_from: Figure,
    /// Refreshes that failed in a row.
    pub(in crate::life) failures: Figure,
}

impl Term {
    pub(crate) fn new(lifetime: Nanos, since: Nanos) -> Self {
        Self {
            lifetime,
            since: Figure::new(since),
            expired_at: Figure::new(NEVER),
            used_from: Figure::new(NEVER),
            failures: Figure::new(0),
        }
    }

    /// The same term, in a child process.
    pub(in crate::life) fn handed_down(&self) -> Self {
        Self {
            since: Figure::new(read(&self.since)),
            expired_at: Figure::new(read(&self.expired_at)),
            ..Self::new(self.lifetime, 0)
        }
    }

    pub(in crate::life) fn fresh_until(&self) -> Nanos {
        let aged = read(&self.since).saturating_add(self.lifetime);
        aged.min(read(&self.expired_at))
    }
}

pub(in crate::life) fn read(figure: &Figure) -> u64 {
    figure.load(Ordering::Relaxed)
}
