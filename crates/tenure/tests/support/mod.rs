//! What the tests of the engine share: resources that keep a log, a host that does, and a world
//! that looks for leftovers when a test is done.
#![allow(dead_code)] // each test program uses a part of it

pub mod host;
pub mod lines;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tenure::front::{Awaited, BuildError, Holding, Inspection, Patiently, Waiting};
use tenure::{
    Behaviour, Cause, Encoder, Engine, Error, Function, Interrupt, Lease, ManualClock,
    ReleaseFailed, Scope, Settings,
};

use host::TestHost;

/// Long enough that only what never comes takes longer.
pub const NEVER_COMES: Duration = Duration::from_secs(60);

/// How far a step of the clock goes past a deadline: build times are made unique by nanoseconds.
pub const PAST: Duration = Duration::from_millis(1);

pub type Things = Function<Thing, String>;
pub type Got = Result<Lease<Thing>, Error<String>>;

/// A resource: a number that no other has, and whether someone uses it beyond its lease.
#[derive(Debug)]
pub struct Thing {
    pub number: u64,
    users: Arc<AtomicU64>,
}

impl Thing {
    /// What a caller keeps who goes on using the resource without a lease.
    pub fn hold(&self) -> Used {
        self.users.fetch_add(1, Ordering::SeqCst);
        Used(Arc::clone(&self.users))
    }
}

/// Use of a resource that only a watching cache sees.
pub struct Used(Arc<AtomicU64>);

impl Drop for Used {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What became of every resource that was ever built.
#[derive(Default)]
pub struct Log {
    numbers: AtomicU64,
    released: Mutex<BTreeMap<u64, Vec<Cause>>>,
    order: Mutex<Vec<u64>>,
}

impl Log {
    pub fn thing(&self) -> Thing {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        Thing {
            number,
            users: Arc::default(),
        }
    }

    /// How many were built.
    pub fn built(&self) -> u64 {
        self.numbers.load(Ordering::SeqCst)
    }

    pub fn causes(&self, number: u64) -> Vec<Cause> {
        lock(&self.released)
            .get(&number)
            .cloned()
            .unwrap_or_default()
    }

    /// The numbers of what was released, in order.
    pub fn order(&self) -> Vec<u64> {
        lock(&self.order).clone()
    }

    pub fn released(&self) -> u64 {
        lock(&self.order).len() as u64
    }

    fn note(&self, number: u64, cause: Cause) {
        lock(&self.released).entry(number).or_default().push(cause);
        lock(&self.order).push(number);
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

type Validate = dyn Fn(&Thing) -> Result<bool, Interrupt> + Send + Sync;
type OnRelease = dyn Fn(&Thing, Cause) -> Result<(), ReleaseFailed> + Send + Sync;

/// How heavy a resource is, where its function has weights.
pub fn weight(number: u64) -> u64 {
    1 + number % 4
}

/// How the resources of one test's function behave.
pub struct Keeper {
    log: Arc<Log>,
    pub holding: Holding,
    pub validate: Box<Validate>,
    pub keeps: Box<Validate>,
    /// Runs before the release is logged.
    pub on_release: Box<OnRelease>,
}

impl Keeper {
    pub fn new(log: &Arc<Log>) -> Self {
        Self {
            log: Arc::clone(log),
            holding: Holding::Leases,
            validate: Box::new(|_| Ok(true)),
            keeps: Box::new(|_| Ok(true)),
            on_release: Box::new(|_, _| Ok(())),
        }
    }

    pub fn watched(mut self) -> Self {
        self.holding = Holding::Watched;
        self
    }

    pub fn validating(
        mut self,
        validate: impl Fn(&Thing) -> Result<bool, Interrupt> + Send + Sync + 'static,
    ) -> Self {
        self.validate = Box::new(validate);
        self
    }

    pub fn keeping(
        mut self,
        keeps: impl Fn(&Thing) -> Result<bool, Interrupt> + Send + Sync + 'static,
    ) -> Self {
        self.keeps = Box::new(keeps);
        self
    }

    pub fn releasing(
        mut self,
        on_release: impl Fn(&Thing, Cause) -> Result<(), ReleaseFailed> + Send + Sync + 'static,
    ) -> Self {
        self.on_release = Box::new(on_release);
        self
    }
}

impl Behaviour<Thing> for Keeper {
    fn validate(&self, value: &Thing) -> Result<bool, Interrupt> {
        (self.validate)(value)
    }

    fn keeps(&self, value: &Thing) -> Result<bool, Interrupt> {
        (self.keeps)(value)
    }

    fn weight(&self, value: &Thing) -> Result<u64, Interrupt> {
        Ok(weight(value.number))
    }

    fn release(&self, value: Thing, cause: Cause) -> Result<(), ReleaseFailed> {
        // Logged whatever becomes of the callback, a panic included.
        struct Noted<'a>(&'a Log, u64, Cause);
        impl Drop for Noted<'_> {
            fn drop(&mut self) {
                self.0.note(self.1, self.2);
            }
        }
        let _noted = Noted(&self.log, value.number, cause);
        (self.on_release)(&value, cause)
    }

