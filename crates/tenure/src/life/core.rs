//! The core of a function: the part that its caches, their entries and its calls have in common.

use std::time::Duration;

use crate::directory::{Leftover, Unreleased};
use crate::ground::clock::{Clock, Nanos};
use crate::ground::sync::{Arc, AtomicBool, Mutex};
use crate::ground::underway::Side;
use crate::life::circle::Reach;
use crate::life::hot::Hot;
use crate::life::services::Services;
use crate::words::behaviour::Behaviour;
use crate::words::bounds::Resource;
use crate::words::cause::Cause;
use crate::words::error::Interrupt;
use crate::words::info::Counters;
use crate::words::settings::{Scope, Settings, Spinner};

/// The part of a function that its caches, their entries and its calls have in common.
pub(crate) struct Core<V> {
    pub(crate) name: Arc<str>,
    pub(crate) settings: Settings,
    /// The maximum age of an entry.
    pub(crate) ttl: Nanos,
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
    pub(crate) fn drain(&self) -> Option<Duration> {
        self.settings.drain.or_else(|| self.services.config.drain())
    }
}

/// The content of an entry, when the last reference to it is gone.
pub(crate) struct Departed<V> {
    pub(crate) value: V,
    pub(crate) cause: Cause,
    pub(crate) built_at: Nanos,
    /// Where a shutdown waits for it until it is released, or drains.
    pub(crate) leaving: Option<Side>,
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
