//! A cached function: its settings, its caches in every scope, and the call that ties them.

use std::collections::HashMap;
use std::sync::atomic::AtomicU8;
use std::time::Duration;

use crate::bounds::{Failure, Resource};
use crate::cache::{Cache, Found, Leader};
use crate::clock::Nanos;
use crate::engine::{AnyFunction, Engine};
use crate::entry::Lease;
use crate::error::{BuildError, Error, Interrupt, SettingError};
use crate::flight::{Flight, Inside, Landing};
use crate::host::{BuildStart, Host, HostBuild, SessionId};
use crate::info::{Counters, Info};
use crate::key::KeyRef;
use crate::record::Recording;
use crate::release::{Behaviour, Cause, release};
use crate::settings::{Scope, Settings};
use crate::sync::{Arc, Mutex, Ordering, Weak};

/// How long a build runs before its spinner shows.
const SPINNER_DELAY: Nanos = 100_000_000;

/// What all entries of one function share.
pub(crate) struct Shared<V: Resource> {
    pub(crate) name: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) behaviour: Box<dyn Behaviour<V>>,
    pub(crate) engine: Engine,
    pub(crate) counters: Counters,
}

impl<V: Resource> Shared<V> {
    pub(crate) fn drain(&self) -> Option<Duration> {
        self.settings.drain.or_else(|| self.engine.config().drain)
    }
}

/// A cached function over resources `V` and failures `F`.
///
/// A failure is handed to every caller that waited, so it must be `Clone`.
///
/// ```
/// use tenure::{Encoder, Engine, Function, Settings};
///
/// let engine = Engine::new();
/// let squares = Function::<u64, String>::plain(&engine, "square", Settings::default())?;
/// let mut key = Encoder::new();
/// key.framed(1, &7u64.to_le_bytes());
/// let lease = squares.get_or_build(&key.finish(), || Ok(49)).unwrap();
/// assert_eq!(*lease, 49);
/// assert_eq!(squares.info().builds, 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub struct Function<V: Resource, F: Failure> {
    shared: Arc<Shared<V>>,
    global: Arc<Cache<V, F>>,
    sessions: Mutex<HashMap<SessionId, Arc<Cache<V, F>>>>,
    me: Weak<Self>,
}

struct Plain;

impl<V: Resource> Behaviour<V> for Plain {}

/// How a blocking caller waits.
pub trait Waiting {
    /// Waits for `landing` to give something; each call of it returns within the pause given.
    ///
    /// # Errors
    /// What ends the wait from outside.
    fn wait(&self, landing: &mut dyn FnMut(Option<Duration>) -> bool) -> Result<(), Interrupt>;
}

/// Waits until the build has ended, whatever happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patiently;

impl Waiting for Patiently {
    fn wait(&self, landing: &mut dyn FnMut(Option<Duration>) -> bool) -> Result<(), Interrupt> {
        while !landing(None) {}
        Ok(())
    }
}

