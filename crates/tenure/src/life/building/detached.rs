//! Builds that belong to no caller, for front doors whose runtime can carry them.
//!
//! A caller takes its [`Next`] step and acts on it. Where that is to build, the front door gives the
//! [`Detached`] build to a task of its own, and the caller waits for it as anyone does: callers come
//! and go, the build ends by itself.
//!
//! 1. A detached build lands once: finished, abandoned by whoever finds that nobody can carry it any
//!    more, or dropped.
//! 2. What an abandoned build gives in the end is released, with cause `Orphaned`.
//! 3. Code that is begun within a build and may not be awaited by it waits *beside* it. A circle through such a
//!    wait may resolve by itself, so it is refused only where it lasts: by the front door, which looks.
//!
//! Lock order: the lock of a [`Detached`] build is a leaf; nothing is landed under it.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::ground::sync::{Arc, Mutex};
use crate::host::HostBuild;
use crate::host::shown::EnteredBuild;
use crate::key::{Key, KeyRef};
use crate::life::aging::workers::Worker;
use crate::life::building::asked::Asked;
use crate::life::building::build::{Build, Outcome};
use crate::life::building::hold::BuildTurn;
use crate::life::building::patience::Patience;
use crate::life::building::waiter::Waiter;
use crate::life::circle::{Frame, Inside};
use crate::life::core::Core;
use crate::life::entry::Built;
use crate::life::flight::{Arrival, Landing};
use crate::life::lease::Lease;
use crate::life::release::Unkept;
use crate::life::services::Services;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{BuildError, Error, Interrupt};
use crate::words::listing::Happened;

/// The next step of a caller that is neither a thread nor a future of the engine's; from
/// [`Function::next`](crate::Function::next).
#[allow(clippy::large_enum_variant)] // acted on where it is given
pub enum Next<V: Resource, F: Failure> {
    /// The resource.
    Ready(Lease<V>),
    /// Ask whether the resource is still good, and give the answer to
    /// [`Function::checked`](crate::Function::checked).
    Check(Lease<V>),
    /// Have this build carried, and wait.
    Build(Detached<V, F>, Awaiting<V, F>),
    /// Wait for another's build.
    Wait(Awaiting<V, F>),
}

impl<V: Resource, F: Failure> std::fmt::Debug for Next<V, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready",
            Self::Check(_) => "Check",
            Self::Build(..) => "Build",
            Self::Wait(_) => "Wait",
        })
    }
}

/// A build that belongs to no caller. Dropped without an outcome, it hands the duty on.
pub struct Detached<V: Resource, F: Failure> {
    core: Arc<Core<V>>,
    frame: Frame,
    key: Key,
    span: tracing::Span,
    /// Its host's side of it.
    stage: Option<Arc<dyn HostBuild>>,
    /// Nothing once it has landed.
    build: Mutex<Option<Build<V, F>>>,
}

impl<V: Resource, F: Failure> std::fmt::Debug for Detached<V, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detached")
            .field("function", &self.core.name)
            .finish_non_exhaustive()
    }
}

impl<V: Resource, F: Failure> Detached<V, F> {
    /// Frees a build from the caller that began it, who waits from here on.
    pub(crate) fn part(mut build: Build<V, F>) -> (Self, Waiter<V, F>) {
        let waiter = build.part();
        let detached = Self {
            core: Arc::clone(build.core()),
            frame: build.frame(),
            key: waiter.flight().key.clone(),
            span: build.span().clone(),
            stage: build.stage().cloned(),
            build: Mutex::new(Some(build)),
        };
        (detached, waiter)
    }

