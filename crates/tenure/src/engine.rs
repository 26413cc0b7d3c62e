//! The engine: what all functions of a process share.

use std::any::Any;
use std::time::{Duration, Instant};

use crate::directory::{AnyFunction, Leftover, Unreleased, Weaks};
use crate::ground::clock::{Clock, ManualClock, nanos};
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, OnceLock, Weak};
use crate::ground::underway::{self, Mine};
use crate::host::Host;
use crate::life::drain::End;
use crate::life::services::Services;
use crate::registry::Registry;
use crate::sessions::{self, Sessions};
use crate::words::cause::Cause;
use crate::words::config::Config;
use crate::words::inspect::Inspection;

/// Functions, sessions, deadlines and the host of one process; cheap to clone.
///
/// A program uses [`Engine::global`]; tests make their own.
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use tenure::{Engine, Function, KeyRef, ManualClock, Settings};
///
/// let clock = ManualClock::new();
/// let engine = Engine::with_clock(clock.clone());
/// let settings = Settings::default().ttl(Duration::from_secs(60));
/// let pools = Function::<u32, Infallible>::plain(&engine, "pool", settings)?;
/// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
///
/// clock.advance(Duration::from_secs(61));
/// engine.run_due(); // what the background thread does on the system's clock
/// assert_eq!(pools.info().entries, 0);
/// assert!(engine.shutdown());
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Core>);

pub(crate) struct Core {
    services: Arc<Services>,
    registry: Arc<Registry>,
    functions: Weaks<dyn AnyFunction>,
    leftovers: Weaks<dyn Leftover>,
    sessions: Arc<Sessions>,
}