impl<V: Resource, F: Failure> Function<V, F> {
    /// A function whose resources need no check and no callback.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn plain(
        engine: &Engine,
        name: &str,
        settings: Settings,
    ) -> Result<Arc<Self>, SettingError> {
        Self::new(engine, name, settings, Box::new(Plain))
    }

    /// A function with its own check and release.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(
        engine: &Engine,
        name: &str,
        settings: Settings,
        behaviour: Box<dyn Behaviour<V>>,
    ) -> Result<Arc<Self>, SettingError> {
        settings.check()?;
        let shared = Arc::new(Shared {
            name: Arc::from(name),
            settings,
            behaviour,
            engine: engine.clone(),
            counters: Counters::default(),
        });
        let function = Arc::new_cyclic(|me| Self {
            global: Cache::new(Arc::clone(&shared)),
            sessions: Mutex::new(HashMap::new()),
            me: Weak::clone(me),
            shared,
        });
        let any: Weak<dyn AnyFunction> = function.me.clone();
        engine.add_function(any);
        Ok(function)
    }

    /// The function's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Looks at the live entry of a global function, and counts a hit where `look` takes it.
    ///
    /// The short way for a front door: no lease is made. `look` runs under a lock, so it must not
    /// run foreign code, and it is not asked where an access has to be validated or replayed.
    #[inline]
    pub fn peek<T>(&self, key: &KeyRef<'_>, look: impl FnOnce(&V) -> T) -> Option<T> {
        if self.shared.settings.validates || self.shared.settings.scope != Scope::Global {
            return None;
        }
        self.global.peek(key, |lease| {
            if lease.recording().is_some() {
                return None;
            }
            lease.entry().count_hit();
            Some(look(lease))
        })
    }

    /// The resource under `key`; `build` runs where there is none, once for all who ask.
    ///
    /// # Errors
    /// The build's failure, a cycle, a missing session.
    pub fn get_or_build(
        &self,
        key: &KeyRef<'_>,
        build: impl FnOnce() -> Result<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        self.get_or_build_while(key, &Patiently, || build().map_err(BuildError::Failed))
    }

    /// The same for a caller whose wait or build can be ended from outside.
    ///
    /// # Errors
    /// The build's failure, a cycle, a missing session, an interruption.
    pub fn get_or_build_while(
        &self,
        key: &KeyRef<'_>,
        waiting: &dyn Waiting,
        build: impl FnOnce() -> Result<V, BuildError<F>>,
    ) -> Result<Lease<V>, Error<F>> {
        let host = self.shared.engine.host();
        let host = host.as_deref();
        let cache = self.cache(host)?;
        let mut missed = false;
        let lease = loop {
            let flight = match cache.find(key) {
                Found::Entry(lease) => {
                    if !self.is_valid(&lease)? {
                        cache.discard(&lease, Cause::Invalid);
                        continue;
                    }
                    lease.entry().count_hit();
                    break lease;
                }
                Found::Leads(leader) => {
                    self.count_miss(&mut missed);
                    return self.lead(leader, host, build);
                }
                Found::Flight(flight) => flight,
            };
            self.count_miss(&mut missed);
            match self.wait(&flight, host, waiting)? {
                Landing::Filled(lease) => break lease,
                Landing::Failed(failure) => return Err(Error::Failed(failure)),
                Landing::Abandoned => {}
            }
        };
        self.replay(&lease, host)?;
        Ok(lease)
    }

    fn count_miss(&self, missed: &mut bool) {
        if !std::mem::replace(missed, true) {
            self.shared.counters.missed();
        }
    }

    fn is_valid(&self, lease: &Lease<V>) -> Result<bool, Error<F>> {
        if !self.shared.settings.validates {
            return Ok(true);
        }
        let verdict = self.shared.behaviour.validate(lease);
        verdict.map_err(Error::Interrupted)
    }

    fn replay(&self, lease: &Lease<V>, host: Option<&dyn Host>) -> Result<(), Error<F>> {
        match (lease.recording(), host) {
            (Some(recording), Some(host)) => host.replay(recording).map_err(Error::Interrupted),
            _ => Ok(()),
        }
    }

    fn lead(
        &self,
        leader: Leader<V, F>,
        host: Option<&dyn Host>,
        build: impl FnOnce() -> Result<V, BuildError<F>>,
    ) -> Result<Lease<V>, Error<F>> {
        let engine = &self.shared.engine;
        let parent = Inside::current();
        let _edge = match &parent {
            Some(parent) => Some(self.edge(parent, leader.flight())?),
            None => None,
        };
        let shown = self.begin(host, parent.is_some(), false)?;
        let started = engine.core().clock.now();
        let outcome = {
            let _inside = Inside::enter(leader.flight());
            build()
        };
        let nanos = engine.core().clock.now().saturating_sub(started);
        let recording = shown.and_then(|shown| shown.end(outcome.is_ok()));
        match outcome {
            Ok(value) => {
                self.shared.counters.built(nanos);
                Ok(leader.fill(value, recording))
            }
            Err(BuildError::Failed(failure)) => {
                self.shared.counters.failed();
                leader.fail(failure.clone());
                Err(Error::Failed(failure))
            }
            Err(BuildError::Died(interrupt)) => {
                self.shared.counters.failed();
                drop(leader);
                Err(Error::Interrupted(interrupt))
            }
        }
    }

    fn edge<'a>(
        &'a self,
        parent: &crate::flight::Frame,
        flight: &Flight<V, F>,
    ) -> Result<crate::flight::Edge<'a>, Error<F>> {
        let graph = &self.shared.engine.core().graph;
        graph.need(parent, flight).map_err(Error::Cycle)
    }

    fn wait(
        &self,
        flight: &Flight<V, F>,
        host: Option<&dyn Host>,
        waiting: &dyn Waiting,
    ) -> Result<Landing<V, F>, Error<F>> {
        let parent = Inside::current();
        let _edge = match &parent {
            Some(parent) => Some(self.edge(parent, flight)?),
            None => None,
        };
        let shown = self.begin(host, parent.is_some(), true)?;
        let _counted = self.shared.counters.waits();
        let mut landing = None;
        let outcome = waiting.wait(&mut |pause| {
            landing = flight.wait(pause);
            landing.is_some()
        });
        if let Some(shown) = shown {
            shown.end(outcome.is_ok());
        }
        outcome.map_err(Error::Interrupted)?;
        Ok(landing.expect("a wait that ends well has seen the landing"))
    }

    /// Tells the host of a build or a wait, and has its spinner shown after the delay.
    fn begin(
        &self,
        host: Option<&dyn Host>,
        nested: bool,
        waits: bool,
    ) -> Result<Option<Shown>, Error<F>> {
        let Some(host) = host else { return Ok(None) };
        let settings = &self.shared.settings;
        // The outermost build shows what its author chose; those within it show nothing.
        let text = if nested {
            None
        } else {
            settings.spinner_text(&self.shared.name)
        };
        let shows = text.is_some();
        let start = BuildStart {
            function: &self.shared.name,
            text,
            show_time: settings.show_time,
            observes: settings.observes,
            waits,
        };
        let build = host.begin(&start).map_err(Error::Interrupted)?;
        Ok(build.map(|build| Shown::new(build, shows, &self.shared.engine)))
    }

    fn cache(&self, host: Option<&dyn Host>) -> Result<Arc<Cache<V, F>>, Error<F>> {
        if self.shared.settings.scope == Scope::Global {
            return Ok(Arc::clone(&self.global));
        }
        let session = self.session(host)?;
        let mut sessions = self.sessions.lock();
        if let Some(cache) = sessions.get(&session) {
            return Ok(Arc::clone(cache));
        }
        let cache = Cache::new(Arc::clone(&self.shared));
        sessions.insert(Arc::clone(&session), Arc::clone(&cache));
        drop(sessions);
        let me: Weak<dyn AnyFunction> = self.me.clone();
        self.shared.engine.join_session(&session, me);
        Ok(cache)
    }

    fn session(&self, host: Option<&dyn Host>) -> Result<SessionId, Error<F>> {
        let session = match host {
            Some(host) => host.session().map_err(Error::Interrupted)?,
            None => None,
        };
        session.ok_or_else(|| Error::NoSession {
            function: self.shared.name.to_string(),
        })
    }

    /// The caches that `clear` means here: the global one, or the present session's.
    fn here(&self) -> Result<Option<Arc<Cache<V, F>>>, Error<F>> {
        if self.shared.settings.scope == Scope::Global {
            return Ok(Some(Arc::clone(&self.global)));
        }
        let session = self.session(self.shared.engine.host().as_deref())?;
        Ok(self.sessions.lock().get(&session).cloned())
    }

    /// Clears the function's entries: all of them, or the present session's.
    ///
    /// # Errors
    /// A session-scoped function where there is no session.
    pub fn clear(&self) -> Result<(), Error<F>> {
        if let Some(cache) = self.here()? {
            cache.clear(Cause::Cleared);
        }
        Ok(())
    }

    /// Clears the entry under `key`, if there is one.
    ///
    /// # Errors
    /// A session-scoped function where there is no session.
    pub fn clear_entry(&self, key: &KeyRef<'_>) -> Result<(), Error<F>> {
        if let Some(cache) = self.here()? {
            cache.clear_entry(key);
        }
        Ok(())
    }

    /// Lets go of everything in every scope, for this cause.
    pub fn release_all(&self, cause: Cause) {
        AnyFunction::clear(self, cause);
    }

    /// The figures of this function over all its scopes.
    #[must_use]
    pub fn info(&self) -> Info {
        let mut info = self.shared.counters.read();
        for cache in self.caches() {
            cache.read(&mut info);
        }
        info.draining = info
            .builds
            .saturating_sub(info.all_released())
            .saturating_sub(info.entries);
        info
    }

    fn caches(&self) -> Vec<Arc<Cache<V, F>>> {
        let sessions = self.sessions.lock();
        std::iter::once(&self.global)
            .chain(sessions.values())
            .cloned()
            .collect()
    }
}

