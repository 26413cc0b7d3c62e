//! A build whose future nobody polls, and the log line that tells those who wait for it.
//!
//! An async build that no task carries is a part of its caller's future. Held back in a `select!`, a buffered stream or a
//! `mem::forget`, it goes on for nobody, and nothing is wrong that an engine could see, but for the
//! time. Only a build that someone waits for is looked at, and only such a one: a blocking build has
//! its thread, a carried one its task.
//!
//! 1. A look is planned only while its waiter waits: with the end of the wait, `next` is empty and
//!    stays so.
//! 2. A build is told of once for each time that it is left alone, however many wait for it.
//! 3. No line is logged under a lock.
//!
//! Lock order: a watch's `next`, then the timer's own. The timer has a look taken under neither.

use std::time::Duration;

use crate::ground::clock::{Nanos, nanos};
use crate::ground::sync::{Arc, Figure, Mutex, Ordering};
use crate::ground::timer::TimerId;
use crate::life::services::Services;

/// How long an async build that someone waits for may go without a poll, and a clear be awaited, before the log says so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// When a build was last polled; 0 where it blocks or a task carries it, or where the log has told of it.
#[derive(Clone, Default)]
pub(crate) struct Polls(Arc<Figure>);

impl Polls {
    pub(crate) fn polled(&self, now: Nanos) {
        self.0.store(now.max(1), Ordering::Relaxed);
    }
}

/// A look at a build from time to time, for as long as its waiter waits.
pub(crate) struct Watch {
    services: Arc<Services>,
    /// The next look; nothing once it has ended.
    next: Arc<Mutex<Option<TimerId>>>,
}

impl Watch {
    /// Watches a build of this function, if it is an async one.
    pub(crate) fn begin(
        services: &Arc<Services>,
        function: &Arc<str>,
        polls: &Polls,
    ) -> Option<Self> {
        if polls.0.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let next = Arc::new(Mutex::new(None));
        let look = Look {
            function: Arc::clone(function),
            polls: polls.clone(),
            next: Arc::clone(&next),
        };
        *next.lock() = Some(look.after(services, services.clock.now()));
        Some(Self {
            services: Arc::clone(services),
            next,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let next = self.next.lock().take();
        if let Some(next) = next {
            self.services.timer.cancel(next);
        }
    }
}

struct Look {
    function: Arc<str>,
    polls: Polls,
    next: Arc<Mutex<Option<TimerId>>>,
}

impl Look {
    /// Has this look taken when the build has been left alone since `polled` for too long.
    fn after(self, services: &Arc<Services>, polled: Nanos) -> TimerId {
        let when = polled.saturating_add(nanos(PATIENCE));
        let weak = Arc::downgrade(services);
        services.timer.at(when, move |_| {
            if let Some(services) = weak.upgrade() {
                self.take(&services);
            }
        })
    }

    fn take(self, services: &Arc<Services>) {
        let now = services.clock.now();
        let polled = self.polls.0.load(Ordering::Relaxed);
        if polled == 0 {
            return;
        }
        if now.saturating_sub(polled) < nanos(PATIENCE) {
            let next = Arc::clone(&self.next);
            let mut next = next.lock();
            // Unless the wait has ended meanwhile.
            if next.is_some() {
                *next = Some(self.after(services, polled));
            }
            return;
        }
        // Of all who wait, one tells it, and its looks are over. A later poll begins anew only for
        // those whose looks go on, and for whoever begins to wait then.
        if self.polls.0.swap(0, Ordering::Relaxed) != 0 {
            tracing::warn!(
                function = %self.function,
                seconds = now.saturating_sub(polled) / 1_000_000_000,
                "callers wait for an async build whose future has not been polled for a while: \
                 either it takes long, or its caller holds it back (in a select!, in a buffered \
                 stream, by mem::forget) and it goes on for nobody. tokio::spawn the call, so that \
                 it is polled by itself"
            );
        }
    }
}
