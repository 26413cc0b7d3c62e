//! How long a caller waits for a build that can go on without it.

use std::task::{Context, Poll};
use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::latch::Latch;
use crate::ground::sync::Arc;
use crate::ground::timer::TimerId;
use crate::life::services::Services;

/// The patience of one caller with one build. Its end wakes whoever waits.
pub(crate) struct Patience {
    services: Arc<Services>,
    until: Nanos,
    /// How long the caller waits in all.
    pub(crate) in_all: Duration,
    over: Arc<Latch<()>>,
    job: TimerId,
}

impl Patience {
    /// `wake` wakes a caller that blocks; a task is woken as it [polls](Self::poll).
    pub(crate) fn begin(
        services: &Arc<Services>,
        (until, in_all): (Nanos, Duration),
        wake: impl FnOnce() + Send + 'static,
    ) -> Self {
        let over = Arc::<Latch<()>>::default();
        let told = Arc::clone(&over);
        let job = services.timer.at(until, move |_| {
            told.tell(());
            wake();
        });
        Self {
            services: Arc::clone(services),
            until,
            in_all,
            over,
            job,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.services.clock.has_come(self.until)
    }

    /// Whether it is over. Where not, the task is woken once it is.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.is_over() {
            return Poll::Ready(());
        }
        self.over.poll(cx)
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.services.timer.cancel(self.job);
    }
}
