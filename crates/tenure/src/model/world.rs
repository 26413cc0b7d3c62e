//! An engine whose resources keep a log. The log itself is no part of what is checked, so it uses
//! the standard library's locks, under which nothing gives way to another thread.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::front::{Again, BuildError, Details, Holding, Patiently};
use crate::ground::sync::{AtomicBool, AtomicU8, thread_local};
use crate::{
    Behaviour, BuildStart, Cause, Encoder, Engine, Error, Function, Host, HostBuild, Interrupt,
    Lease, ManualClock, Recording, ReleaseFailed, Scope, SessionId, Settings, Tags,
};

pub(super) const TTL: Duration = Duration::from_secs(1);
/// Build times are made unique by nanoseconds.
pub(super) const PAST_TTL: Duration = Duration::from_millis(1001);

pub(super) type Things = Function<Thing, u64>;
pub(super) type Got = Result<Lease<Thing>, Error<u64>>;

pub(super) struct Thing {
    pub(super) number: u64,
    users: Arc<AtomicU8>,
}

impl Thing {
    /// Use that only a watching cache sees.
    pub(super) fn hold(&self) -> Used {
        self.users.fetch_add(1, Ordering::SeqCst);
        Used {
            number: self.number,
            users: Arc::clone(&self.users),
        }
    }
}

/// Use of a resource without a lease.
pub(super) struct Used {
    pub(super) number: u64,
    users: Arc<AtomicU8>,
}

impl Drop for Used {
    fn drop(&mut self) {
        self.users.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
pub(super) struct Log {
    built: AtomicU64,
    untold: AtomicU64,
    released: Mutex<BTreeMap<u64, Cause>>,
}

impl Log {
    pub(super) fn thing(&self) -> Thing {
        Thing {
            number: self.built.fetch_add(1, Ordering::SeqCst),
            users: Arc::new(AtomicU8::new(0)),
        }
    }

    pub(super) fn built(&self) -> u64 {
        self.built.load(Ordering::SeqCst)
    }

    /// How many failures nobody has heard of.
    pub(super) fn untold(&self) -> u64 {
        self.untold.load(Ordering::SeqCst)
    }

    pub(super) fn cause(&self, number: u64) -> Option<Cause> {
        self.released.lock().unwrap().get(&number).copied()
    }

    pub(super) fn released(&self) -> u64 {
        self.released.lock().unwrap().len() as u64
    }
}

pub(super) struct Keeper {
    log: Arc<Log>,
    holding: Holding,
    /// Resources with smaller numbers are turned down.
    valid_from: u64,
}

impl Behaviour<Thing> for Keeper {
    fn validate(&self, value: &Thing) -> Result<bool, Interrupt> {
        Ok(value.number >= self.valid_from)
    }

    fn weight(&self, value: &Thing) -> Result<u64, Interrupt> {
        Ok(1 + value.number % 3)
    }

    fn build_failed(&self, _: &str, _: &dyn Any) {
        self.log.untold.fetch_add(1, Ordering::SeqCst);
    }

    fn release(&self, value: Thing, cause: Cause) -> Result<(), ReleaseFailed> {
        let before = self
            .log
            .released
            .lock()
            .unwrap()
            .insert(value.number, cause);
        assert_eq!(before, None, "{} is released once", value.number);
        Ok(())
    }

    fn holding(&self) -> Holding {
        self.holding
    }

    fn in_use(&self, value: &Thing) -> bool {
        value.users.load(Ordering::SeqCst) > 0
    }
}

pub(super) const SESSIONS: [&str; 3] = ["a", "b", "c"];

thread_local! {
    /// Which of the sessions this thread serves.
    static SERVES: Cell<usize> = const { Cell::new(0) };
}

/// A host with a few sessions, each of which may be gone for good.
struct Sessions {
    gone: Arc<[AtomicBool; 3]>,
    /// Whether code goes on to serve a session that is gone.
    outlived: bool,
}

impl Sessions {
    fn served(&self) -> (&'static str, bool) {
        let serves = SERVES.with(Cell::get);
        (SESSIONS[serves], self.gone[serves].load(Ordering::SeqCst))
    }
}

impl Host for Sessions {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        let (session, is_gone) = self.served();
        Ok((self.outlived || !is_gone).then(|| session.into()))
    }

    fn has_ended(&self, _: &str) -> Result<bool, Interrupt> {
        Ok(self.served().1)
    }

    fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        Ok(None)
    }

    fn replay(&self, _: &Recording) -> Result<(), Interrupt> {
        Ok(())
    }
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) clock: ManualClock,
    pub(super) log: Arc<Log>,
    gone: Arc<[AtomicBool; 3]>,
    /// What is to be warm, and nobody has been told of yet.
    warmed: Arc<AtomicU64>,
}

