//! One call of a cached function: what it finds, and what it does then.
//!
//! Blocking and async callers walk the same steps: [`Call::step`] says what there is to do,
//! [`Leading`] is a build by this caller, [`ShownWait`] is a wait for another's. The two kinds differ
//! only in how they wait and in how they run what the program gave them.

use std::future::poll_fn;
use std::pin::pin;

use crate::ground::clock::Nanos;
use crate::ground::strand::{Layers, Within};
use crate::ground::sync::{Arc, thread_local};
use crate::host::observe::Seen;
use crate::host::record::{Observed, Recording};
use crate::host::shown::Shown;
use crate::host::{BuildStart, Host};
use crate::key::{Encoder, Key, KeyRef};
use crate::life::cache::{Cache, Found, Leader};
use crate::life::circle::{Edge, Inside};
use crate::life::core::Core;
use crate::life::entry::Built;
use crate::life::flight::{Flight, Landing};
use crate::life::lease::Lease;
use crate::life::release::Unkept;
use crate::life::stalled::Watch;
use crate::life::waiting::{BlockingWait, Waiting};
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::{BuildError, Error};
use crate::words::info;

/// A call that found no entry by the short way.
pub(crate) struct Call<'a, V: Resource, F: Failure> {
    core: &'a Arc<Core<V>>,
    host: Option<Arc<dyn Host>>,
    scoped: ScopedCache<'a, V, F>,
}

/// The cache that a call looks into: the function's global one, or its session's.
pub(crate) enum ScopedCache<'a, V: Resource, F> {
    Global(&'a Arc<Cache<V, F>>),
    OfSession(Arc<Cache<V, F>>),
}

impl<V: Resource, F> ScopedCache<'_, V, F> {
    pub(crate) fn cache(&self) -> &Arc<Cache<V, F>> {
        match self {
            Self::Global(cache) => cache,
            Self::OfSession(cache) => cache,
        }
    }
}

thread_local! {
    /// The entries whose checks the code of this strand is inside of, by address.
    static CHECKED: Layers<usize> = const { Layers::new() };
}

/// Begins a check of an entry, which must not ask for that very entry: nothing where the code is inside
/// of such a check already.
fn checking(entry: usize) -> Option<Within<usize>> {
    let mut is_free = true;
    let _ = CHECKED.try_with(|checked| {
        checked.each(|it| {
            is_free &= it != entry;
            is_free
        });
    });
    is_free.then(|| Within::put(&CHECKED, entry))
}

/// The next step of a call.
enum Step<'c, V: Resource, F: Failure> {
    /// Check this entry, then accept or refuse it.
    Check(Lease<V>),
    /// Build.
    Build(Leader<'c, V, F>),
    /// Wait for another's build.
    Wait(Arc<Flight<V, F>>),
}

impl<'a, V: Resource, F: Failure> Call<'a, V, F> {
    pub(crate) fn new(
        core: &'a Arc<Core<V>>,
        scoped: ScopedCache<'a, V, F>,
        host: Option<Arc<dyn Host>>,
    ) -> Self {
        Self { core, host, scoped }
    }

