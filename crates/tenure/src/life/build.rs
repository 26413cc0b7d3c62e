//! A build by the one who leads it, from its first step to its landing.
//!
//! Dropped without an outcome, it hands the duty on, and only then tells the host, which may call
//! anything. On every way out the flight lands before the resource is released.

use crate::ground::clock::Nanos;
use crate::ground::sync::Arc;
use crate::host::record::{Observed, Recording};
use crate::host::shown::Shown;
use crate::life::asker::Asker;
use crate::life::cache::Leader;
use crate::life::circle::{Edge, Frame};
use crate::life::core::Core;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::life::release::Unkept;
use crate::life::waiter::Waiter;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{BuildError, Error, Interrupt};
use crate::words::info;

/// A build by the one who leads it.
pub(crate) struct Build<V: Resource, F: Failure> {
    leader: Leader<V, F>,
    asker: Asker<V>,
    shown: Option<Shown>,
    edge: Option<Edge>,
    started: Nanos,
    span: tracing::Span,
}

/// Counts a build that panics as one that failed, unless it is forgotten.
struct FailsOnUnwind<'a>(&'a info::Counters);

impl Drop for FailsOnUnwind<'_> {
    fn drop(&mut self) {
        self.0.failed();
    }
}

impl<V: Resource, F: Failure> Build<V, F> {
    pub(crate) fn begin(asker: &Asker<V>, leader: Leader<V, F>) -> Result<Self, Error<F>> {
        let edge = asker.edge(leader.flight())?;
        let shown = match asker.host {
            None => None,
            Some(_) => {
                let _inside = asker.inside(leader.flight());
                asker.begin(leader.flight(), edge.is_some(), false)?
            }
        };
        let core = &asker.core;
        Ok(Self {
            shown,
            edge,
            started: core.services.clock.now(),
            span: tracing::info_span!("build", function = %core.name),
            leader,
            asker: asker.clone(),
        })
    }

    /// Has the duty handed on if this thread, on which the whole build runs, ends before it.
    pub(crate) fn stay_on_thread(&mut self) {
        self.leader.stay_on_thread();
    }

    pub(crate) fn core(&self) -> &Arc<Core<V>> {
        &self.asker.core
    }

    /// The build as code can be inside of it.
    pub(crate) fn frame(&self) -> Frame {
        self.asker.frame(self.leader.flight())
    }

    /// Frees it from its caller, who waits for it from here on as anyone does.
    pub(crate) fn part(&mut self) -> Waiter<V, F> {
        Waiter::of_caller(&self.asker, self.leader.flight(), self.edge.take())
    }

    /// Runs a part of the build on this thread: all of it, or one [`poll`](Self::poll).
    pub(crate) fn run<T>(&self, part: impl FnOnce() -> T) -> T {
        let _span = self.span.enter();
        let _inside = self.asker.inside(self.leader.flight());
        let _entered = self.shown.as_ref().map(Shown::enter);
        let counted = FailsOnUnwind(&self.asker.core.counters);
        let outcome = part();
        std::mem::forget(counted);
        outcome
    }

    /// Runs one poll of an async build on this thread, and notes when.
    pub(crate) fn poll<T>(&self, part: impl FnOnce() -> T) -> T {
        let now = self.asker.core.clock.now();
        self.leader.flight().polls.polled(now);
        self.run(part)
    }

    /// The build has ended, for the caller who leads it: an interruption is theirs, and those who
    /// wait look again.
    pub(crate) fn finish(
        self,
        outcome: Result<impl Into<Built<V>>, BuildError<F>>,
    ) -> Result<Lease<V>, Error<F>> {
        self.land(outcome, |leader, interrupt| {
            drop(leader);
            Error::Interrupted(interrupt)
        })
    }

    /// The build has ended, and belongs to no caller: an interruption fails all who wait.
    pub(crate) fn finish_parted(
        self,
        outcome: Result<impl Into<Built<V>>, BuildError<F>>,
        failure: impl FnOnce(Interrupt) -> F,
    ) -> Result<Lease<V>, Error<F>> {
        self.land(outcome, |leader, interrupt| {
            let failure = failure(interrupt);
            leader.fail(failure.clone(), None);
            Error::Failed(failure)
        })
    }

    fn land(
        self,
        outcome: Result<impl Into<Built<V>>, BuildError<F>>,
        interrupted: impl FnOnce(Leader<V, F>, Interrupt) -> Error<F>,
    ) -> Result<Lease<V>, Error<F>> {
        let Self {
            leader,
            asker,
            shown,
            edge: _edge,
            started,
            span: _,
        } = self;
        let core = &asker.core;
        let services = &core.services;
        let now = services.clock.now();
        // A shutdown waits for what has been built and is no entry yet.
        let _under_way = outcome.is_ok().then(|| services.under_way.begin());
        let outcome = match outcome {
            Ok(built) => {
                core.counters.built(now.saturating_sub(started));
                let built_at = services.stamp(now);
                Ok(Unkept::new(built.into(), built_at, core))
            }
            Err(error) => {
                core.counters.failed();
                Err(error)
            }
        };
        // Declared last to be dropped first: on every way out the duty is handed on before the
        // resource is released.
        let leader = leader;
        let recording = match shown {
            None => None,
            Some(shown) => {
                // What the host does now is still part of the build: if it needs this very entry,
                // that is a cycle.
                let _inside = asker.inside(leader.flight());
                let recording = shown.end(outcome.is_ok());
                let valued = recording.map(|it| valued(&asker, it)).transpose();
                match valued {
                    Ok(recording) => recording,
                    Err(interrupt) => return Err(interrupted(leader, interrupt)),
                }
            }
        };
        match outcome {
            Ok(unkept) => {
                let keeps = {
                    // The build's last word: if it needs this very entry, that is a cycle.
                    let _inside = asker.inside(leader.flight());
                    core.behaviour.keeps(unkept.value())
                };
                match keeps {
                    Ok(keeps) => {
                        let (built, built_at) = unkept.keep();
                        Ok(leader.fill(built, built_at, recording, keeps))
                    }
                    Err(interrupt) => Err(interrupted(leader, interrupt)),
                }
            }
            Err(BuildError::Failed(failure)) => {
                let observed = recording.as_ref().and_then(Recording::observed).cloned();
                let observed: Option<Observed> = observed.filter(|_| core.settings.observes);
                leader.fail(failure.clone(), observed);
                Err(Error::Failed(failure))
            }
            Err(BuildError::Died(interrupt)) => Err(interrupted(leader, interrupt)),
        }
    }
}

/// Sees to it that observed inputs have their values, where they count.
fn valued<V: Resource>(asker: &Asker<V>, mut recording: Recording) -> Result<Recording, Interrupt> {
    if asker.core.settings.observes
        && let Some(observed) = recording.observed_mut()
        && observed.values().is_none()
    {
        let values = asker.present(observed)?;
        observed.set_values(values);
    }
    Ok(recording)
}
