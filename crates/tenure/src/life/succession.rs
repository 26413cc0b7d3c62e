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
//! Lock order: the lock of a turn, then the timer's. Nothing is released or dropped under it.

use std::cell::RefCell;
use std::cmp::Reverse;

use crate::ground::clock::{Nanos, nanos};
use crate::ground::sync::{Arc, Mutex, thread_local};
use crate::ground::timer::TimerId;
use crate::ground::underway::Side;
use crate::life::cleared::Batch;
use crate::life::drain::End;
use crate::life::services::Services;

/// The ends of resources, with the time each was built at.
pub(crate) type Ends = Vec<(Nanos, End)>;

/// Begins all releases, in their order. For whoever has them take turns.
pub(crate) fn at_once(mut ends: Ends) {
    ends.sort_by_key(|(built_at, _)| Reverse(*built_at));
    for (_, end) in ends {
        end();
    }
}

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
        _counted: Counted {
            side: services.under_way.count(),
            services: Arc::clone(services),
        },
        services: Arc::clone(services),
    };
    succession.go_on();
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
    _counted: Counted,
}

impl Succession {
    fn go_on(mut self) {
        let services = Arc::clone(&self.services);
        let _under_way = services.under_way.begin();
        let _belongs = self.batch.clone().map(Batch::enter);
        while let Some(end) = self.rest.pop() {
            let turn = Turn(Arc::new(Open {
                services: Arc::clone(&services),
                next: Mutex::new(None),
            }));
            let present = turn.clone().enter();
            end();
            drop(present);
            if self.rest.is_empty() {
                return;
            }
            if let Err(open) = Arc::try_unwrap(turn.0) {
                return open.before(self);
            }
        }
    }
}

/// One turn: over when nothing holds it any more.
#[derive(Clone)]
pub(crate) struct Turn(Arc<Open>);

struct Open {
    services: Arc<Services>,
    /// What comes next, and the job that waits no longer.
    next: Mutex<Option<(Succession, TimerId)>>,
}

thread_local! {
    /// The turn of what this thread releases.
    static PRESENT: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

impl Turn {
    /// The turn that a release which begins here holds until it has ended.
    pub(crate) fn present() -> Option<Self> {
        PRESENT.try_with(|it| it.borrow().clone()).ok().flatten()
    }

    fn enter(self) -> Present {
        Present(swapped(Some(self)))
    }
}

fn swapped(turn: Option<Turn>) -> Option<Turn> {
    PRESENT.try_with(|it| it.replace(turn)).ok().flatten()
}

/// A guard: what this thread releases meanwhile holds a turn. It has the one before.
struct Present(Option<Turn>);

impl Drop for Present {
    fn drop(&mut self) {
        let own = swapped(self.0.take());
        drop(own);
    }
}

impl Open {
    /// Has the rest wait for the end of this turn.
    fn before(self: Arc<Self>, rest: Succession) {
        let patience = nanos(self.services.config.read().shutdown_bound);
        let when = self.services.clock.now().saturating_add(patience);
        let turn = Arc::downgrade(&self);
        let mut next = self.next.lock();
        let late = self.services.timer.at(when, move |_| {
            let next = turn.upgrade().and_then(|turn| turn.next.lock().take());
            if let Some((next, _)) = next {
                next.go_on();
            }
        });
        *next = Some((rest, late));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some((next, late)) = self.next.lock().take() else {
            return;
        };
        if self.services.is_abandoned() {
            // It belongs to the parent process.
            return std::mem::forget(next);
        }
        // Elsewhere: the release may have ended on a thread that must go on, an event loop's say.
        self.services.timer.cancel(late);
        let now = self.services.clock.now();
        self.services.timer.at(now, move |_| next.go_on());
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
