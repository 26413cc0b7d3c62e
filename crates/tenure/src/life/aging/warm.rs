//! Builds that begin before anyone has asked: a cache is made warm.
//!
//! 1. Each waits for its turn among the builds in the background, and is never skipped.
//! 2. It counts as no call: neither as a hit nor as a miss, nor as a caller that waits.
//! 3. Whoever has it begun is told once what became of it, on every way out.
//! 4. What is polled here is polled by the timer, under no lock.

use std::pin::Pin;
use std::task::{Context, Wake, Waker};

use crate::ground::sync::{Arc, Mutex};
use crate::key::Key;
use crate::life::aging::workers::Worker;
use crate::life::building::again::{self, Again};
use crate::life::building::asked::Asked;
use crate::life::building::detached::Detached;
use crate::life::cache::Cache;
use crate::life::call::{Call, ScopedCache, Step};
use crate::life::flight::Landing;
use crate::life::services::Services;
use crate::words::bounds::{Failure, Resource};

/// What became of a build that was to make a cache warm.
///
/// ```
/// use std::sync::mpsc::channel;
/// use tenure::front::Warmed;
/// use tenure::{Engine, Function, KeyRef, ManualClock, Settings};
///
/// # let engine = Engine::with_clock(ManualClock::new());
/// # let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default()).unwrap();
/// let (told, heard) = channel();
/// let again = std::sync::Arc::new(|build: tenure::front::Detached<u32, String>| {
///     let outcome = build.run(|| Err(tenure::front::BuildError::Failed("no route".to_owned())));
///     build.finish(outcome, |interrupt| format!("{interrupt:?}"));
/// });
/// pools.warm(&KeyRef::EMPTY, again, move |warmed| told.send(warmed).unwrap()).unwrap();
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
    again: Again<V, F>,
    done: impl FnOnce(Warmed<F>) + Send + 'static,
) {
    let services = Arc::clone(cache.services());
    let told = Told(Some(Box::new(done)));
    let most = services.config.refresh_workers();
    let timed = Arc::clone(&services);
    let turn = move |worker| {
        let warming = async move {
            let warmed = warming(&cache, &key, &again, worker).await;
            told.tell(warmed);
        };
        Polled::begin(timed, Box::pin(warming));
    };
    services.workers.queue(most, Box::new(turn));
}

async fn warming<V: Resource, F: Failure>(
    cache: &Arc<Cache<V, F>>,
    key: &Key,
    again: &Again<V, F>,
    worker: Worker,
) -> Warmed<F> {
    // It serves nobody, so there is no session, no spinner and nobody to put anything out for.
    let call = Call::new(&cache.core, ScopedCache::OfSession(Arc::clone(cache)), None);
    loop {
        let step = call.step(&key.as_key(), &mut Asked::by_nobody());
        match step {
            Ok(Step::Check(_)) => return Warmed::Kept,
            Ok(Step::Build(mut build)) => {
                call.set_renewal(&mut build, &|| Some(Arc::clone(again)));
                let (build, waiter) = Detached::part(build.by(worker));
                waiter.flight().leaves_thread();
                let arrival = waiter.arrival();
                waiter.give_up();
                again::begin(build, again);
                return match arrival.await {
                    Landing::Filled(_) => Warmed::Built,
                    Landing::Failed(failure, _) => Warmed::Failed(failure),
                    Landing::HandedOn => Warmed::Lost,
                };
            }
            Ok(Step::Wait(waiter)) => {
                let arrival = waiter.arrival();
                waiter.give_up();
                match arrival.await {
                    Landing::Filled(_) => return Warmed::Kept,
                    Landing::Failed(failure, _) => return Warmed::Failed(failure),
                    Landing::HandedOn => {}
                }
            }
            // Nobody is asked who could end it.
            Err(_) => return Warmed::Lost,
        }
    }
}

/// A future that the timer polls.
struct Polled {
    services: Arc<Services>,
    state: Mutex<State>,
}

struct State {
    /// Nothing while it is being polled, and once it is over.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// It was woken while it was being polled.
    woken: bool,
}

impl Polled {
    fn begin(services: Arc<Services>, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let state = State {
            future: Some(future),
            woken: false,
        };
        let polled = Self {
            services,
            state: Mutex::new(state),
        };
        Arc::new(polled).soon();
    }

    fn soon(self: Arc<Self>) {
        let services = Arc::clone(&self.services);
        let now = services.clock.now();
        services.timer.at(now, move |_| self.poll());
    }

    fn poll(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = Context::from_waker(&waker);
        loop {
            let mut state = self.state.lock();
            let Some(mut future) = state.future.take() else {
                state.woken = true;
                return;
            };
            state.woken = false;
            drop(state);
            if future.as_mut().poll(&mut cx).is_ready() {
                return;
            }
            let mut state = self.state.lock();
            let woken = state.woken;
            state.future = Some(future);
            drop(state);
            if !woken {
                return;
            }
        }
    }
}

impl Wake for Polled {
    fn wake(self: Arc<Self>) {
        self.soon();
    }
}