impl<V: Resource, F: Failure> AnyFunction for Function<V, F> {
    fn clear(&self, cause: Cause) {
        for cache in self.caches() {
            cache.clear(cause);
        }
    }

    fn end_session(&self, session: &SessionId) {
        let cache = self.sessions.lock().remove(session);
        if let Some(cache) = cache {
            for entry in cache.take_all(true) {
                release(entry, Cause::SessionEnded);
            }
        }
    }

    fn drain_all(&self) -> Vec<(Nanos, Box<dyn FnOnce() + Send>)> {
        let entries = self.caches().into_iter().flat_map(|it| it.take_all(false));
        entries
            .map(|entry| {
                let built_at = entry.entry().built_at();
                let end: Box<dyn FnOnce() + Send> =
                    Box::new(move || release(entry, Cause::Shutdown));
                (built_at, end)
            })
            .collect()
    }
}

/// A build that the host knows of; its spinner waits for the delay.
struct Shown {
    build: Arc<dyn HostBuild>,
    state: Arc<AtomicU8>,
    timer: Option<(crate::timer::TimerId, Arc<crate::timer::Timer>)>,
}

const PENDING: u8 = 0;
const SHOWN: u8 = 1;
const ENDED: u8 = 2;

impl Shown {
    fn new(build: Arc<dyn HostBuild>, shows: bool, engine: &Engine) -> Self {
        let state = Arc::new(AtomicU8::new(PENDING));
        let timer = shows.then(|| {
            let (build, state) = (Arc::clone(&build), Arc::clone(&state));
            let job = Box::new(move || {
                let turn =
                    state.compare_exchange(PENDING, SHOWN, Ordering::AcqRel, Ordering::Acquire);
                if turn.is_ok() {
                    build.show();
                }
            });
            let when = engine.core().clock.now().saturating_add(SPINNER_DELAY);
            (
                engine.core().timer.at(when, job),
                Arc::clone(&engine.core().timer),
            )
        });
        Self {
            build,
            state,
            timer,
        }
    }

    fn end(mut self, built: bool) -> Option<Recording> {
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
}

/// A build that panics hides its spinner too.
impl Drop for Shown {
    fn drop(&mut self) {
        self.finish(false);
    }
}
