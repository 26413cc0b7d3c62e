//! One call of a cached function: what it finds, and what it does then.
//!
//! Blocking and async callers walk the same steps: [`Call::step`] says what there is to do,
//! [`Build`] is a build by this caller, [`Waiter`] a wait for another's. The two kinds differ
//! only in how they wait and in how they run what the program gave them.

use std::future::poll_fn;
use std::pin::pin;

use crate::ground::sync::{Arc, spawn};
use crate::host::Host;
use crate::host::observe::Seen;
use crate::host::record::Observed;
use crate::key::{KeyRef, Part};
use crate::life::building::again;
use crate::life::building::asked::Asked;
use crate::life::building::asker::Asker;
use crate::life::building::build::{Build, Outcome};
use crate::life::building::carry::Plan;
use crate::life::building::checking::{self, Checking};
use crate::life::building::detached::Detached;
use crate::life::building::details::Details;
use crate::life::building::leader::Found;
use crate::life::building::patience::Patience;
use crate::life::building::waiter::Waiter;
use crate::life::building::waiting::{BlockingWait, Waiting};
use crate::life::cache::Cache;
use crate::life::core::Core;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::{BuildError, Error, lost};
use crate::words::explanation::Explanation;
use crate::words::miss::Miss;
use crate::words::tags::Tags;

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
#[allow(clippy::large_enum_variant)] // acted on where it is given
pub(crate) enum Step<V: Resource, F: Failure> {
    /// Check this entry, then accept or refuse it.
    Check(Lease<V>),
    Build(Build<V, F>),
    /// Wait for another's build.
    Wait(Waiter<V, F>),
}

/// What a blocking caller has to build with.
enum Means<B, F> {
    Here(B),
    /// It has built, and failed.
    Failed(F),
    Gone,
}