/// How a build ends.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    Well,
    Badly,
    Dead,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        let clock = ManualClock::new();
        let world = Self {
            engine: Engine::with_clock(clock.clone()),
            clock,
            log: Arc::default(),
            gone: Arc::new([(); 3].map(|()| AtomicBool::new(false))),
            warmed: Arc::default(),
        };
        Arc::new(world)
    }

    /// This thread serves that session from here on.
    pub(super) fn serve(session: usize) {
        SERVES.with(|serves| serves.set(session));
    }

    /// The settings of a function that has its entries per session.
    pub(super) fn in_session(&self) -> Settings {
        self.in_sessions(false)
    }

    /// The settings of such a function where code may outlive its session.
    pub(super) fn in_sessions(&self, outlived: bool) -> Settings {
        let gone = Arc::clone(&self.gone);
        let host = Sessions { gone, outlived };
        self.engine.set_host(Some(Arc::new(host)));
        Settings {
            scope: Scope::Session,
            ..Settings::default()
        }
    }

    /// The session is gone, as the host sees it and then as the engine is told.
    pub(super) fn end_session(&self, session: usize) {
        self.gone[session].store(true, Ordering::SeqCst);
        self.engine.end_session(SESSIONS[session]);
    }

    pub(super) fn function(&self, settings: Settings) -> Arc<Things> {
        self.with(settings, Holding::Leases, 0)
    }

    pub(super) fn with(
        &self,
        settings: Settings,
        holding: Holding,
        valid_from: u64,
    ) -> Arc<Things> {
        let keeper = Keeper {
            log: Arc::clone(&self.log),
            holding,
            valid_from,
        };
        Function::new(&self.engine, "f", settings, Box::new(keeper)).unwrap()
    }

    pub(super) fn get(&self, function: &Things, key: u64) -> Got {
        let details = Tagged {
            key,
            again: || None,
        };
        let build = || Ok(self.log.thing());
        function.get_or_refresh(&self::key(key).finish(), &Patiently, build, &details)
    }

    /// A call whose build can do without it.
    pub(super) fn get_or_refresh(&self, function: &Things, key: u64, ends: Ends) -> Got {
        let build = || match ends {
            Ends::Well => Ok(self.log.thing()),
            Ends::Badly => Err(BuildError::Failed(key)),
            Ends::Dead => Err(BuildError::Died(Interrupt(Box::new(())))),
        };
        let details = Tagged {
            key,
            again: || Some(self.again(ends)),
        };
        function.get_or_refresh(&self::key(key).finish(), &Patiently, build, &details)
    }

    /// A build that the background makes.
    pub(super) fn again(&self, ends: Ends) -> Again<Thing, u64> {
        let log = Arc::clone(&self.log);
        Arc::new(move |build| {
            let outcome = match ends {
                Ends::Well => Ok(build.run(|| log.thing())),
                Ends::Badly => Err(BuildError::Failed(7)),
                Ends::Dead => return build.abandon(),
            };
            build.finish(outcome, |_| 7);
        })
    }

    /// Has the background build it, unless it is there.
    pub(super) fn warm(&self, function: &Things, key: u64, ends: Ends) {
        self.warmed.fetch_add(1, Ordering::SeqCst);
        let told = Arc::clone(&self.warmed);
        let done = move |_| _ = told.fetch_sub(1, Ordering::SeqCst);
        let encoded = self::key(key);
        let begun = function.warm(&encoded.finish(), tags(key), self.again(ends), done);
        if begun.is_err() {
            self.warmed.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The number that a call gives; no lease is kept.
    pub(super) fn number(&self, function: &Things, key: u64) -> u64 {
        self.get(function, key).unwrap().number
    }

    /// Checks what holds when nobody calls any more and no lease is out.
    pub(super) fn check(&self, functions: &[&Arc<Things>]) {
        let counts = self.engine.inspect();
        assert_eq!((counts.flights, counts.waits), (0, 0), "{counts:?}");
        let armed = counts.expiries + counts.endings + counts.drains;
        assert_eq!(counts.jobs, armed, "{counts:?}");
        assert_eq!(self.warmed.load(Ordering::SeqCst), 0);
        let infos: Vec<_> = functions.iter().map(|it| it.info()).collect();
        let entries: u64 = infos.iter().map(|it| it.entries).sum();
        let draining: u64 = infos.iter().map(|it| it.draining).sum();
        assert!(infos.iter().all(|it| it.waiting == 0));
        assert_eq!(self.log.built(), self.log.released() + entries + draining);
    }

    /// Everything ends, and is released.
    pub(super) fn check_to_the_end(&self, functions: &[&Arc<Things>]) {
        self.check(functions);
        assert!(self.engine.shutdown());
        self.check(functions);
        assert_eq!(self.engine.inspect().tags, 0);
        assert_eq!(self.log.built(), self.log.released());
    }
}

/// The tag of calls with this key, where a function asks for one.
pub(super) fn tag(key: u64) -> &'static str {
    ["even", "odd"][(key % 2) as usize]
}

pub(super) fn tags(key: u64) -> Tags {
    [tag(key)].into_iter().collect()
}

/// A call with the tag of its key.
pub(super) struct Tagged<A> {
    pub(super) key: u64,
    pub(super) again: A,
}

impl<A: Fn() -> Option<Again<Thing, u64>>> Details<Thing, u64> for Tagged<A> {
    fn again(&self) -> Option<Again<Thing, u64>> {
        (self.again)()
    }

    fn tags(&self) -> Result<Tags, Interrupt> {
        Ok(tags(self.key))
    }
}

pub(super) fn key(number: u64) -> Encoder {
    let mut key = Encoder::new();
    key.framed(1, &number.to_le_bytes());
    key
}