    /// The name of its function.
    pub(crate) fn function(&self) -> &Arc<str> {
        &self.core.name
    }

    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.core.services
    }

    /// Its turn among the members of a fleet, where that has to come and the build is not over.
    fn turn(&self) -> Option<Arc<BuildTurn>> {
        self.build.lock().as_ref().and_then(Build::turn).cloned()
    }

    /// Whether it has to wait for its turn among the members of a fleet, before it is run.
    pub(crate) fn is_held(&self) -> bool {
        self.turn().is_some_and(|it| !it.has_come())
    }

    /// Whether it is its turn among the members of a fleet, before which it is not run. Where not, `waker` is woken
    /// once it is, or the build was given up, and no earlier one is.
    pub fn poll_turn(&self, waker: &Waker) -> bool {
        let turn = self.turn();
        turn.is_none_or(|it| it.poll(&Context::from_waker(waker)).is_ready())
    }

    /// It is done by this worker.
    pub(crate) fn by(&self, worker: Worker) {
        // Where it is over, the worker is given up after the lock.
        if let Some(build) = &mut *self.build.lock() {
            build.by(worker);
        }
    }

    /// The build itself, for who carries it as its leader would.
    pub(crate) fn into_build(self) -> Option<Build<V, F>> {
        self.build.lock().take()
    }

    /// Whether it is a build under this key: a front door that keeps arguments asks whether they still
    /// have it.
    #[must_use]
    pub fn is_for(&self, key: &KeyRef<'_>) -> bool {
        key.matches(&self.key)
    }

    /// The number of the build, which no other of the engine has.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.frame.id()
    }

    /// Runs the build, or a part of it, on this thread, as code that is inside of it and that its host
    /// knows of.
    pub fn run<T>(&self, part: impl FnOnce() -> T) -> T {
        let _span = self.span.enter();
        let _inside = self.place().enter();
        let _entered = self.stage.as_deref().map(EnteredBuild::enter);
        part()
    }

    /// The build as a place that code can be inside of.
    #[must_use]
    pub fn place(&self) -> BuildPlace {
        BuildPlace(self.frame.clone())
    }

    /// Whether it has landed, or was given up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.build.lock().is_none()
    }

    /// The build has ended. `failure` makes an interruption, which is meant for one caller, a failure
    /// of all who wait: nobody else can be told. A lease, where there is a resource and nobody has
    /// given the build up.
    pub fn finish(
        &self,
        outcome: Result<V, BuildError<F>>,
        failure: impl FnOnce(Interrupt) -> F,
    ) -> Option<Lease<V>> {
        let build = self.build.lock().take();
        match build {
            Some(build) => match build.finish_parted(outcome, failure) {
                Ok(Outcome::Built(lease)) => Some(lease),
                Ok(Outcome::Stands(_)) | Err(_) => None,
            },
            None => {
                self.finish_late(outcome);
                None
            }
        }
    }

    fn finish_late(&self, outcome: Result<V, BuildError<F>>) {
        let value = match outcome {
            Ok(value) => value,
            Err(error) => {
                self.core.counters.failed();
                self.core
                    .note(self.core.clock.now(), None, Happened::Failed);
                if let BuildError::Failed(failure) = error {
                    self.core.behaviour.build_failed(&self.core.name, &failure);
                }
                return;
            }
        };
        let _under_way = self.core.services.under_way.begin();
        drop(Unkept::given(Built::from(value), &self.core));
    }

    /// Hands the duty on: nobody can carry this build any more. Those who wait look again, and one of
    /// them builds; what this one may give yet is released.
    pub fn abandon(&self) {
        let build = self.build.lock().take();
        drop(build);
    }
}

/// A build as a place that code can be inside of: what asks there for that very build would wait in a
/// circle, and what it clears spares it.
#[derive(Clone)]
pub struct BuildPlace(Frame);

impl std::fmt::Debug for BuildPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BuildPlace")
    }
}

impl BuildPlace {
    /// Has the code of this thread be inside of the build for as long as what this gives lives.
    #[must_use]
    pub fn enter(&self) -> InBuild {
        InBuild {
            _inside: Inside::at(self.0.clone()),
        }
    }

