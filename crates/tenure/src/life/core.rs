//! The core of a function: the part that its caches, their entries and its calls have in common.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::directory::{Leftover, Unreleased};
use crate::ground::clock::{Clock, Nanos};
use crate::ground::sync::{Arc, AtomicBool, Mutex};
use crate::ground::underway::Side;
use crate::life::aging::term::Pace;
use crate::life::circle::Reach;
use crate::life::hot::Hot;
use crate::life::services::Services;
use crate::life::timeline::Noted;
use crate::words::behaviour::{Behaviour, Holding};
use crate::words::bounds::Resource;
use crate::words::cause::Cause;
use crate::words::error::Interrupt;
use crate::words::fleet::KnownAs;
use crate::words::info::Counters;
use crate::words::listing::Happened;
use crate::words::settings::{Scope, Settings, Spinner};

/// The part of a function that its caches, their entries and its calls have in common.
pub(crate) struct Core<V> {
    pub(crate) name: Arc<str>,
    /// Its number among all functions of the engine.
    pub(crate) number: u64,
    pub(crate) settings: Settings,
    /// The maximum age of an entry, where it has none of its own.
    pub(crate) ttl: Nanos,
    /// What a hit has to do besides finding its entry.
    pub(crate) pace: Pace,
    pub(crate) behaviour: Box<dyn Behaviour<V>>,
    /// Takes what an entry held, when the last reference to it is gone. The way out asks for a
    /// resource, and a lease, whose drop may be that last one, has no bounds.
    pub(crate) leave: fn(Departed<V>, &Arc<Self>),
    pub(crate) services: Arc<Services>,
    /// The engine's clock, near at hand.
    pub(crate) clock: Clock,
    pub(crate) counters: Arc<Counters>,
    /// The entries of the global cache that are asked for most.
    pub(crate) hot: Hot,
    /// What the members of a fleet call it, where they share what it keeps.
    pub(crate) known_as: Option<KnownAs>,
    /// Whether it was said that builds for more than one session are built on what it keeps for one.
    pub(crate) told_of_sharing: AtomicBool,
    /// The looks of a build; they may change without a new cache.
    pub(crate) looks: Mutex<Looks>,
}

/// The text and the time that the host shows while a build runs.
#[derive(Clone)]
pub(crate) struct Looks {
    pub(crate) spinner: Spinner,
    pub(crate) show_time: bool,
}

impl<V> Core<V> {
    /// Whether each entry has a time of its own to be looked at. Elsewhere they grow old in the order in
    /// which they came, if at all.
    pub(crate) fn looks_at_each(&self) -> bool {
        self.settings.max_idle.is_some() || self.settings.has_terms()
    }

    /// Notes what has happened now to the resource that was built at this time, or to none.
    pub(crate) fn note(&self, now: Nanos, built_at: Option<Nanos>, what: Happened) {
        // A thread that is not in this process may hold the lock.
        if self.services.is_abandoned() {
            return;
        }
        self.services.timeline.note(Noted {
            at: now,
            function: self.number,
            name: Arc::clone(&self.name),
            entry: built_at,
            what,
        });
    }

    pub(crate) fn drain(&self) -> Option<Duration> {
        self.settings.drain.or_else(|| self.services.config.drain())
    }
}

/// The content of an entry, when the last reference to it is gone.
pub(crate) struct Departed<V> {
    pub(crate) value: V,
    pub(crate) cause: Cause,
    pub(crate) built_at: Nanos,
    pub(crate) weight: u64,
    /// Where a shutdown waits for it until it is released, or drains.
    pub(crate) leaving: Option<Side>,
    /// Whether a parent process releases it.
    pub(crate) inherited: bool,
}

impl<V: Resource> Core<V> {
    /// Who shares what the function keeps.
    pub(crate) fn reach(&self) -> Reach {
        match self.settings.scope {
            Scope::Session => Reach::Session,
            Scope::Custom if self.behaviour.scope_is_of_callers() => Reach::Callers,
            Scope::Global | Scope::Custom => Reach::All,
        }
    }

    /// Whether a resource may be handed out; asked where the settings say that it is to be.
    pub(crate) fn is_valid(&self, value: &V) -> Result<bool, Interrupt> {
        // A shutdown waits for the check, since it cannot release what is being checked.
        let _under_way = self.services.under_way.begin();
        self.behaviour.validate(value)
    }

    /// Whether someone uses a resource in a way that leases do not tell.
    pub(crate) fn is_held(&self, value: &V) -> bool {
        if self.behaviour.holding() == Holding::Leases {
            return false;
        }
        self.look(|behaviour| behaviour.in_use(value) || behaviour.is_claimed(value))
    }

    /// Asks for the users of a resource. A look that fails must not keep it for ever.
    pub(crate) fn look(&self, ask: impl FnOnce(&dyn Behaviour<V>) -> bool) -> bool {
        catch_unwind(AssertUnwindSafe(|| ask(&*self.behaviour))).unwrap_or_else(|_| {
            tracing::error!(function = %self.name, "the look for its users panicked");
            false
        })
    }

    pub(crate) fn unreleased_beside(&self, live: impl FnOnce() -> u64) -> Unreleased {
        let mut held = 0;
        let leased = self.counters.unreleased(|| {
            held = live();
            held
        });
        Unreleased {
            function: Arc::clone(&self.name),
            held,
            leased,
            releasing: self.counters.releasing(),
        }
    }
}

/// The core stays when its function has gone, for what somebody still leases.
impl<V: Resource> Leftover for Core<V> {
    fn unreleased(&self) -> Unreleased {
        self.unreleased_beside(|| 0)
    }
}