    fn holding(&self) -> Holding {
        self.holding
    }

    fn in_use(&self, value: &Thing) -> bool {
        value.users.load(Ordering::SeqCst) > 0
    }
}

/// One engine with its clock, its host and its log.
pub struct World {
    pub scope: Scope,
    pub engine: Engine,
    pub clock: ManualClock,
    pub host: Option<Arc<TestHost>>,
    pub log: Arc<Log>,
    functions: Mutex<Vec<Arc<Things>>>,
}

impl World {
    pub fn new(scope: Scope, hosted: bool) -> Self {
        let clock = ManualClock::new();
        let engine = Engine::with_clock(clock.clone());
        let host = hosted.then(TestHost::new);
        engine.set_host(host.clone().map(|host| host as Arc<dyn tenure::Host>));
        Self {
            scope,
            engine,
            clock,
            host,
            log: Arc::default(),
            functions: Mutex::default(),
        }
    }

    /// These settings in this world's scope.
    pub fn settings(&self) -> Settings {
        Settings::default().scope(self.scope)
    }

    pub fn keeper(&self) -> Keeper {
        Keeper::new(&self.log)
    }

    /// A function whose resources are logged.
    pub fn function(&self, settings: Settings) -> Arc<Things> {
        self.function_with("f", settings, self.keeper())
    }

    pub fn function_with(&self, name: &str, settings: Settings, keeper: Keeper) -> Arc<Things> {
        let function =
            Function::new(&self.engine, name, settings, Box::new(keeper)).expect("good settings");
        lock(&self.functions).push(Arc::clone(&function));
        function
    }

    /// Calls with a build that gives a new resource.
    pub fn get(&self, function: &Things, key: u64) -> Lease<Thing> {
        function
            .get_or_build(&self::key(key).finish(), || Ok(self.log.thing()))
            .expect("it builds")
    }

    /// The same with a build that first stands at a gate.
    pub fn get_through(&self, keyhole: &Keyhole, function: &Things, key: u64) -> Lease<Thing> {
        let build = || {
            keyhole.pass();
            Ok(self.log.thing())
        };
        let got = function.get_or_build(&self::key(key).finish(), build);
        got.expect("it builds")
    }

    /// The same with a build that stands at a gate once the resource is there.
    pub fn get_then_pass(&self, keyhole: &Keyhole, function: &Things, key: u64) -> Lease<Thing> {
        let build = || {
            let thing = self.log.thing();
            keyhole.pass();
            Ok(thing)
        };
        let got = function.get_or_build(&self::key(key).finish(), build);
        got.expect("it builds")
    }

