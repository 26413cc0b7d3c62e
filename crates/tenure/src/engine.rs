//! The engine: what all functions of a process share.

use std::any::Any;
use std::collections::HashSet;
use std::time::Duration;

use crate::directory::{AnyFunction, Leftover, Weaks};
use crate::ground::clock::{Clock, ManualClock, SteeredClock, nanos};
use crate::ground::sync::{Arc, OnceLock, Weak};
use crate::ground::timer::Due;
use crate::ground::underway;
use crate::host::Host;
use crate::life::drain::{End, at_once};
use crate::life::services::Services;
use crate::life::succession::in_turn;
use crate::registry::Registry;
use crate::sessions::{self, SessionTable};
use crate::words::cause::Cause;
use crate::words::config::Config;
use crate::words::fleet::{Bus, Ending, Topic};
use crate::words::info::Info;
use crate::words::inspect::Inspection;
use crate::words::report::Report;

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
pub struct Engine(Arc<Inner>);

struct Inner {
    services: Arc<Services>,
    registry: Arc<Registry>,
    functions: Weaks<dyn AnyFunction>,
    leftovers: Weaks<dyn Leftover>,
    sessions: Arc<SessionTable>,
}

/// An engine that is not kept.
#[derive(Clone)]
pub(crate) struct WeakEngine(Weak<Inner>);

