//! Builds that begin before anyone has asked: a cache is made warm.
//!
//! 1. Each waits for its turn among the builds in the background, and is never skipped.
//! 2. It counts as no call: neither as a hit nor as a miss, nor as a caller that waits.
//! 3. Whoever has it begun is told once what became of it, on every way out.

use crate::ground::sync::Arc;
use crate::key::Key;
use crate::life::aging::workers::Worker;
use crate::life::building::again::{self, Again};
use crate::life::building::asked::Asked;
use crate::life::building::detached::Detached;
use crate::life::building::polled::Polled;
use crate::life::cache::Cache;
use crate::life::call::{Call, ScopedCache, Step};
use crate::life::flight::Landing;
use crate::words::bounds::{Failure, Resource};
use crate::words::tags::Tags;

/// What became of a build that was to make a cache warm.
///
/// ```
/// use std::sync::mpsc::channel;
/// use tenure::front::Warmed;
/// use tenure::{Engine, Function, KeyRef, ManualClock, Settings, Tags};
///
/// # let engine = Engine::with_clock(ManualClock::new());
/// # let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default()).unwrap();
/// let (told, heard) = channel();
/// let again = std::sync::Arc::new(|build: tenure::front::Detached<u32, String>| {
///     let outcome = build.run(|| Err(tenure::front::BuildError::Failed("no route".to_owned())));
///     build.finish(outcome, |interrupt| format!("{interrupt:?}"));
/// });
/// pools.warm(&KeyRef::EMPTY, Tags::default(), again, move |warmed| told.send(warmed).unwrap()).unwrap();
/// engine.run_due();
/// assert!(matches!(heard.recv(), Ok(Warmed::Failed(text)) if text == "no route"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warmed<F> {
    /// The resource was there, or a build that others had begun gave it.
    Kept,
    /// The build gave it.
    Built,
    /// The build failed.
    Failed(F),
    /// Nobody could carry the build to its end, or the engine was shut down before its turn.
    Lost,
}

/// Tells what became of a build, once.
struct Told<F>(Option<Box<dyn FnOnce(Warmed<F>) + Send>>);

impl<F> Told<F> {
    fn tell(mut self, warmed: Warmed<F>) {
        if let Some(done) = self.0.take() {
            done(warmed);
        }
    }
}

impl<F> Drop for Told<F> {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Warmed::Lost);
        }
    }
}

/// Has the resource under `key` built once it is its turn, unless it is there by then.
pub(crate) fn warm<V: Resource, F: Failure>(
    cache: Arc<Cache<V, F>>,
    key: Key,
    tags: Tags,
    again: Again<V, F>,
    done: impl FnOnce(Warmed<F>) + Send + 'static,
) {
    let services = Arc::clone(cache.services());
    let told = Told(Some(Box::new(done)));
    let most = services.config.refresh_workers();
    let timed = Arc::clone(&services);
    let turn = move |worker| {
        let warming = async move {
            let warmed = warming(&cache, &key, tags, &again, worker).await;
            told.tell(warmed);
        };
        Polled::begin(timed, Box::pin(warming));
    };
    services.workers.queue(most, Box::new(turn));
}

async fn warming<V: Resource, F: Failure>(
    cache: &Arc<Cache<V, F>>,
    key: &Key,
    tags: Tags,
    again: &Again<V, F>,
    worker: Worker,
) -> Warmed<F> {
    // It serves nobody, so there is no session, no spinner and nobody to put anything out for.
    let call = Call::new(&cache.core, ScopedCache::OfSession(Arc::clone(cache)), None);
    let mut asked = Asked::by_nobody(tags);
    loop {
        let step = call.step(&key.as_key(), &mut asked, &|| None);
        match step {
            Ok(Step::Check(_)) => return Warmed::Kept,
            Ok(Step::Build(mut build)) => {
                call.set_details(&mut build, &|| Some(Arc::clone(again)));
                let (build, waiter) = Detached::part(build);
                waiter.flight().leaves_thread();
                let hearer = waiter.only_hears();
                let arrival = hearer.arrival();
                again::begin(build, worker, again);
                return match arrival.await {
                    Landing::Filled(_) => Warmed::Built,
                    Landing::Failed(failure, _) => {
                        hearer.heard();
                        Warmed::Failed(failure)
                    }
                    Landing::HandedOn => Warmed::Lost,
                };
            }
            Ok(Step::Wait(waiter)) => {
                let hearer = waiter.only_hears();
                match hearer.arrival().await {
                    Landing::Filled(_) => return Warmed::Kept,
                    Landing::Failed(failure, _) => {
                        hearer.heard();
                        return Warmed::Failed(failure);
                    }
                    Landing::HandedOn => {}
                }
            }
            // Nobody is asked who could end it.
            Err(_) => return Warmed::Lost,
        }
    }
}