fn timed_out<V: Resource, F: Failure>(
    waiter: Waiter<V, F>,
    patience: Option<Patience>,
) -> Error<F> {
    let patience = patience.expect("only patience ends a wait before the build");
    waiter.timed_out(&patience)
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
        details: &dyn Details<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        let mut asked = Asked::default();
        let mut means = Means::Here(build);
        let mut leaves = self.asker.core.settings.build_timeout.is_some();
        loop {
            let (waiter, is_own) = match self.step(key, &mut asked, details)? {
                Step::Check(lease) => {
                    if !self.is_valid(&lease)? {
                        self.refuse(lease);
                    } else if let Some(lease) = self.accept(lease, &asked, details)? {
                        return Ok(lease);
                    }
                    continue;
                }
                Step::Wait(waiter) => (waiter, false),
                Step::Build(mut mine) => {
                    self.set_details(&mut mine, details);
                    leaves &= !matches!(means, Means::Failed(_));
                    match self.away(mine, leaves, details) {
                        Ok(waiter) => (waiter, true),
                        Err(mut mine) => match std::mem::replace(&mut means, Means::Gone) {
                            Means::Here(build) => {
                                if let Some(hold) = mine.hold() {
                                    waiting.wait(hold).map_err(Error::Interrupted)?;
                                }
                                // It runs here to its end, and a strand's thread may end before it.
                                mine.stay_on_thread();
                                let outcome = mine.run(build);
                                match mine.finish(outcome)? {
                                    Outcome::Built(lease) => return Ok(lease),
                                    Outcome::Stands(failure) => means = Means::Failed(failure),
                                }
                                continue;
                            }
                            // The old resource stood, and has gone since.
                            Means::Failed(failure) => return Err(Error::Failed(failure)),
                            Means::Gone => unreachable!("it has been used, and ended the call"),
                        },
                    }
                }
            };
            match self.wait(waiter, waiting, &mut asked) {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => {}
                Err(error) => return self.kept_after(key, error),
            }
            // One that has died elsewhere is built here next: whoever called is to see why.
            leaves &= !is_own;
        }
    }

    /// The resource that a caller out of patience has in the place of the one it waited for, if there is one
    /// that may still be handed out.
    pub(crate) fn kept_after(
        &self,
        key: &KeyRef<'_>,
        error: Error<F>,
    ) -> Result<Lease<V>, Error<F>> {
        if !matches!(error, Error::TimedOut { .. }) {
            return Err(error);
        }
        match self.kept(key)? {
            Some(lease) => self.asker.replayed(lease),
            None => Err(error),
        }
    }

    /// Has the engine build the successor of what this build gives, where it does that by itself, and a listing show
    /// the arguments.
    pub(crate) fn set_details(&self, build: &mut Build<V, F>, details: &dyn Details<V, F>) {
        build.shown_with(details.arguments());
        if let Some(renewal) = self.scoped.cache().renewal(|| details.again()) {
            build.renewed_by(renewal);
        }
    }

    /// Has a thread of its own carry the build, where its caller does not wait for as long as it takes;
    /// or gives it back.
    #[allow(clippy::result_large_err)] // moved once, and never passed on
    fn away(
        &self,
        build: Build<V, F>,
        leaves: bool,
        details: &dyn Details<V, F>,
    ) -> Result<Waiter<V, F>, Build<V, F>> {
        let Some(again) = leaves.then(|| details.again()).flatten() else {
            return Err(build);
        };
        if let Some(stage) = build.stage() {
            stage.moves();
        }
        let (build, waiter) = Detached::part(build);
        waiter.flight().leaves_thread();
        again::once_permitted(build, move |build| {
            let function = Arc::clone(build.function());
            if let Err(error) = spawn("tenure-build", move || again(build)) {
                // It is handed on, and whoever takes it up next builds it in the call.
                tracing::error!(%function, %error, "no thread for a build with a build_timeout");
            }
        });
        Ok(waiter)
    }

    /// Waits for another's build, on the caller's thread. Nothing where the caller has to look again.
    fn wait(
        &self,
        waiter: Waiter<V, F>,
        waiting: &dyn Waiting,
        asked: &mut Asked,
    ) -> Result<Option<Lease<V>>, Error<F>> {
        let patience = waiter.patience(asked);
        let name = &self.asker.core.name;
        let mut wait = BlockingWait::new(name, waiter.flight(), patience.as_ref());
        if let Err(interrupt) = waiting.wait(&mut wait) {
            drop(wait);
            waiter.give_up();
            return Err(Error::Interrupted(interrupt));
        }
        match (wait.landing(), &patience) {
            (Some(landing), _) => waiter.landed(landing),
            (None, Some(patience)) => Err(waiter.timed_out(patience)),
            (None, None) => unreachable!("only patience ends a wait before the build"),
        }
    }

    /// Finds, waits or builds, as a task.
    pub(crate) async fn task<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        mut plan: impl Plan<V, F>,
        tags: Tags,
    ) -> Result<Lease<V>, Error<F>> {
        let mut asked = Asked::tagged(tags);
        let mut failed = None;
        loop {
            match self.step(key, &mut asked, &|| None)? {
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
                    } else if let Some(lease) = self.accept(lease, &asked, &|| plan.again())? {
                        return Ok(lease);
                    }
                }
                Step::Build(mut mine) => {
                    self.set_details(&mut mine, &|| plan.again());
                    match plan.away(mine) {
                        Ok(waiter) => {
                            let patience = waiter.patience(&mut asked);
                            let Some(landing) = waiter.arrived(patience.as_ref()).await else {
                                return self.kept_after(key, timed_out(waiter, patience));
                            };
                            let landed = waiter.landed(landing);
                            // The task has let go of everything by then, as a caller that builds has.
                            let back = poll_fn(|cx| plan.poll_back(cx)).await;
                            back.map_err(Error::Interrupted)?;
                            if let Some(lease) = landed? {
                                return Ok(lease);
                            }
                        }
                        Err(mine) => {
                            if let Some(failure) = failed {
                                // The old resource stood, and has gone since.
                                return Err(Error::Failed(failure));
                            }
                            let Some(build) = plan.here() else {
                                return Err(Error::Interrupted(lost(&self.asker.core.name)));
                            };
                            poll_fn(|cx| mine.poll_turn(cx)).await;
                            let output = {
                                // Dropped before the flight lands: what it holds is still the build's.
                                let mut build = pin!(build);
                                poll_fn(|cx| mine.poll(|| build.as_mut().poll(cx))).await
                            };
                            match mine.finish(plan.outcome(output).map_err(BuildError::Failed))? {
                                Outcome::Built(lease) => return Ok(lease),
                                Outcome::Stands(failure) => failed = Some(failure),
                            }
                        }
                    }
                }
                Step::Wait(waiter) => {
                    let patience = waiter.patience(&mut asked);
                    let Some(landing) = waiter.arrived(patience.as_ref()).await else {
                        return self.kept_after(key, timed_out(waiter, patience));
                    };
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

    /// What the call would meet, whose arguments wrote these parts of the key.
    pub(crate) fn explain(
        &self,
        key: &KeyRef<'_>,
        parts: &[Part<'_>],
    ) -> Result<Explanation, Error<F>> {
        let mut seen = Seen::default();
        loop {
            match self.scoped.cache().explain(key, parts, &seen) {
                Ok(why) => return Ok(why),
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

    /// The next step.
    pub(crate) fn step(
        &self,
        key: &KeyRef<'_>,
        asked: &mut Asked,
        details: &dyn Details<V, F>,
    ) -> Result<Step<V, F>, Error<F>> {
        // Each round has looked at more, so one is the last.
        let mut seen = Seen::default();
        loop {
            match self.scoped.cache().find(key, &seen, asked.tags()) {
                Found::Untagged => {
                    let tags = details.tags().map_err(Error::Interrupted)?;
                    asked.carries(tags);
                }
                Found::Entry(entry) => return Ok(Step::Check(Lease::new(entry))),
                Found::Unseen(unseen) => self.look_at(unseen, &mut seen)?,
                Found::Leads(leader) => {
                    asked.misses(&self.asker.core, leader.reason());
                    return Build::begin(&self.asker, leader).map(Step::Build);
                }
                Found::Flight(flight) => {
                    asked.misses(&self.asker.core, Miss::Building);
                    return Waiter::begin(&self.asker, flight).map(Step::Wait);
                }
            }
        }
    }

    /// The entry was found good: the call is a hit. Nothing where the entry ended meanwhile: a
    /// check may take long.
    pub(crate) fn accept(
        &self,
        lease: Lease<V>,
        asked: &Asked,
        details: &dyn Details<V, F>,
    ) -> Result<Option<Lease<V>>, Error<F>> {
        let settings = &self.asker.core.settings;
        let entry = lease.entry();
        if settings.validates && !entry.is_live() {
            return Ok(None);
        }
        entry.note_use();
        // One that has been a miss stays one, whatever it gets in the end.
        if !asked.is_miss() {
            entry.count_hits(1);
        }
        if settings.refreshes_beside()
            && entry.is_due()
            && let Some(again) = details.again()
        {
            self.scoped.cache().refresh(entry, again);
        }
        self.asker.replayed(lease).map(Some)
    }

    /// The entry was turned down.
    pub(crate) fn refuse(&self, lease: Lease<V>) {
        self.scoped
            .cache()
            .discard(lease.into_entry(), Cause::Invalid);
    }
}
