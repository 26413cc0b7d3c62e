//! What is asked of a resource before it becomes an entry: whether it is kept, how heavy it is, and how
//! long it lives.

use std::time::Duration;

use crate::ground::clock::{NEVER, Nanos, nanos};
use crate::life::aging::budget::Room;
use crate::life::aging::term::Term;
use crate::life::core::Core;
use crate::words::bounds::Resource;
use crate::words::error::Interrupt;

/// The answers of a resource that is to become an entry.
#[derive(Clone, Copy)]
pub(crate) struct Admission {
    pub(crate) keeps: bool,
    pub(crate) weight: u64,
    lifetime: Nanos,
}

impl Admission {
    /// Asks what a build has given. That runs code of the program.
    pub(crate) fn of_built<V: Resource>(core: &Core<V>, value: &V) -> Result<Self, Interrupt> {
        let keeps = core.behaviour.keeps(value)?;
        Self::of(core, value, keeps)
    }

    /// Asks what is put in by hand, which is meant to be kept.
    pub(crate) fn of_given<V: Resource>(core: &Core<V>, value: &V) -> Result<Self, Interrupt> {
        Self::of(core, value, true)
    }

    fn of<V: Resource>(core: &Core<V>, value: &V, mut keeps: bool) -> Result<Self, Interrupt> {
        let settings = &core.settings;
        let weight = if settings.weighs {
            core.behaviour.weight(value)?
        } else {
            0
        };
        let budget = core.services.config.max_weight();
        let most = settings.max_weight.unwrap_or(u64::MAX).min(budget);
        if weight > most {
            keeps = false;
            tracing::warn!(
                function = %core.name,
                weight,
                max_weight = most,
                "handed out and not kept: it is heavier than all that may be kept"
            );
        }
        let own = if settings.own_ttl {
            Some(core.behaviour.ttl(value)?)
        } else {
            None
        };
        let lifetime = match own {
            None => core.ttl,
            Some(None) => NEVER,
            // It is too old already; those who waited for it have it all the same.
            Some(Some(Duration::ZERO)) => {
                keeps = false;
                NEVER
            }
            Some(Some(ttl)) => nanos(ttl),
        };
        Ok(Self {
            keeps,
            weight,
            lifetime,
        })
    }

    /// The term of the entry, where it has one.
    pub(in crate::life) fn term<V>(&self, core: &Core<V>, built_at: Nanos) -> Option<Term> {
        let has_term = core.settings.has_terms();
        has_term.then(|| Term::new(self.lifetime, built_at))
    }
}

impl<V> Core<V> {
    /// Makes room within the budget for all functions, where there is one and the function has a part in
    /// it. The caller has begun a release and holds no lock.
    pub(in crate::life) fn make_room(&self, weight: u64) -> Option<Room<'_>> {
        let most = self.services.config.max_weight();
        (self.settings.weighs && most != u64::MAX)
            .then(|| self.services.budget.make_room(weight, most))
    }
}
