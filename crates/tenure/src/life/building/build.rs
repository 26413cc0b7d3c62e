//! A build by the one who leads it, from its first step to its landing.
//!
//! Dropped without an outcome, it hands the duty on, and only then tells the host, which may call
//! anything. On every way out the flight lands before the resource is released.

use std::task::{Context, Poll};
use std::time::Duration;

use crate::ground::clock::{Nanos, nanos};
use crate::ground::sync::Arc;
use crate::host::HostBuild;
use crate::host::record::{Observed, Recording};
use crate::host::shown::Shown;
use crate::life::aging::admission::Admission;
use crate::life::aging::workers::Worker;
use crate::life::building::asker::Asker;
use crate::life::building::hold::{BuildTurn, Hold};
use crate::life::building::leader::{Empty, Leader};
use crate::life::building::waiter::Waiter;
use crate::life::circle::{Edge, Frame};
use crate::life::core::Core;
use crate::life::entry::{Built, EntryRef, Renewal};
use crate::life::lease::Lease;
use crate::life::release::Unkept;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{BuildError, Error, Interrupt};
use crate::words::listing::Happened;
use crate::words::runs::{Refreshed, Trigger};

/// A build by the one who leads it.
pub(crate) struct Build<V: Resource, F: Failure> {
    leader: Leader<V, F>,
    asker: Asker<V>,
    shown: Option<Shown>,
    edge: Option<Edge>,
    started: Nanos,
    span: tracing::Span,
    /// The place of a refresh among those that run at a time.
    worker: Option<Worker>,
    /// Where it is one in the background.
    refresh: Option<RefreshCount<V>>,
    /// Whether a caller leads it, who gets what it ends with.
    is_callers: bool,
}

/// What a build has come to.
pub(crate) enum Outcome<V: Resource, F> {
    Built(Lease<V>),
    /// It failed, and the resource that it was to replace may still be handed out: look again.
    Stands(F),
}

/// Counts a build that panics as one that failed, unless it is forgotten.
struct FailsOnUnwind<'a, V: Resource, F: Failure>(&'a Build<V, F>);

impl<V: Resource, F: Failure> Drop for FailsOnUnwind<'_, V, F> {
    fn drop(&mut self) {
        let core = self.0.core();
        let now = core.services.clock.now();
        core.counters
            .ran(self.0.trigger(), now.saturating_sub(self.0.started));
        core.counters.failed();
    }
}

/// Counts a refresh in the background as one that failed, unless it is told that it has not.
struct RefreshCount<V: Resource> {
    core: Arc<Core<V>>,
    outcome: Refreshed,
}

impl<V: Resource> RefreshCount<V> {
    fn succeeded(mut self) {
        self.outcome = Refreshed::Success;
    }
}

impl<V: Resource> Drop for RefreshCount<V> {
    fn drop(&mut self) {
        self.core.counters.refreshed(self.outcome);
    }
}

impl<V: Resource, F: Failure> Build<V, F> {
    pub(crate) fn begin(asker: &Asker<V>, mut leader: Leader<V, F>) -> Result<Self, Error<F>> {
        let edge = asker.edge(leader.flight())?;
        let shown = match asker.host {
            None => None,
            Some(_) => {
                let _inside = asker.inside(leader.flight());
                asker.begin(leader.flight(), edge.is_some(), false)?
            }
        };
        let core = &asker.core;
        leader.begin_hold();
        Ok(Self {
            shown,
            edge,
            started: core.services.clock.now(),
            span: tracing::info_span!("build", function = %core.name),
            leader,
            asker: asker.clone(),
            worker: None,
            refresh: None,
            is_callers: true,
        })
    }

    /// It is a refresh in the background.
    pub(crate) fn in_background(mut self) -> Self {
        self.refresh = Some(RefreshCount {
            core: Arc::clone(self.core()),
            outcome: Refreshed::Error,
        });
        self
    }

    fn trigger(&self) -> Trigger {
        match self.refresh {
            Some(_) => Trigger::Refresh,
            None => Trigger::Miss,
        }
    }

    /// The wait for its turn, where it has one. To be waited for before the build is run.
    pub(crate) fn hold(&mut self) -> Option<&mut Hold> {
        self.leader.hold()
    }

    /// Its turn, where that has to come.
    pub(crate) fn turn(&self) -> Option<&Arc<BuildTurn>> {
        self.leader.turn()
    }

    /// A look whether it is its turn, by the task that is to run it.
    pub(crate) fn poll_turn(&self, cx: &Context<'_>) -> Poll<()> {
        self.turn().map_or(Poll::Ready(()), |it| it.poll(cx))
    }

    /// It is done by this worker.
    pub(crate) fn by(&mut self, worker: Worker) {
        self.worker = Some(worker);
    }

    /// Has the engine have the successor of what this one builds built so.
    pub(crate) fn renewed_by(&mut self, renewal: Renewal<V>) {
        self.leader.renewed_by(renewal);
    }