    /// The same for code that the build has begun and may not wait for: a task of its own, say. Where it
    /// asks for what waits for the build in turn, that is no circle yet: its caller looks, now and
    /// then, whether one lasts ([`Awaiting::circle`]).
    #[must_use]
    pub fn enter_beside(&self) -> InBuild {
        InBuild {
            _inside: Inside::at(self.0.beside()),
        }
    }

    /// The number of the build, which no other of the engine has.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.id()
    }
}

impl BuildPlace {
    /// Has the code of this thread be what the build has begun and does not wait for, a task that goes on
    /// say, for as long as what this gives lives: it is no part of the build, and built for no fewer.
    #[must_use]
    pub fn enter_begun(&self) -> InBuild {
        InBuild {
            _inside: Inside::begun_by(self.0.clone()),
        }
    }
}

/// The code of this thread is inside of a build; from [`BuildPlace::enter`].
#[derive(Debug)]
pub struct InBuild {
    _inside: Inside,
}

/// A caller that waits for a build; counted and shown for as long as this lives.
pub struct Awaiting<V: Resource, F: Failure> {
    waiter: Waiter<V, F>,
    patience: Option<Arc<Patience>>,
}

impl<V: Resource, F: Failure> std::fmt::Debug for Awaiting<V, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Awaiting")
    }
}

impl<V: Resource, F: Failure> Awaiting<V, F> {
    pub(crate) fn of(waiter: Waiter<V, F>, asked: &mut Asked) -> Self {
        let patience = waiter.patience(asked).map(Arc::new);
        Self { waiter, patience }
    }

    /// The number of the build, which no other of the engine has.
    #[must_use]
    pub fn build(&self) -> u64 {
        self.waiter.flight().id
    }

    /// Whether this caller was begun by a build that may not wait for it ([`BuildPlace::enter_beside`]).
    #[must_use]
    pub fn is_beside(&self) -> bool {
        self.waiter.is_beside()
    }

    /// The names of the functions along a circle, where such a caller waits in one now. It is a circle of
    /// waits only if the build waits for the caller, and ends by itself if not.
    #[must_use]
    pub fn circle(&self) -> Option<Vec<String>> {
        self.waiter.circle()
    }

    /// The end of the build, or of the caller's patience, as a future apart from this caller.
    #[must_use]
    pub fn end(&self) -> Landed<V, F> {
        Landed {
            arrival: self.waiter.arrival(),
            patience: self.patience.clone(),
        }
    }

    /// What the build has ended with, or nothing where the caller has to take its next step again, as it
    /// has where it was woken before the build or its own patience has ended.
    ///
    /// # Errors
    /// The build's failure, an interruption by the host, a build that takes too long.
    pub fn landed(self) -> Result<Option<Lease<V>>, Error<F>> {
        match (self.waiter.flight().landed(), &self.patience) {
            (Some(landing), _) => self.waiter.landed(landing),
            (None, Some(patience)) if patience.is_over() => Err(self.waiter.timed_out(patience)),
            // Woken with another caller, whose patience is over.
            (None, _) => {
                self.waiter.give_up();
                Ok(None)
            }
        }
    }

    /// The caller no longer waits.
    pub fn give_up(self) {
        self.waiter.give_up();
    }
}

/// The end of a wait for a build, as a future.
pub struct Landed<V: Resource, F: Failure> {
    arrival: Arrival<V, F>,
    patience: Option<Arc<Patience>>,
}

impl<V: Resource, F: Failure> std::fmt::Debug for Landed<V, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Landed")
    }
}

impl<V: Resource, F: Failure> Landed<V, F> {
    /// Whether the wait has ended. Where not, `waker` is woken once it has, and no earlier one is.
    pub fn poll_with(&mut self, waker: &Waker) -> bool {
        let cx = &mut Context::from_waker(waker);
        let landed: Poll<Landing<V, F>> = Pin::new(&mut self.arrival).poll(cx);
        let patience = self.patience.as_ref();
        landed.is_ready() || patience.is_some_and(|it| it.poll(cx).is_ready())
    }
}