    /// Finds, waits or builds, on the caller's thread.
    pub(crate) fn block<B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        waiting: &dyn Waiting,
        build: impl FnOnce() -> Result<B, BuildError<F>>,
    ) -> Result<Lease<V>, Error<F>> {
        let mut missed = false;
        loop {
            match self.step(key, &mut missed)? {
                Step::Check(lease) => {
                    if !self.is_valid(&lease)? {
                        self.refuse(lease);
                    } else if let Some(lease) = self.accept(lease)? {
                        return Ok(lease);
                    }
                }
                Step::Build(mut leader) => {
                    // The build runs here to its end, and a strand's thread may end before it.
                    leader.stay_on_thread();
                    let leading = self.lead(leader)?;
                    let outcome = leading.run(build);
                    return leading.finish(outcome);
                }
                Step::Wait(flight) => {
                    let waits = self.wait(&flight)?;
                    let mut wait = BlockingWait::new(&self.core.name, &flight);
                    let outcome = waiting.wait(&mut wait);
                    // Told also where the wait was interrupted.
                    waits.end(outcome.is_ok());
                    outcome.map_err(Error::Interrupted)?;
                    if let Some(lease) = self.landed(wait.landing())? {
                        return Ok(lease);
                    }
                }
            }
        }
    }

    /// Finds, waits or builds, as a task.
    pub(crate) async fn task<C: Future<Output = bool>, B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = Result<B, F>>,
    ) -> Result<Lease<V>, Error<F>> {
        let mut missed = false;
        loop {
            match self.step(key, &mut missed)? {
                Step::Check(lease) => {
                    if self.core.settings.validates && !check(lease.clone()).await {
                        self.refuse(lease);
                    } else if let Some(lease) = self.accept(lease)? {
                        return Ok(lease);
                    }
                }
                Step::Build(leader) => {
                    let leading = self.lead(leader)?;
                    let outcome = {
                        // Dropped before the flight lands: what it holds is still the build's.
                        let mut build = pin!(build);
                        poll_fn(|cx| leading.poll(|| build.as_mut().poll(cx))).await
                    };
                    return leading.finish(outcome.map_err(BuildError::Failed));
                }
                Step::Wait(flight) => {
                    let wait = self.wait(&flight)?;
                    let landing = flight.arrival().await;
                    // Nothing interrupts a task's wait but its drop.
                    wait.end(true);
                    if let Some(lease) = self.landed(landing)? {
                        return Ok(lease);
                    }
                }
            }
        }
    }

    fn is_valid(&self, lease: &Lease<V>) -> Result<bool, Error<F>> {
        if !self.core.settings.validates {
            return Ok(true);
        }
        let Some(_checking) = checking(lease.entry().address()) else {
            let name = self.core.name.to_string();
            return Err(Error::Cycle(vec![name.clone(), name]));
        };
        self.core.is_valid(lease).map_err(Error::Interrupted)
    }

    /// The entry kept under `key`, for one who only looks.
    pub(crate) fn kept(&self, key: &KeyRef<'_>) -> Result<Option<Lease<V>>, Error<F>> {
        // Each round has looked at more inputs, so one is the last.
        let mut seen = Seen::default();
        loop {
            match self.scoped.cache().kept(key, &seen) {
                Ok(kept) => return Ok(kept),
                Err(unseen) => self.look_at(unseen, &mut seen)?,
            }
        }
    }

    /// Looks at the present values of these inputs.
    fn look_at(&self, unseen: Vec<Observed>, seen: &mut Seen) -> Result<(), Error<F>> {
        for shape in unseen {
            let values = self.present(&shape)?;
            seen.add(shape, values);
        }
        Ok(())
    }

    /// The next step. `missed`: whether the call was counted as a miss.
    fn step(&self, key: &KeyRef<'_>, missed: &mut bool) -> Result<Step<'_, V, F>, Error<F>> {
        // Each round has looked at more inputs, so one is the last.
        let mut seen = Seen::default();
        let step = loop {
            match self.scoped.cache().find(key, &seen) {
                // A hit or a miss: its check will tell.
                Found::Entry(entry) => return Ok(Step::Check(Lease::new(entry))),
                Found::Leads(leader) => break Step::Build(leader),
                Found::Flight(flight) => break Step::Wait(flight),
                Found::Unseen(unseen) => self.look_at(unseen, &mut seen)?,
            }
        };
        // A call that looks again is one miss.
        if !std::mem::replace(missed, true) {
            self.core.counters.missed();
        }
        Ok(step)
    }

    /// The entry was found good: the call is a hit. Nothing where the entry ended meanwhile: a
    /// check may take long.
    fn accept(&self, lease: Lease<V>) -> Result<Option<Lease<V>>, Error<F>> {
        if self.core.settings.validates && !lease.entry().is_live() {
            return Ok(None);
        }
        lease.entry().count_hits(1);
        self.replayed(lease).map(Some)
    }

    /// The entry was turned down.
    fn refuse(&self, lease: Lease<V>) {
        self.scoped
            .cache()
            .discard(lease.into_entry(), Cause::Invalid);
    }

    fn replayed(&self, lease: Lease<V>) -> Result<Lease<V>, Error<F>> {
        if let (Some(recording), Some(host)) = (lease.recording(), &self.host) {
            host.replay(recording).map_err(Error::Interrupted)?;
        }
        Ok(lease)
    }

    /// The resource that a wait ended with, or nothing where the call has to look again.
    fn landed(&self, landing: Landing<V, F>) -> Result<Option<Lease<V>>, Error<F>> {
        match landing {
            // Who woke late may have slept past its expiry.
            Landing::Filled(entry) if entry.has_expired() => Ok(None),
            Landing::Filled(entry) => {
                let observed = entry.observed().map(|(_, observed)| observed);
                if self.sees_the_same(observed)? {
                    self.replayed(Lease::new(entry)).map(Some)
                } else {
                    // It was built for other inputs than this caller sees.
                    Ok(None)
                }
            }
            Landing::Failed(failure, observed) => {
                if self.sees_the_same(observed.as_ref())? {
                    Err(Error::Failed(failure))
                } else {
                    Ok(None)
                }
            }
            // Of those who waited, one leads next.
            Landing::HandedOn => Ok(None),
        }
    }

    fn sees_the_same(&self, observed: Option<&Observed>) -> Result<bool, Error<F>> {
        let Some(observed) = observed else {
            return Ok(true);
        };
        let present = self.present(observed)?;
        Ok(observed.values() == Some(&present))
    }

    /// The present values of these inputs, as this caller has them.
    fn present(&self, observed: &Observed) -> Result<Key, Error<F>> {
        let mut values = Encoder::new();
        if let Some(host) = &self.host {
            host.observe(observed, &mut values)
                .map_err(Error::Interrupted)?;
        }
        Ok(values.finish().to_key())
    }

    /// Tells the host of a build or a wait, and has its spinner shown after the delay.
    fn begin(
        &self,
        flight: &Flight<V, F>,
        nested: bool,
        waits: bool,
    ) -> Result<Option<Shown>, Error<F>> {
        let Some(host) = &self.host else {
            return Ok(None);
        };
        let core = self.core;
        let looks = core.looks.lock().clone();
        // The outermost build shows what its author chose; those within it show nothing.
        let text = if nested {
            None
        } else {
            looks.spinner.text(&core.name, !flight.key.is_empty())
        };
        let shows = text.is_some();
        let start = BuildStart {
            function: &core.name,
            text,
            show_time: looks.show_time,
            observes: core.settings.observes,
            waits,
        };
        let build = host.begin(&start).map_err(Error::Interrupted)?;
        Ok(build.map(|build| Shown::new(build, shows, &core.services)))
    }

    /// Notes that the build this code belongs to, if any, needs `flight`.
    fn edge(&self, flight: &Flight<V, F>) -> Result<Option<Edge<'a>>, Error<F>> {
        let graph = &self.core.services.graph;
        match Inside::current() {
            Some(parent) => {
                let name = &self.core.name;
                let edge = graph.need(&parent, flight.id, name);
                edge.map(Some).map_err(Error::Cycle)
            }
            None => Ok(None),
        }
    }

    /// Marks this thread's code as part of the build.
    fn inside(&self, flight: &Flight<V, F>) -> Inside {
        Inside::enter(flight.id, &self.core.name)
    }

    fn lead<'c>(&'c self, leader: Leader<'c, V, F>) -> Result<Leading<'c, 'a, V, F>, Error<F>> {
        let edge = self.edge(leader.flight())?;
        let shown = match self.host {
            None => None,
            Some(_) => {
                let _inside = self.inside(leader.flight());
                self.begin(leader.flight(), edge.is_some(), false)?
            }
        };
        let core = self.core;
        Ok(Leading {
            call: self,
            shown,
            _edge: edge,
            started: core.services.clock.now(),
            span: tracing::info_span!("build", function = %core.name),
            leader,
        })
    }

    fn wait(&self, flight: &Flight<V, F>) -> Result<ShownWait<'a>, Error<F>> {
        let edge = self.edge(flight)?;
        let shown = self.begin(flight, edge.is_some(), true)?;
        let core = self.core;
        Ok(ShownWait {
            shown,
            _edge: edge,
            _watch: Watch::begin(&core.services, &core.name, &flight.polls),
            _count: core.counters.waits(),
        })
    }
}

