//! What a call has come to, over all of its steps.

use std::time::Duration;

use crate::ground::clock::{Nanos, nanos};
use crate::life::core::Core;
use crate::words::miss::Miss;
use crate::words::tags::Tags;

/// What a call has come to so far, for a front door that takes it step by step. A new one for each
/// call.
#[derive(Debug, Default)]
pub struct Asked {
    /// Whether it was counted as a miss, or is not to be.
    missed: bool,
    began: Option<Nanos>,
    /// The tags that what it builds is to carry, once that has been said.
    tags: Option<Tags>,
}

impl Asked {
    /// A call that has said what tags it has.
    pub(crate) fn tagged(tags: Tags) -> Self {
        Self {
            tags: Some(tags),
            ..Self::default()
        }
    }

    /// What no caller asks for counts neither as a hit nor as a miss.
    pub(crate) fn by_nobody(tags: Tags) -> Self {
        Self {
            missed: true,
            ..Self::tagged(tags)
        }
    }

    pub(crate) fn carries(&mut self, tags: Tags) {
        self.tags = Some(tags);
    }

    pub(crate) fn tags(&self) -> Option<&Tags> {
        self.tags.as_ref()
    }

    /// Counts the call as a miss, once however often it has to look; its wait begins with that.
    pub(crate) fn misses<V>(&mut self, core: &Core<V>, reason: Miss) {
        if core.settings.build_timeout.is_some() {
            self.began.get_or_insert_with(|| core.clock.now());
        }
        if !std::mem::replace(&mut self.missed, true) {
            core.counters.missed(reason);
        }
    }

    pub(crate) fn is_miss(&self) -> bool {
        self.missed
    }

    /// Until when the call waits, and how long that is in all.
    pub(crate) fn until<V>(&mut self, core: &Core<V>) -> Option<(Nanos, Duration)> {
        let patience = core.settings.build_timeout?;
        let began = *self.began.get_or_insert_with(|| core.clock.now());
        Some((began.saturating_add(nanos(patience)), patience))
    }
}
