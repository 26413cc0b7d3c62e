//! The age of an entry: whether it is fresh, stale or gone, when that changes, and when somebody has to look.
//!
//! An entry is *fresh* until its age or an `expire` ends that, may be handed out as *stale* for as
//! long as `max_stale` says, and is *gone* after that, which its cache then sees to. A call compares
//! one number with the clock, the time at which the entry is *due*: until then there is nothing to
//! decide. When something is decided (a refresh has begun, or failed and pauses), that time moves.
//!
//! Invariants
//! 1. What is gone is due: no call gets it without a look, and no look hands it out.
//! 2. `due`, `since` and `expired_at` are written under the lock of the entry's cache.
//! 3. The use of an entry is noted without a lock. Of two that are noted at once one may be lost, and
//!    the other one stands.

use crate::ground::clock::{NEVER, Nanos, nanos};
use crate::ground::sync::Ordering;
use crate::life::aging::term::{Pace, read};
use crate::life::core::Core;
use crate::life::entry::Entry;
use crate::words::settings::Refresh;

/// The first pause after a refresh that failed, and the longest.
const FIRST_PAUSE: Nanos = 1_000_000_000;
const LAST_PAUSE: Nanos = 60_000_000_000;

/// An entry of a function refreshed ahead is due when this part of its age is left.
const AHEAD: Nanos = 10;

impl<V> Core<V> {
    /// For how long an entry with this maximum age may be handed out once it is stale.
    fn stale_for(&self, lifetime: Nanos) -> Nanos {
        match self.settings.max_stale {
            Some(most) => nanos(most),
            None if self.settings.refresh == Refresh::Foreground => 0,
            None => lifetime,
        }
    }

    /// How long before it is stale an entry is due.
    fn lead(&self, lifetime: Nanos) -> Nanos {
        match self.settings.refresh_before {
            Some(before) => nanos(before),
            None if self.settings.refresh == Refresh::Ahead && lifetime != NEVER => {
                lifetime / AHEAD
            }
            None => 0,
        }
    }
}

impl<V> Entry<V> {
    fn lifetime(&self) -> Nanos {
        self.term().map_or(self.core().ttl, |term| term.lifetime)
    }

    fn fresh_until(&self) -> Nanos {
        match self.term() {
            None => self.built_at().saturating_add(self.core().ttl),
            Some(term) => term.fresh_until(),
        }
    }

    /// From when on it is not handed out any more.
    pub(crate) fn gone_at(&self) -> Nanos {
        let stale_for = self.core().stale_for(self.lifetime());
        self.fresh_until().saturating_add(stale_for)
    }

    /// Whether its time is over, whether or not its successor is being built.
    pub(crate) fn is_stale(&self) -> bool {
        self.core().pace != Pace::Timeless && self.core().clock.has_come(self.fresh_until())
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.core().pace != Pace::Timeless && self.core().clock.has_come(self.gone_at())
    }

    /// Its term begins: it has just been built.
    pub(in crate::life) fn begin(&self) {
        if let Some(term) = self.term() {
            let used_at = self.used_at();
            term.used_from.store(used_at, Ordering::Relaxed);
            // The next use is a later one, even where no time has passed.
            self.core().services.use_stamp(used_at + 1);
        }
        self.due.store(self.first_due(), Ordering::Relaxed);
    }

    /// When a call has to look closer at an entry whose term begins.
    fn first_due(&self) -> Nanos {
        let lead = self.core().lead(self.lifetime());
        match self.fresh_until() {
            NEVER => NEVER,
            until => until.saturating_sub(lead),
        }
    }

    /// Whether a call has to look closer.
    pub(crate) fn is_due(&self) -> bool {
        self.core().pace != Pace::Timeless && self.core().clock.has_come(read(&self.due))
    }

    /// Whether a call may have it without a closer look. Notes the use.
    #[inline(always)]
    pub(crate) fn is_at_hand(&self) -> bool {
        let clock = &self.core().clock;
        match self.core().pace {
            Pace::Timeless => true,
            Pace::Timed => !clock.has_come(read(&self.due)),
            Pace::Noted => {
                let now = clock.coarse();
                self.note_use_at(now);
                !clock.has_come_by(now, read(&self.due))
            }
        }
    }

    /// Notes that it is asked for now, where that counts.
    pub(crate) fn note_use(&self) {
        if self.core().pace == Pace::Noted {
            self.note_use_at(self.core().clock.coarse());
        }
    }

    #[inline(always)]
    fn note_use_at(&self, now: Nanos) {
        let services = &self.core().services;
        // One hot entry is noted once a tick, so that threads which ask for it do not write to one place.
        let used_at = self.used_at();
        if now > used_at || !services.is_last_use(used_at) {
            self.used_at
                .store(services.use_stamp(now), Ordering::Relaxed);
        }
    }

    pub(crate) fn used_at(&self) -> Nanos {
        read(&self.used_at)
    }

    /// Whether it was asked for since its age began.
    pub(crate) fn is_in_use_lately(&self) -> bool {
        self.term()
            .is_none_or(|term| self.used_at() > read(&term.used_from))
    }

    /// Since when it may go for lying idle, if nobody asks for it any more.
    pub(crate) fn idle_at(&self) -> Nanos {
        self.core()
            .settings
            .max_idle
            .map_or(NEVER, |idle| self.used_at().saturating_add(nanos(idle)))
    }

    /// When its cache has to look at it next, whoever asks for it meanwhile.
    pub(crate) fn next_look(&self) -> Nanos {
        let end = self.gone_at().min(self.idle_at());
        match self.core().settings.refresh {
            Refresh::Ahead => end.min(read(&self.due)),
            _ => end,
        }
    }

    /// Calls have it without a closer look until it is gone: its successor is being built.
    pub(crate) fn refreshing(&self) {
        self.due.store(self.gone_at(), Ordering::Relaxed);
    }

    /// A refresh of it has failed: for a while none is tried. `seed` draws the jitter.
    pub(crate) fn pause(&self, now: Nanos, seed: u64) {
        let failed = self
            .term()
            .map_or(0, |term| term.failures.fetch_add(1, Ordering::Relaxed));
        let longest = FIRST_PAUSE
            .saturating_mul(1 << failed.min(16))
            .min(LAST_PAUSE);
        let pause = longest / 2 + spread(seed) % (longest / 2 + 1);
        let until = now.saturating_add(pause).min(self.gone_at());
        self.due.store(until, Ordering::Relaxed);
    }

    /// It is stale from now on, if it was not yet; whether it may still be handed out.
    pub(crate) fn expire(&self, now: Nanos) -> bool {
        let Some(term) = self.term() else {
            return false;
        };
        let before = term.fresh_until();
        term.expired_at.store(before.min(now), Ordering::Relaxed);
        self.due.store(0, Ordering::Relaxed);
        !self.is_gone()
    }

    /// A refresh gave the same resource again: its age begins anew.
    pub(crate) fn renew(&self, now: Nanos) {
        if let Some(term) = self.term() {
            term.since.store(now, Ordering::Relaxed);
            term.expired_at.store(NEVER, Ordering::Relaxed);
            term.failures.store(0, Ordering::Relaxed);
        }
        self.begin();
    }
}

/// Mixes the bits of a number, so that neighbours end far apart (the finalizer of SplitMix64).
fn spread(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
