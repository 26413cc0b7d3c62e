//! A build that the host knows of; its spinner waits for a delay.

use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, AtomicU8, Ordering};
use crate::ground::timer::{Timer, TimerId};
use crate::host::HostBuild;
use crate::host::record::Recording;
use crate::life::services::Services;

/// How long a build runs before its spinner shows.
const SPINNER_DELAY: Nanos = 100_000_000;

const PENDING: u8 = 0;
const SHOWN: u8 = 1;
const ENDED: u8 = 2;

pub(crate) struct Shown {
    build: Arc<dyn HostBuild>,
    state: Arc<AtomicU8>,
    timer: Option<(TimerId, Arc<Timer>)>,
}

impl Shown {
    pub(crate) fn new(build: Arc<dyn HostBuild>, shows: bool, services: &Services) -> Self {
        let state = Arc::new(AtomicU8::new(PENDING));
        let timer = shows.then(|| {
            let (build, state) = (Arc::clone(&build), Arc::clone(&state));
            let job = move |_| {
                let turn =
                    state.compare_exchange(PENDING, SHOWN, Ordering::AcqRel, Ordering::Acquire);
                if turn.is_ok() {
                    build.show();
                }
            };
            let when = services.clock.now().saturating_add(SPINNER_DELAY);
            (services.timer.at(when, job), Arc::clone(&services.timer))
        });
        Self {
            build,
            state,
            timer,
        }
    }

    pub(crate) fn end(mut self, built: bool) -> Option<Recording> {
        self.finish(built)
    }

    fn finish(&mut self, built: bool) -> Option<Recording> {
        if self.state.swap(ENDED, Ordering::AcqRel) == ENDED {
            return None;
        }
        if let Some((id, timer)) = self.timer.take() {
            timer.cancel(id);
        }
        self.build.end(built)
    }

    /// The build's code runs on this thread for as long as the guard lives.
    pub(crate) fn enter(&self) -> EnteredBuild<'_> {
        EnteredBuild::enter(&*self.build)
    }

    pub(crate) fn build(&self) -> &Arc<dyn HostBuild> {
        &self.build
    }
}

/// The host has been told that the build's code runs on this thread.
pub(crate) struct EnteredBuild<'a>(&'a dyn HostBuild);

impl<'a> EnteredBuild<'a> {
    pub(crate) fn enter(build: &'a dyn HostBuild) -> Self {
        build.enter();
        Self(build)
    }
}

impl Drop for EnteredBuild<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A build that panics hides its spinner too.
impl Drop for Shown {
    fn drop(&mut self) {
        self.finish(false);
    }
}
