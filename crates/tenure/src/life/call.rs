//! One call of a cached function: what it finds, and what it does then.
//!
//! Blocking and async callers walk the same steps: [`Call::step`] says what there is to do,
//! [`Build`] is a build by this caller, [`Waiter`] a wait for another's. The two kinds differ
//! only in how they wait and in how they run what the program gave them.

use std::future::poll_fn;
use std::pin::pin;

use crate::ground::sync::Arc;
use crate::host::Host;
use crate::host::observe::Seen;
use crate::host::record::Observed;
use crate::key::KeyRef;
use crate::life::asker::Asker;
use crate::life::build::Build;
use crate::life::cache::{Cache, Found};
use crate::life::carry::Plan;
use crate::life::checking::{self, Checking};
use crate::life::core::Core;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::life::waiter::Waiter;
use crate::life::waiting::{BlockingWait, Waiting};
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::{BuildError, Error, lost};

/// A call that found no entry by the short way.
pub(crate) struct Call<'a, V: Resource, F: Failure> {
    asker: Asker<V>,
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

/// The next step of a call.
pub(crate) enum Step<V: Resource, F: Failure> {
    /// Check this entry, then accept or refuse it.
    Check(Lease<V>),
    Build(Build<V, F>),
    /// Wait for another's build.
    Wait(Waiter<V, F>),
}

impl<'a, V: Resource, F: Failure> Call<'a, V, F> {
    pub(crate) fn new(
        core: &Arc<Core<V>>,
        scoped: ScopedCache<'a, V, F>,
        host: Option<Arc<dyn Host>>,
    ) -> Self {
        let core = Arc::clone(core);
        Self {
            asker: Asker { core, host },
            scoped,
        }
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
                Step::Build(mut mine) => {
                    // The build runs here to its end, and a strand's thread may end before it.
                    mine.stay_on_thread();
                    let outcome = mine.run(build);
                    return mine.finish(outcome);
                }
                Step::Wait(waiter) => {
                    let mut wait = BlockingWait::new(&self.asker.core.name, waiter.flight());
                    if let Err(interrupt) = waiting.wait(&mut wait) {
                        drop(wait);
                        waiter.give_up();
                        return Err(Error::Interrupted(interrupt));
                    }
                    let landing = wait.landing();
                    if let Some(lease) = waiter.landed(landing)? {
                        return Ok(lease);
                    }
                }
            }
        }
    }

    /// Finds, waits or builds, as a task.
    pub(crate) async fn task<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        mut plan: impl Plan<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        let mut missed = false;
        loop {
            match self.step(key, &mut missed)? {
                Step::Check(lease) => {
                    let is_good = if self.asker.core.settings.validates {
                        let entry = lease.entry().address();
                        // One that blocks runs right here.
                        let check = self.checking(&lease).map(|_it| check(lease.clone()))?;
                        checking::awaited(entry, check).await
                    } else {
                        true
                    };
                    if !is_good {
                        self.refuse(lease);
                    } else if let Some(lease) = self.accept(lease)? {
                        return Ok(lease);
                    }
                }
                Step::Build(mine) => match plan.away(mine) {
                    Ok(waiter) => {
                        let landing = waiter.arrival().await;
                        let landed = waiter.landed(landing);
                        // The task has let go of everything by then, as a caller that builds has.
                        let back = poll_fn(|cx| plan.poll_back(cx)).await;
                        back.map_err(Error::Interrupted)?;
                        if let Some(lease) = landed? {
                            return Ok(lease);
                        }
                    }
                    Err(mine) => {
                        let Some(build) = plan.here() else {
                            return Err(Error::Interrupted(lost(&self.asker.core.name)));
                        };
                        let output = {
                            // Dropped before the flight lands: what it holds is still the build's.
                            let mut build = pin!(build);
                            poll_fn(|cx| mine.poll(|| build.as_mut().poll(cx))).await
                        };
                        return mine.finish(plan.outcome(output).map_err(BuildError::Failed));
                    }
                },
                Step::Wait(waiter) => {
                    let landing = waiter.arrival().await;
                    if let Some(lease) = waiter.landed(landing)? {
                        return Ok(lease);
                    }
                }
            }
        }
    }

    fn is_valid(&self, lease: &Lease<V>) -> Result<bool, Error<F>> {
        if !self.asker.core.settings.validates {
            return Ok(true);
        }
        let _checking = self.checking(lease)?;
        let is_valid = self.asker.core.is_valid(lease);
        is_valid.map_err(Error::Interrupted)
    }

    /// Begins a check of this entry; a circle where the code is inside of one already.
    fn checking(&self, lease: &Lease<V>) -> Result<Checking, Error<F>> {
        let name = || self.asker.core.name.to_string();
        let checking = Checking::begin(lease.entry().address());
        checking.ok_or_else(|| Error::Cycle(vec![name(), name()]))
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
            let values = self.asker.present(&shape).map_err(Error::Interrupted)?;
            seen.add(shape, values);
        }
        Ok(())
    }

    /// The next step. `missed`: whether the call was counted as a miss.
    pub(crate) fn step(&self, key: &KeyRef<'_>, missed: &mut bool) -> Result<Step<V, F>, Error<F>> {
        // Each round has looked at more inputs, so one is the last.
        let mut seen = Seen::default();
        loop {
            match self.scoped.cache().find(key, &seen) {
                Found::Entry(entry) => return Ok(Step::Check(Lease::new(entry))),
                Found::Unseen(unseen) => self.look_at(unseen, &mut seen)?,
                Found::Leads(leader) => {
                    self.count_miss(missed);
                    return Build::begin(&self.asker, leader).map(Step::Build);
                }
                Found::Flight(flight) => {
                    self.count_miss(missed);
                    return Waiter::begin(&self.asker, flight).map(Step::Wait);
                }
            }
        }
    }

    /// Counts the call as a miss, once however often it has to look.
    fn count_miss(&self, missed: &mut bool) {
        if !std::mem::replace(missed, true) {
            self.asker.core.counters.missed();
        }
    }

    /// The entry was found good: the call is a hit. Nothing where the entry ended meanwhile: a
    /// check may take long.
    pub(crate) fn accept(&self, lease: Lease<V>) -> Result<Option<Lease<V>>, Error<F>> {
        if self.asker.core.settings.validates && !lease.entry().is_live() {
            return Ok(None);
        }
        lease.entry().count_hits(1);
        self.asker.replayed(lease).map(Some)
    }

    /// The entry was turned down.
    pub(crate) fn refuse(&self, lease: Lease<V>) {
        self.scoped
            .cache()
            .discard(lease.into_entry(), Cause::Invalid);
    }
}