/// How often a shutdown looks for what callbacks have built again meanwhile.
const SHUTDOWN_ROUNDS: usize = 8;

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// An engine on the system's clock. It has no host, and shares nothing with others.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::Engine;
    /// let (one, two) = (Engine::new(), Engine::new());
    /// one.configure(|config| config.drain = Some(Duration::ZERO));
    /// assert_eq!(two.config().drain, None);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::on(Clock::System)
    }

    /// An engine whose time a test drives; deadlines happen in [`run_due`](Self::run_due).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Engine, Function, KeyRef, ManualClock, Settings};
    /// let clock = ManualClock::new();
    /// let engine = Engine::with_clock(clock.clone());
    /// # let settings = Settings::default().ttl(Duration::from_secs(60));
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// clock.advance(Duration::from_secs(61)); // further than the `ttl`
    /// let anew = pools.get_or_build(&KeyRef::EMPTY, || Ok(8)).unwrap();
    /// assert_eq!(*anew, 8);
    /// ```
    #[must_use]
    pub fn with_clock(clock: ManualClock) -> Self {
        Self::on(Clock::Manual(clock))
    }

    /// The engine of this process, which the functions of [`cache_resource`](crate::cache_resource)
    /// belong to.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop(pool());
    /// tenure::Engine::global().release_where(&|_| true, tenure::Cause::Superseded);
    /// assert_eq!(pool::info().entries, 0);
    /// ```
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Engine> = OnceLock::new();
        GLOBAL.get_or_init(Self::new)
    }

    fn on(clock: Clock) -> Self {
        let services = Services::new(clock);
        let sessions = Sessions::new(&services);
        Self(Arc::new(Core {
            registry: Registry::new(&services),
            services,
            functions: Weaks::new(),
            leftovers: Weaks::new(),
            sessions,
        }))
    }

    /// Gives the engine up, in a child process after a fork: what it holds belongs to the parent,
    /// and threads that are not there may hold its locks. What was under way on the forking thread
    /// can still end, and then touches neither: a build gives its resource to its caller, and
    /// nothing is released.
    ///
    /// The engine must not be used or dropped any more. A new one begins empty.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let build = || {
    ///     engine.abandon(); // this build has forked, and goes on in the child
    ///     Ok(7)
    /// };
    /// let lease = pools.get_or_build(&KeyRef::EMPTY, build).unwrap();
    /// assert_eq!(*lease, 7);
    /// std::mem::forget((lease, pools, engine));
    /// ```
    pub fn abandon(&self) {
        self.0.services.abandon();
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.0.services
    }

    pub(crate) fn joined_sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Sets the host, or takes it away.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tenure::{Engine, ProgramHost};
    ///
    /// let engine = Engine::new();
    /// engine.set_host(Some(Arc::new(ProgramHost)));
    /// assert!(engine.host().is_some());
    /// ```
    pub fn set_host(&self, host: Option<Arc<dyn Host>>) {
        let before = self.0.services.set_host(host);
        drop(before);
    }

    /// The host, if there is one.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenure::{Engine, ProgramHost};
    /// let engine = Engine::new();
    /// assert!(engine.host().is_none());
    /// engine.set_host(Some(Arc::new(ProgramHost)));
    /// let host = engine.host().unwrap();
    /// assert!(matches!(host.session(), Ok(None))); // this code serves no session
    /// ```
    #[must_use]
    pub fn host(&self) -> Option<Arc<dyn Host>> {
        self.0.services.host()
    }

    /// The configuration in force, as a copy.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = tenure::Engine::new().config();
    /// assert_eq!((config.drain, config.session_grace), (None, Duration::ZERO));
    /// ```
    #[must_use]
    pub fn config(&self) -> Config {
        self.0.services.config.read()
    }

    /// Changes the configuration; in force from the next release on. What `change` leaves alone
    /// stays as it is.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let engine = tenure::Engine::new();
    /// engine.configure(|config| config.session_grace = Duration::from_secs(30));
    /// assert_eq!(engine.config().session_grace, Duration::from_secs(30));
    /// ```
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        let before = self.config().version_grace;
        self.0.services.config.change(change);
        if self.config().version_grace != before {
            self.0.registry.watch_versions_anew();
        }
    }

    /// Clears every entry of every function.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.clear_all();
    /// assert_eq!(pools.info().released(Cause::Cleared), 1);
    /// ```
    pub fn clear_all(&self) {
        for function in self.functions() {
            function.clear(Cause::Cleared);
        }
    }

    /// Releases, for this cause, every resource that `is_meant` is true of: what is made of code that
    /// has been replaced since, say. It is asked outside every lock.
    ///
    /// ```
    /// # use tenure::{Cause, Encoder, Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&Encoder::new().finish(), || Ok(7)).unwrap();
    /// let sevens = |resource: &dyn std::any::Any| resource.downcast_ref() == Some(&7u32);
    /// engine.release_where(&sevens, Cause::Superseded);
    /// assert_eq!(pools.info().released(Cause::Superseded), 1);
    /// ```
    pub fn release_where(&self, is_meant: &dyn Fn(&dyn Any) -> bool, cause: Cause) {
        for function in self.functions() {
            function.end_where(is_meant, cause);
        }
    }

    /// The session is gone: its entries are released, after the grace period if one is set.
    ///
    /// ```
    /// let engine = tenure::Engine::new();
    /// engine.end_session("cookie-4711"); // for hosts: `Session` does it by itself
    /// assert_eq!(engine.sessions(), 0);
    /// ```
    pub fn end_session(&self, session: &str) {
        let _under_way = self.0.services.under_way.begin();
        sessions::run(self.begin_end_of_session(session));
    }

    /// The session is gone, and has a grace period of its own in which it may come back, whatever the
    /// configured one is: one that ends when nobody has come for so long.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use tenure::{Engine, Function, KeyRef, ManualClock, ProgramHost, Scope, Session, Settings};
    /// # let clock = ManualClock::new();
    /// # let engine = Engine::with_clock(clock.clone());
    /// # engine.set_host(Some(Arc::new(ProgramHost)));
    /// # let settings = Settings::default().scope(Scope::Session);
    /// # let baskets = Function::<u32, ()>::plain(&engine, "basket", settings).unwrap();
    /// # let session = Session::named("cookie-4711");
    /// # session.run(|| baskets.get_or_build(&KeyRef::EMPTY, || Ok(7))).unwrap();
    /// engine.end_session_after("cookie-4711", Duration::from_secs(30));
    /// assert_eq!(baskets.info().entries, 1);
    /// clock.advance(Duration::from_secs(30)); // and nobody has resumed it
    /// engine.run_due();
    /// assert_eq!(baskets.info().entries, 0);
    /// ```
    pub fn end_session_after(&self, session: &str, grace: Duration) {
        let _under_way = self.0.services.under_way.begin();
        let mut ends = self.0.registry.leave_versions(session);
        ends.extend(self.0.sessions.end_after(session, nanos(grace)));
        sessions::run(ends);
    }

    /// The scope is over, and whoever was in it does not come back: what is kept for it is released
    /// now, whatever grace sessions have.
    ///
    /// ```
    /// # use tenure::Engine;
    /// # let engine = Engine::new();
    /// engine.end_scope("thread:7");
    /// assert_eq!(engine.sessions(), 0);
    /// ```
    pub fn end_scope(&self, scope: &str) {
        let _under_way = self.0.services.under_way.begin();
        sessions::run(self.0.sessions.end_now(scope));
    }

    /// Begins the end of a session, for a caller that holds a lock and has begun a release: what this
    /// gives is to be run outside the lock.
    pub(crate) fn begin_end_of_session(&self, session: &str) -> Vec<End> {
        let mut ends = self.0.registry.leave_versions(session);
        ends.extend(self.0.sessions.end(session));
        ends
    }

    /// The session is back within its grace period: it keeps its entries. Does nothing where its
    /// end is not under way.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use tenure::{Engine, Function, KeyRef, ManualClock, ProgramHost, Scope, Session, Settings};
    /// # let clock = ManualClock::new();
    /// # let engine = Engine::with_clock(clock.clone());
    /// # engine.set_host(Some(Arc::new(ProgramHost)));
    /// # let settings = Settings::default().scope(Scope::Session);
    /// # let baskets = Function::<u32, ()>::plain(&engine, "basket", settings).unwrap();
    /// engine.configure(|config| config.session_grace = Duration::from_secs(30));
    /// # let session = Session::named("cookie-4711");
    /// # session.run(|| baskets.get_or_build(&KeyRef::EMPTY, || Ok(7))).unwrap();
    /// engine.end_session("cookie-4711");
    /// clock.advance(Duration::from_secs(20));
    /// engine.resume_session("cookie-4711"); // within its 30 seconds
    /// clock.advance(Duration::from_secs(20));
    /// engine.run_due();
    /// assert_eq!(baskets.info().entries, 1);
    /// ```
    pub fn resume_session(&self, session: &str) {
        self.0.sessions.resume(session);
    }

    /// Has background threads run what they have to do inside `around`, which calls what it is
    /// given: once for all that is due one after another. For what a thread needs that is dear to
    /// have and not to be kept while it sleeps. Only the first one counts.
    ///
    /// ```
    /// use std::sync::Barrier;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// static INSIDE: AtomicBool = AtomicBool::new(false);
    /// # static CLOSED: Barrier = Barrier::new(2);
    /// # async fn close(_: u32) { CLOSED.wait(); }
    /// # #[tenure::cache_resource(on_release = close)]
    /// # async fn pool() -> u32 { 7 }
    ///
    /// tenure::Engine::global().run_background_inside(|work| {
    ///     INSIDE.store(true, Ordering::Relaxed);
    ///     work();
    /// });
    /// # futures_executor::block_on(pool());
    /// pool::clear(); // closed in the background, where this thread meets it
    /// CLOSED.wait();
    /// assert!(INSIDE.load(Ordering::Relaxed));
    /// ```
    pub fn run_background_inside(&self, around: fn(&mut dyn FnMut())) {
        self.0.services.timer.run_inside(around);
    }

    /// Runs `work` on a background thread, now.
    pub(crate) fn in_background(&self, work: impl FnOnce() + Send + 'static) {
        self.0
            .services
            .timer
            .at(self.0.services.clock.now(), |_| work());
    }

    /// How many sessions hold entries.
    ///
    /// ```
    /// # use tenure::{Engine, Session};
    /// #[tenure::cache_resource(scope = "session")]
    /// fn basket() -> u32 {
    ///     7
    /// }
    ///
    /// let (alice, bob) = (Session::new(), Session::new());
    /// drop((alice.run(basket), bob.run(basket)));
    /// assert_eq!(Engine::global().sessions(), 2);
    /// alice.end();
    /// assert_eq!(Engine::global().sessions(), 1);
    /// ```
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.sessions.len()
    }

    /// Does now, on this thread, what is due. For engines on a [`ManualClock`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Cause, Engine, Function, KeyRef, ManualClock, Settings};
    /// # let clock = ManualClock::new();
    /// # let engine = Engine::with_clock(clock.clone());
    /// # let settings = Settings::default().ttl(Duration::from_secs(60));
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// clock.advance(Duration::from_secs(61));
    /// assert_eq!(pools.info().released(Cause::Expired), 0); // due, and not done yet
    /// engine.run_due();
    /// assert_eq!(pools.info().released(Cause::Expired), 1);
    /// ```
    pub fn run_due(&self) {
        self.0.services.timer.run_due();
    }

    /// Releases everything that is held or drains, last built first, with cause `Shutdown`.
    ///
    /// Gives `false` where not everything that was built has been released: a lease is still held,
    /// or the configured bound ran out before all callbacks had returned, which then go on in the
    /// background. The log says which functions these are, how many resources of each, and why.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, ManualClock, Settings};
    /// # let engine = Engine::with_clock(ManualClock::new());
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert!(engine.shutdown());
    /// assert_eq!(pools.info().released(Cause::Shutdown), 1);
    /// ```
    pub fn shutdown(&self) -> bool {
        self.shutdown_within(self.config().shutdown_bound)
    }

    /// Releases everything as [`shutdown`](Self::shutdown) does, within a bound of its own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let engine = tenure::Engine::new();
    /// assert!(engine.shutdown_within(Duration::from_secs(1)));
    /// ```
    pub fn shutdown_within(&self, bound: Duration) -> bool {
        let began = Instant::now();
        let left = self.release_all(bound);
        let in_time = left.is_some();
        let left = left.unwrap_or_else(|| self.unreleased());
        left.iter().for_each(Unreleased::tell);
        let rest = bound.saturating_sub(began.elapsed());
        self.0.services.async_releases.settle(rest) && in_time && left.is_empty()
    }

    /// Releases everything as [`shutdown_within`](Self::shutdown_within) does, before another shutdown:
    /// what is left is for that one to tell.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Cause, Engine, Function, KeyRef, ManualClock, Settings};
    /// # let engine = Engine::with_clock(ManualClock::new());
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.release_within(Duration::from_secs(1)); // threads may go on, and build
    /// assert_eq!(pools.info().released(Cause::Shutdown), 1);
    /// assert!(engine.shutdown_within(Duration::from_secs(1))); // they have stopped
    /// ```
    pub fn release_within(&self, bound: Duration) {
        self.release_all(bound);
    }

    /// Releases everything. Gives what leases keep, or nothing where the time ran out.
    fn release_all(&self, bound: Duration) -> Option<Vec<Unreleased>> {
        let done = Arc::<Latch<Vec<Unreleased>>>::default();
        let engine = self.clone();
        let told = Arc::clone(&done);
        // What this thread is releasing itself cannot be waited for.
        let mine = underway::mine();
        let work = move || {
            engine.release_everything(mine);
            let mut left = engine.leased();
            if !left.is_empty() {
                // Other threads may have been about to release it.
                engine.await_releases(mine);
                left = engine.leased();
            }
            told.tell(left);
        };
        if self.0.services.clock.is_manual() {
            work();
        } else if crate::ground::sync::spawn("tenure-shutdown", work).is_err() {
            return None;
        }
        done.wait(bound)
    }

    /// Counts, for every function, of what it could not release so far.
    fn unreleased(&self) -> Vec<Unreleased> {
        let live = self.functions().into_iter().map(|it| it.unreleased());
        let gone = self.0.leftovers.live();
        live.chain(gone.into_iter().map(|it| it.unreleased()))
            .collect()
    }

    /// The part of it that leases keep. Callbacks that run now are someone else's: the wait for
    /// those that it has to wait for is over.
    fn leased(&self) -> Vec<Unreleased> {
        let mut left = self.unreleased();
        left.retain(|it| it.leased > 0);
        for it in &mut left {
            it.held = 0;
            it.releasing = 0;
        }
        left
    }

    fn release_everything(&self, mine: Mine) {
        for round in 0..SHUTDOWN_ROUNDS {
            let under_way = self.0.services.under_way.begin();
            let mut held = self.0.services.drains.take_all();
            for function in self.functions() {
                held.extend(function.hold_all());
            }
            if held.is_empty() && round > 0 {
                break;
            }
            held.sort_by_key(|(built_at, _)| std::cmp::Reverse(*built_at));
            // One by one out of their caches: a callback finds what was built before its own
            // resource.
            for (_, end) in held {
                end();
            }
            // Another shutdown may wait for this one, as this one does for the other.
            drop(under_way);
            self.await_releases(mine);
        }
        self.0.sessions.forget_all();
    }

    /// Waits until all releases that have begun are over, or in the drains, but for `mine`.
    fn await_releases(&self, mine: Mine) {
        self.0.services.under_way.settle(mine);
        // A test that drives the clock may keep a lease itself; so may, further out, who shuts down
        // within a release.
        if mine == Mine::default() && !self.0.services.clock.is_manual() {
            self.0.services.leaving.settle(mine);
            // Those that were leased until now are under way by now.
            self.0.services.under_way.settle(mine);
        }
    }

    /// Counts what is under way.
    #[doc(hidden)]
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let services = self.services();
        let mut counts = Inspection {
            waits: services.graph.len(),
            endings: self.0.sessions.endings(),
            drains: services.drains.len(),
            releasing: services.under_way.len(),
            jobs: services.timer.armed(),
            ..Inspection::default()
        };
        for function in self.functions() {
            function.inspect(&mut counts);
        }
        counts
    }

    pub(crate) fn add_leftover(&self, left: Weak<dyn Leftover>) {
        if self.0.services.is_abandoned() {
            return;
        }
        self.0.leftovers.add(left);
    }

    pub(crate) fn add_function(&self, function: Weak<dyn AnyFunction>) {
        self.0.functions.add(function);
    }

    pub(crate) fn functions(&self) -> Vec<Arc<dyn AnyFunction>> {
        self.0.functions.live()
    }
}