    /// The number of the resource that such a call gives; no lease is kept.
    pub fn number(&self, function: &Things, key: u64) -> u64 {
        self.get(function, key).number
    }

    pub fn causes(&self, number: u64) -> Vec<Cause> {
        self.log.causes(number)
    }

    /// Moves the clock and does what is due.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.engine.run_due();
    }

    /// What must hold when a test is done and nobody calls any more.
    pub fn check(&self) {
        let counts = self.engine.inspect();
        assert_eq!(counts.flights, 0, "no build is left under way: {counts:?}");
        assert_eq!(counts.waits, 0, "nothing needs anything: {counts:?}");
        assert_eq!(
            counts.jobs,
            counts.expiries + counts.endings + counts.drains,
            "no stale job: {counts:?}"
        );
        let functions = lock(&self.functions);
        let infos: Vec<_> = functions.iter().map(|function| function.info()).collect();
        assert!(infos.iter().all(|info| info.waiting == 0), "{infos:?}");
        let builds: u64 = infos.iter().map(|info| info.builds).sum();
        assert_eq!(builds, self.log.built(), "{infos:?}");
        let released: u64 = infos.iter().map(tenure::Info::all_released).sum();
        assert_eq!(released, self.log.released(), "{infos:?}");
        let kept: u64 = infos.iter().map(|info| info.entries + info.draining).sum();
        assert_eq!(builds, released + kept, "{infos:?}");
        for number in 0..self.log.built() {
            let causes = self.log.causes(number);
            assert!(causes.len() <= 1, "{number} was released twice: {causes:?}");
        }
        if let Some(host) = &self.host {
            host.check();
        }
    }

    /// After a shutdown everything that was ever built has been released.
    pub fn check_all_released(&self) {
        assert!(self.engine.shutdown());
        assert_eq!(self.log.built(), self.log.released());
        self.check();
        self.check_idle();
    }

    /// Nothing is under way, armed or watched.
    pub fn check_idle(&self) {
        let idle = Inspection {
            nodes: self.engine.inspect().nodes,
            ..Inspection::default()
        };
        assert_eq!(self.engine.inspect(), idle);
    }
}

/// A key of one number.
pub fn key(number: u64) -> Encoder {
    let mut key = Encoder::new();
    key.framed(1, &number.to_le_bytes());
    key
}

/// Waits as a patient caller does, and says so before it begins.
pub struct Announced(pub Sender<()>);

impl Waiting for Announced {
    fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
        self.0.send(()).expect("the test listens");
        Patiently.wait(build)
    }
}

/// A gate that one thread passes when another opens it.
pub struct Gate {
    reached: Receiver<()>,
    opens: Sender<()>,
}

/// The other side of a [`Gate`].
pub struct Keyhole {
    reached: Sender<()>,
    opens: Mutex<Receiver<()>>,
}

pub fn gate() -> (Gate, Keyhole) {
    let (reached, has_reached) = channel();
    let (opens, opened) = channel();
    (
        Gate {
            reached: has_reached,
            opens,
        },
        Keyhole {
            reached,
            opens: Mutex::new(opened),
        },
    )
}

impl Gate {
    /// Blocks until someone stands at the gate.
    pub fn reached(&self) {
        self.reached
            .recv_timeout(NEVER_COMES)
            .expect("someone comes to the gate");
    }

    pub fn open(&self) {
        // Nobody may be there any more, which is for the test to judge.
        _ = self.opens.send(());
    }
}

impl Keyhole {
    /// Says that it is here, and blocks until the gate opens or is gone.
    pub fn pass(&self) {
        _ = self.reached.send(());
        _ = lock(&self.opens).recv();
    }
}

pub fn failed(text: &str) -> BuildError<String> {
    BuildError::Failed(text.to_owned())
}

pub fn interrupt() -> Interrupt {
    Interrupt(Box::new("interrupted"))
}

/// Receives, or fails where nothing comes.
pub fn receive<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(NEVER_COMES).expect("it comes")
}
