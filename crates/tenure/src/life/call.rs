//! One call of a cached function: what it finds, and what it does then.
//!
//! Blocking and async callers walk the same steps: [`Call::step`] says what there is to do,
//! [`Build`] is a build by this caller, [`Waiter`] a wait for another's. The two kinds differ
//! only in how they wait and in how they run what the program gave them.

use std::future::poll_fn;
use std::pin::pin;

use crate::ground::strand::{Layers, Within};
use crate::ground::sync::{Arc, thread_local};
use crate::host::Host;
use crate::host::observe::Seen;
use crate::host::record::Observed;
use crate::key::KeyRef;
use crate::life::asker::Asker;
use crate::life::build::Build;
use crate::life::cache::{Cache, Found};
use crate::life::core::Core;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::life::waiter::Waiter;
use crate::life::waiting::{BlockingWait, Waiting};
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::{BuildError, Error};

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
                    if self.asker.core.settings.validates && !check(lease.clone()).await {
                        self.refuse(lease);
                    } else if let Some(lease) = self.accept(lease)? {
                        return Ok(lease);
                    }
                }
                Step::Build(mine) => {
                    let outcome = {
                        // Dropped before the flight lands: what it holds is still the build's.
                        let mut build = pin!(build);
                        poll_fn(|cx| mine.poll(|| build.as_mut().poll(cx))).await
                    };
                    return mine.finish(outcome.map_err(BuildError::Failed));
                }
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
        let Some(_checking) = checking(lease.entry().address()) else {
            let name = self.asker.core.name.to_string();
            return Err(Error::Cycle(vec![name.clone(), name]));
        };
        self.asker.core.is_valid(lease).map_err(Error::Interrupted)
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