/// A build by this caller. Dropped without an outcome, it hands the duty on, and only then tells
/// the host, which may call anything.
struct Leading<'c, 'a, V: Resource, F: Failure> {
    leader: Leader<'c, V, F>,
    call: &'c Call<'a, V, F>,
    shown: Option<Shown>,
    _edge: Option<Edge<'a>>,
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

impl<V: Resource, F: Failure> Leading<'_, '_, V, F> {
    /// Runs a part of the build on this thread: all of it, or one [`poll`](Self::poll).
    fn run<T>(&self, part: impl FnOnce() -> T) -> T {
        let _span = self.span.enter();
        let _inside = self.call.inside(self.leader.flight());
        let _entered = self.shown.as_ref().map(Shown::enter);
        let unwound = FailsOnUnwind(&self.call.core.counters);
        let outcome = part();
        std::mem::forget(unwound);
        outcome
    }

    /// Runs one poll of an async build on this thread, and notes when.
    fn poll<T>(&self, part: impl FnOnce() -> T) -> T {
        let now = self.call.core.clock.now();
        self.leader.flight().polls.polled(now);
        self.run(part)
    }

    /// The build has ended.
    fn finish(
        self,
        outcome: Result<impl Into<Built<V>>, BuildError<F>>,
    ) -> Result<Lease<V>, Error<F>> {
        let Self {
            leader,
            call,
            shown,
            _edge,
            started,
            span: _,
        } = self;
        // Everything below is dropped from the last to the first: the duty, the resource, the shutdown's
        // count, and then `_edge`, since the build around this one needs it until it has landed.
        let core = call.core;
        let services = &core.services;
        let now = services.clock.now();
        // A shutdown waits for what has been built and is no entry yet, or is released as none.
        let _under_way = outcome.is_ok().then(|| services.under_way.begin());
        let outcome = match outcome {
            Ok(built) => {
                core.counters.built(now.saturating_sub(started));
                let built_at = core.services.stamp(now);
                Ok(Unkept::new(built.into(), built_at, core))
            }
            Err(error) => {
                core.counters.failed();
                Err(error)
            }
        };
        // Behind the resource, to be dropped before it: on every way out the duty is handed on before
        // the resource is released, which may take long or need this very entry.
        let leader = leader;
        let recording = match shown {
            None => None,
            Some(shown) => {
                // What the host does now is still part of the build: if it needs this very entry,
                // that is a cycle.
                let _inside = call.inside(leader.flight());
                let recording = shown.end(outcome.is_ok());
                recording.map(|it| call.valued(it)).transpose()?
            }
        };
        match outcome {
            Ok(unkept) => {
                let keeps = {
                    // The build's last word: if it needs this very entry, that is a cycle.
                    let _inside = call.inside(leader.flight());
                    core.behaviour.keeps(unkept.value())
                };
                let keeps = keeps.map_err(Error::Interrupted)?;
                let (built, built_at) = unkept.keep();
                Ok(leader.fill(built, built_at, recording, keeps))
            }
            Err(BuildError::Failed(failure)) => {
                let observed = recording.as_ref().and_then(Recording::observed).cloned();
                // Where inputs do not count, the failure is everyone's.
                let observed = observed.filter(|_| core.settings.observes);
                let shared_failure = failure.clone();
                leader.fail(shared_failure, observed);
                Err(Error::Failed(failure))
            }
            // The leader's drop hands the duty on.
            Err(BuildError::Died(interrupt)) => Err(Error::Interrupted(interrupt)),
        }
    }
}

impl<V: Resource, F: Failure> Call<'_, V, F> {
    /// Sees to it that observed inputs have their values, where they count.
    fn valued(&self, mut recording: Recording) -> Result<Recording, Error<F>> {
        if self.core.settings.observes
            && let Some(observed) = recording.observed_mut()
            && observed.values().is_none()
        {
            let values = self.present(observed)?;
            observed.set_values(values);
        }
        Ok(recording)
    }
}

/// A wait for another's build; counted and shown for as long as it lives.
struct ShownWait<'a> {
    shown: Option<Shown>,
    _edge: Option<Edge<'a>>,
    _watch: Option<Watch>,
    _count: info::WaitCount<'a>,
}

impl ShownWait<'_> {
    fn end(self, seen_to_the_end: bool) {
        if let Some(shown) = self.shown {
            shown.end(seen_to_the_end);
        }
    }
}