    /// Its arguments are to be shown so.
    pub(crate) fn shown_with(&mut self, arguments: Option<Arc<str>>) {
        self.leader.shown_with(arguments);
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

    pub(crate) fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// Its host's side of it.
    pub(crate) fn stage(&self) -> Option<&Arc<dyn HostBuild>> {
        self.shown.as_ref().map(Shown::build)
    }

    /// Frees it from its caller, who waits for it from here on as anyone does.
    pub(crate) fn part(&mut self) -> Waiter<V, F> {
        self.is_callers = false;
        Waiter::of_caller(&self.asker, self.leader.flight(), self.edge.take())
    }

    /// Runs a part of the build on this thread: all of it, or one [`poll`](Self::poll).
    pub(crate) fn run<T>(&self, part: impl FnOnce() -> T) -> T {
        let _span = self.span.enter();
        let _inside = self.asker.inside(self.leader.flight());
        let _entered = self.shown.as_ref().map(Shown::enter);
        let counted = FailsOnUnwind(self);
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
    ) -> Result<Outcome<V, F>, Error<F>> {
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
    ) -> Result<Outcome<V, F>, Error<F>> {
        let core = Arc::clone(self.core());
        let hears = self.is_callers;
        self.land(outcome, |leader, interrupt| {
            let failure = failure(interrupt);
            fail(&core, leader, &failure, None, hears);
            Error::Failed(failure)
        })
    }

    fn land(
        self,
        outcome: Result<impl Into<Built<V>>, BuildError<F>>,
        interrupted: impl FnOnce(Leader<V, F>, Interrupt) -> Error<F>,
    ) -> Result<Outcome<V, F>, Error<F>> {
        let trigger = self.trigger();
        let Self {
            leader,
            asker,
            shown,
            edge: _edge,
            started,
            span: _,
            worker: _worker,
            refresh,
            is_callers,
        } = self;
        let core = &asker.core;
        let services = &core.services;
        let now = services.clock.now();
        let took = Duration::from_nanos(now.saturating_sub(started));
        core.counters.ran(trigger, nanos(took));
        // A shutdown waits for what has been built and is no entry yet.
        let _under_way = outcome.is_ok().then(|| services.under_way.begin());
        let outcome = match outcome {
            Ok(built) => {
                let built = built.into();
                let old = leader.old();
                // What a parent process releases is none that this one has built.
                let is_same = |it: &EntryRef<V>| {
                    !it.is_inherited() && core.behaviour.is_same(it.value(), &built.value)
                };
                if let Some(old) = old.filter(is_same) {
                    core.counters.renewed();
                    if let Some(refresh) = refresh {
                        refresh.succeeded();
                    }
                    if let Some(shown) = shown {
                        drop(shown.end(true));
                    }
                    return Ok(Outcome::Built(leader.renew(old, now)));
                }
                core.counters.built(nanos(took));
                let built_at = services.stamp(now);
                core.note(now, Some(built_at), Happened::Built(took));
                Ok(Unkept::new(built, built_at, core))
            }
            Err(error) => {
                core.counters.failed();
                core.note(now, None, Happened::Failed);
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
                let admission = {
                    // The build's last word: if it needs this very entry, that is a cycle.
                    let _inside = asker.inside(leader.flight());
                    Admission::of_built(core, unkept.value())
                };
                match admission {
                    Ok(admission) => {
                        if let Some(refresh) = refresh {
                            refresh.succeeded();
                        }
                        let (built, built_at) = unkept.keep();
                        let lease = leader.fill(built, built_at, took, recording, admission);
                        Ok(Outcome::Built(lease))
                    }
                    Err(interrupt) => Err(interrupted(leader, interrupt)),
                }
            }
            Err(BuildError::Failed(failure)) => {
                let observed = recording.as_ref().and_then(Recording::observed).cloned();
                let observed: Option<Observed> = observed.filter(|_| core.settings.observes);
                // Before those who wait look again, as it is above.
                drop(refresh);
                if fail(core, leader, &failure, observed, is_callers) {
                    Ok(Outcome::Stands(failure))
                } else {
                    Err(Error::Failed(failure))
                }
            }
            Err(BuildError::Died(interrupt)) => Err(interrupted(leader, interrupt)),
        }
    }
}

/// Lands a failure, and tells the front door of one that reaches no caller. Whether the resource that was to
/// be replaced may still be handed out.
fn fail<V: Resource, F: Failure>(
    core: &Core<V>,
    leader: Leader<V, F>,
    failure: &F,
    observed: Option<Observed>,
    leader_hears: bool,
) -> bool {
    match leader.fail(failure.clone(), observed, leader_hears) {
        Empty::Stands => {
            core.behaviour.refresh_failed(&core.name, failure);
            true
        }
        Empty::Untold => {
            core.behaviour.build_failed(&core.name, failure);
            false
        }
        Empty::Told => false,
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
