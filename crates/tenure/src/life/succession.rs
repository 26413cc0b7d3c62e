//! Releases that come together, the last built first: a release still finds what its resource was built with.
//!
//! 1. Each begins when the one before has ended, an async one too.
//! 2. One that takes longer than a shutdown may is waited for no longer.
//! 3. A release that a lease puts off is nobody's turn: it comes when the lease is gone.
//! 4. What waits for its turn is under way, and belongs to the clear that it came from.
//!
//! Why is nothing waited for on a clock that is driven by hand? Whoever drives it would have to know that
//! something is due.
//!
//! Lock order: the lock of what waits is a leaf. Nothing is released or dropped under it.

use crate::ground::clock::nanos;
use crate::ground::sync::{Arc, Mutex};
use crate::ground::timer::TimerId;
use crate::ground::underway::{Side, carry};
use crate::life::batch::Batch;
use crate::life::drain::{End, Ends, at_once};
use crate::life::services::Services;
use crate::life::turn::Turn;

/// Releases one after another. The caller has begun a release.
pub(crate) fn in_turn(services: &Arc<Services>, mut ends: Ends) {
    if ends.len() < 2 || services.clock.is_manual() {
        return at_once(ends);
    }
    ends.sort_by_key(|(built_at, _)| *built_at);
    let succession = Succession {
        rest: ends.into_iter().map(|(_, end)| end).collect(),
        batch: Batch::present(),
        _around: Turn::present(),
        counted: Counted {
            side: services.under_way.count(),
            services: Arc::clone(services),
        },
        services: Arc::clone(services),
    };
    succession.go_on();
}

/// Releases one after another in the background, for who must not wait for them; they are counted on this side
/// already.
pub(crate) fn elsewhere(services: &Arc<Services>, ends: Ends, side: Side) {
    let counted = Counted {
        services: Arc::clone(services),
        side,
    };
    if ends.is_empty() {
        return;
    }
    let now = services.clock.now();
    services.timer.at(now, move |_| {
        let _under_way = carry(counted.side);
        in_turn(&counted.services, ends);
    });
}

/// Releases that have not begun.
struct Succession {
    services: Arc<Services>,
    /// The next one last.
    rest: Vec<End>,
    /// The clear that they belong to.
    batch: Option<Batch>,
    /// The turn of the release that has led here.
    _around: Option<Turn>,
    counted: Counted,
}

impl Succession {
    fn go_on(mut self) {
        // What comes later waits for this one, which does not wait for it.
        let under_way = carry(self.counted.side);
        let _belongs = self.batch.clone().map(Batch::enter);
        while let Some(end) = self.rest.pop() {
            let turn = Turn::new();
            let present = turn.clone().enter();
            end();
            drop(present);
            if self.rest.is_empty() {
                return;
            }
            if !turn.is_over() {
                drop(under_way);
                return turn.before(Waiting::new(self));
            }
        }
    }
}

/// What waits for the end of a turn: goes on when it is dropped, unless the time was over before.
struct Waiting {
    services: Arc<Services>,
    rest: Arc<Mutex<Option<Succession>>>,
    /// The job that waits no longer.
    late: TimerId,
}

impl Waiting {
    fn new(rest: Succession) -> Self {
        let services = Arc::clone(&rest.services);
        let patience = nanos(services.config.read().shutdown_bound);
        let when = services.clock.now().saturating_add(patience);
        let rest = Arc::new(Mutex::new(Some(rest)));
        let waits = Arc::downgrade(&rest);
        let late = services.timer.at(when, move |_| {
            let rest = waits.upgrade().and_then(|rest| rest.lock().take());
            if let Some(rest) = rest {
                rest.go_on();
            }
        });
        Self {
            services,
            rest,
            late,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(rest) = self.rest.lock().take() else {
            return;
        };
        if self.services.is_abandoned() {
            // It belongs to the parent process.
            return std::mem::forget(rest);
        }
        // Elsewhere: the release may have ended on a thread that must go on, an event loop's say.
        self.services.timer.cancel(self.late);
        let now = self.services.clock.now();
        self.services.timer.at(now, move |_| rest.go_on());
    }
}

/// Is counted as a release under way, on whatever thread.
struct Counted {
    services: Arc<Services>,
    side: Side,
}

impl Drop for Counted {
    fn drop(&mut self) {
        drop(self.services.under_way.take_over(self.side));
    }
}