impl WeakEngine {
    pub(crate) fn upgrade(&self) -> Option<Engine> {
        self.0.upgrade().map(Engine)
    }
}

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

    /// An engine on the system's clock, which a test may hold and move. Deadlines happen in the background.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Engine, Function, KeyRef, Settings, SteeredClock};
    /// let clock = SteeredClock::new();
    /// let engine = Engine::with_steered(clock.clone());
    /// # let settings = Settings::default().ttl(Duration::from_secs(60));
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// clock.advance(Duration::from_secs(61)); // further than the `ttl`
    /// assert_eq!(pools.peek(&KeyRef::EMPTY, |pool| *pool), None);
    /// ```
    #[must_use]
    pub fn with_steered(clock: SteeredClock) -> Self {
        Self::on(Clock::Steered(clock))
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
        &Self::of_process().0
    }

    /// The engine of this process, and its clock, which runs but for tests that hold it.
    pub(crate) fn of_process() -> &'static (Self, SteeredClock) {
        static GLOBAL: OnceLock<(Engine, SteeredClock)> = OnceLock::new();
        GLOBAL.get_or_init(|| {
            let clock = SteeredClock::new();
            (Self::with_steered(clock.clone()), clock)
        })
    }

    fn on(clock: Clock) -> Self {
        let services = Services::new(clock);
        let sessions = SessionTable::new(&services);
        Self(Arc::new(Inner {
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

    pub(crate) fn session_table(&self) -> &SessionTable {
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
        // A smaller budget holds from now on, and not from the next entry on.
        let services = &self.0.services;
        let _under_way = services.under_way.begin();
        for end in services
            .budget
            .make_room(0, services.config.max_weight())
            .close()
        {
            end();
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
        let _under_way = self.0.services.under_way.begin();
        let functions = self.functions();
        let cleared = functions
            .iter()
            .flat_map(|it| it.take_cleared(Cause::Cleared));
        let cleared = cleared.collect();
        if let Some(bus) = self.0.services.fleet.bus() {
            bus.raise(Topic::Everything, Ending::Cleared);
            functions.iter().for_each(|it| it.build_at_once());
        }
        in_turn(&self.0.services, cleared);
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
        let _under_way = self.0.services.under_way.begin();
        let functions = self.functions().into_iter();
        at_once(
            functions
                .flat_map(|it| it.ends_where(is_meant, cause))
                .collect(),
        );
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

    /// A place that resources live on ends, as an event loop does: what
    /// [`Behaviour::place`](crate::Behaviour::place) says lives there is released, in use or not. What
    /// someone has asked to stay goes as soon as they let go; whoever ends the place may call this again.
    ///
    /// ```
    /// # use tenure::{Behaviour, Cause, Engine, Function, KeyRef, Settings};
    /// struct OnLoop;
    ///
    /// impl Behaviour<u32> for OnLoop {
    ///     fn place(&self, client: &u32) -> Option<u64> {
    ///         Some(u64::from(*client))
    ///     }
    /// }
    ///
    /// # let engine = Engine::new();
    /// let clients = Function::<u32, ()>::new(&engine, "client", Settings::default(), Box::new(OnLoop))?;
    /// clients.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.end_place(8);
    /// assert_eq!(clients.info().entries, 1);
    /// engine.end_place(7);
    /// assert_eq!(clients.info().released(Cause::SessionEnded), 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn end_place(&self, place: u64) {
        let _under_way = self.0.services.under_way.begin();
        sessions::run(self.hold_place(place, None));
    }

    /// The ends of what lives on a place, and of what is kept for a scope that ends with it, the last built
    /// first. Each is to be run when what the one before has begun is over: a resource stays in its
    /// cache until its own end is run, so that a release still finds what its resource was built
    /// with. What nobody runs stays.
    ///
    /// ```
    /// # use tenure::Engine;
    /// let engine = Engine::new();
    /// for end in engine.hold_place(7, Some("loop:7")) {
    ///     end(); // and wait for what it has begun
    /// }
    /// ```
    #[must_use]
    pub fn hold_place(&self, place: u64, scope: Option<&str>) -> Vec<Box<dyn FnOnce() + Send>> {
        let mut held = self.0.services.drains.ends_on_place(place);
        for function in self.functions() {
            held.extend(function.hold_place(place, scope));
        }
        held.sort_by_key(|(built_at, _)| std::cmp::Reverse(*built_at));
        held.into_iter().map(|(_, end)| end).collect()
    }

    /// Releases what has left its cache, lives on this place, and is used by nobody any more: without this
    /// that is seen within a tenth of a second.
    ///
    /// ```
    /// # use tenure::Engine;
    /// Engine::new().look_at_place(7);
    /// ```
    pub fn look_at_place(&self, place: u64) {
        self.0.services.drains.look_at_place(place);
    }

    /// Releases what has left its cache, is meant, and is used by nobody any more: without this that is seen within a
    /// tenth of a second. For a front door that knows when a use ends.
    ///
    /// ```
    /// # use tenure::Engine;
    /// Engine::new().look_where(&|resource| resource.is::<String>());
    /// ```
    pub fn look_where(&self, is_meant: &dyn Fn(&dyn Any) -> bool) {
        self.0
            .services
            .drains
            .look_where(|it| is_meant(it.resource()));
    }

    /// Waits until no release is under way on other threads, so long at most. Whether there are none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert!(tenure::Engine::new().settle(Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn settle(&self, bound: Duration) -> bool {
        let services = &self.0.services;
        services.under_way.settle_within(underway::mine(), bound)
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

    /// The scope is over as with [`end_scope`](Self::end_scope), for a front door that has its releases take
    /// turns by itself: they all begin here, the last built first, and none waits for another to end.
    ///
    /// ```
    /// # use tenure::Engine;
    /// # let engine = Engine::new();
    /// engine.end_scope_at_once("loop:7");
    /// assert_eq!(engine.sessions(), 0);
    /// ```
    pub fn end_scope_at_once(&self, scope: &str) {
        let _under_way = self.0.services.under_way.begin();
        sessions::run(self.0.sessions.end_at_once(scope));
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

    /// Has `steer` move this engine's [`SteeredClock`], and takes what is due by then from the background thread, to be
    /// [run](Due::run) here. Nothing else may be done in `steer`: the engine's deadlines wait for it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings, SteeredClock};
    /// let clock = SteeredClock::new();
    /// let engine = Engine::with_steered(clock.clone());
    /// # let settings = Settings::default().ttl(Duration::from_secs(60));
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.steer(|| clock.advance(Duration::from_secs(61))).run();
    /// assert_eq!(pools.info().released(Cause::Expired), 1); // by this thread
    /// ```
    pub fn steer(&self, steer: impl FnOnce()) -> Due {
        self.0.services.timer.steer(steer)
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
            tags: services.tags.len(),
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
        self.0.functions.add(Weak::clone(&function));
        // After it can be found: whoever joins a fleet meanwhile knows it, or this does.
        if let Some(bus) = self.0.services.fleet.bus() {
            self.know(&*bus, function);
        }
    }

    /// Knows a function by the mark that the fleet has for it.
    pub(crate) fn know(&self, bus: &dyn Bus, function: Weak<dyn AnyFunction>) {
        let mark = function.upgrade().and_then(|it| it.join_fleet(bus));
        if let Some(mark) = mark {
            self.0.services.fleet.know(mark, function);
        }
    }

    /// Itself, for who must not keep it.
    pub(crate) fn downgrade(&self) -> WeakEngine {
        WeakEngine(Arc::downgrade(&self.0))
    }

    pub(crate) fn leftovers(&self) -> Vec<Arc<dyn Leftover>> {
        self.0.leftovers.live()
    }

    /// The figures of each function.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
    /// assert_eq!(*engine.info().functions[0].1, pools.info());
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn info(&self) -> Report {
        let there = self.functions();
        let counting: HashSet<_> = there.iter().map(|it| Arc::as_ptr(it.counters())).collect();
        let tally = &self.services().tally;
        let mut in_full = tally.without(|it| counting.contains(&Arc::as_ptr(it)));
        let functions = there.iter().map(|function| {
            let (name, info) = function.described();
            let info = Info::add_to(&mut in_full, &function.full_name(), info);
            (name, info)
        });
        let functions = functions.collect();
        Report::new(functions, in_full)
    }

    /// Shows each resource that is kept, with the name of its function and its module. Nothing is counted, and no lock
    /// is held meanwhile.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
    /// drop(pools.get_or_build(&KeyRef::EMPTY, || Ok(7)));
    /// let mut seen = Vec::new();
    /// engine.show(&mut |name, it| seen.push((name.to_owned(), it.downcast_ref::<u32>().copied())));
    /// assert_eq!(seen, [("pool".to_owned(), Some(7))]);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn show(&self, see: &mut dyn FnMut(&str, &dyn Any)) {
        for function in self.functions() {
            let name = function.full_name();
            function.show(&mut |resource| see(&name, resource));
        }
    }

    pub(crate) fn functions(&self) -> Vec<Arc<dyn AnyFunction>> {
        self.0.functions.live()
    }
}
