//! Builds that wait for their turn among the members of a fleet, over a bus that answers when the test says so.
#![allow(missing_docs)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tenure::fleet::{Asking, Bus, Ending, KnownAs, Mark, Permit, Purpose, Terms, Topic};
use tenure::front::{Again, Detached, Patiently, Warmed};
use tenure::{Behaviour, Engine, Error, Function, KeyRef, ManualClock, Refresh, Settings};

type Tell = Box<dyn FnOnce(Option<Permit>) + Send>;

/// Gives permits at once, or keeps those who ask.
#[derive(Default)]
struct Gate {
    keeps: AtomicBool,
    asks: Mutex<Vec<(usize, Tell)>>,
    numbers: AtomicUsize,
    given: AtomicUsize,
}

struct Gates(Arc<Gate>);

struct Given(Arc<Gate>);

impl Drop for Given {
    fn drop(&mut self) {
        self.0.given.fetch_sub(1, SeqCst);
    }
}

struct Asked(Arc<Gate>, usize);

impl Drop for Asked {
    fn drop(&mut self) {
        let gone = {
            let mut asks = self.0.asks.lock().unwrap();
            let at = asks.iter().position(|it| it.0 == self.1);
            at.map(|at| asks.remove(at))
        };
        drop(gone);
    }
}

impl Gate {
    fn permit(self: &Arc<Self>) -> Permit {
        self.given.fetch_add(1, SeqCst);
        Box::new(Given(Arc::clone(self)))
    }

    fn asks(&self) -> usize {
        self.asks.lock().unwrap().len()
    }

    /// Gives the one who asks a permit.
    fn open(self: &Arc<Self>) {
        let asks = std::mem::take(&mut *self.asks.lock().unwrap());
        assert_eq!(asks.len(), 1);
        for (_, tell) in asks {
            tell(Some(self.permit()));
        }
    }

    fn given(&self) -> usize {
        self.given.load(SeqCst)
    }
}

impl Bus for Gates {
    fn mark(&self, _: Purpose, _: &[&[u8]]) -> Mark {
        Mark([7; 16])
    }

    fn raise(&self, _: Topic, _: Ending) {}

    fn ask(&self, _: Mark, _: u32, tell: Tell) -> Asking {
        let gate = &self.0;
        let number = gate.numbers.fetch_add(1, SeqCst);
        if gate.keeps.load(SeqCst) {
            gate.asks.lock().unwrap().push((number, tell));
        } else {
            tell(Some(gate.permit()));
        }
        Box::new(Asked(Arc::clone(gate), number))
    }
}

/// A resource that looks how many permits there are when it is released.
struct Pool {
    number: u64,
    gate: Arc<Gate>,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.seen.lock().unwrap().push(self.gate.given());
    }
}

struct Known;

impl Behaviour<Pool> for Known {
    fn known_as(&self) -> Option<KnownAs> {
        Some(KnownAs::new("pool", "test 1"))
    }
}

struct World {
    engine: Engine,
    clock: ManualClock,
    gate: Arc<Gate>,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let engine = Engine::with_clock(clock.clone());
        engine.configure(|it| it.refresh_workers = 1);
        let gate = Arc::<Gate>::default();
        engine.join_fleet(Arc::new(Gates(Arc::clone(&gate))), Terms::default());
        Self {
            engine,
            clock,
            gate,
            seen: Arc::default(),
        }
    }

    fn pools(&self, settings: Settings) -> Arc<Function<Pool, String>> {
        Function::new(&self.engine, "pool", settings, Box::new(Known)).unwrap()
    }

    fn pool(&self, number: u64) -> Pool {
        Pool {
            number,
            gate: Arc::clone(&self.gate),
            seen: Arc::clone(&self.seen),
        }
    }

    fn again(&self, number: u64) -> Again<Pool, String> {
        let (gate, seen) = (Arc::clone(&self.gate), Arc::clone(&self.seen));
        Arc::new(move |build: Detached<Pool, String>| {
            let pool = Pool {
                number,
                gate: Arc::clone(&gate),
                seen: Arc::clone(&seen),
            };
            let outcome = build.run(|| Ok(pool));
            build.finish(outcome, |interrupt| format!("{interrupt:?}"));
        })
    }

    /// What a call gives: `first` where nothing is kept, and `next` is what it has built in the background.
    fn get(&self, pools: &Function<Pool, String>, first: u64, next: u64) -> u64 {
        let again = || Some(self.again(next));
        let build = || Ok(self.pool(first));
        let lease = pools.get_or_refresh(&KeyRef::EMPTY, &Patiently, build, &again);
        lease.unwrap().number
    }

    fn warm(&self, pools: &Function<Pool, String>, number: u64) -> Receiver<Warmed<String>> {
        let (told, hears) = channel();
        let done = move |warmed| told.send(warmed).unwrap();
        let again = self.again(number);
        let warm = pools.warm(&KeyRef::EMPTY, tenure::Tags::default(), again, done);
        warm.unwrap();
        hears
    }
}

fn refreshed() -> Settings {
    Settings::default()
        .ttl(Duration::from_secs(60))
        .refresh(Refresh::Background)
}

#[test]
fn d3_a_refresh_that_waits_for_its_permit_leaves_its_worker_to_others() {
    let world = World::new();
    let shared = world.pools(refreshed().fleet_builds(1));
    let others = world.pools(refreshed());
    assert_eq!(world.get(&shared, 1, 2), 1);
    assert_eq!(world.get(&others, 1, 2), 1);
    world.gate.keeps.store(true, SeqCst);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.get(&shared, 0, 2), 1);
    world.engine.run_due();
    assert_eq!(world.gate.asks(), 1);
    // The one worker that there is refreshes what waits for nobody.
    assert_eq!(world.get(&others, 0, 2), 1);
    world.engine.run_due();
    assert_eq!(world.get(&others, 0, 3), 2);
    assert_eq!(world.get(&shared, 0, 3), 1);
    world.gate.open();
    world.engine.run_due();
    assert_eq!(world.get(&shared, 0, 3), 2);
    assert_eq!(world.gate.given(), 0);
}

#[test]
fn d3_a_warming_that_waits_for_its_permit_leaves_its_worker_to_others() {
    let world = World::new();
    let shared = world.pools(Settings::default().fleet_builds(1));
    let others = world.pools(Settings::default());
    world.gate.keeps.store(true, SeqCst);
    let waits = world.warm(&shared, 1);
    world.engine.run_due();
    assert_eq!(world.gate.asks(), 1);
    let warms = world.warm(&others, 2);
    world.engine.run_due();
    assert_eq!(warms.try_recv(), Ok(Warmed::Built));
    assert!(waits.try_recv().is_err());
    world.gate.open();
    world.engine.run_due();
    assert_eq!(waits.try_recv(), Ok(Warmed::Built));
    assert_eq!(world.get(&shared, 0, 0), 1);
    assert_eq!(world.gate.given(), 0);
}

#[test]
fn d3_a_build_whose_turn_has_come_waits_for_a_worker_as_any_other() {
    let world = World::new();
    let shared = world.pools(Settings::default().fleet_builds(1));
    let others = world.pools(Settings::default());
    world.gate.keeps.store(true, SeqCst);
    let waits = world.warm(&shared, 1);
    world.engine.run_due();
    // It keeps the one worker until the test ends it.
    let (gives, takes) = channel();
    let kept = Arc::new(Mutex::new(gives));
    let again = Arc::new(move |build: Detached<Pool, String>| {
        kept.lock().unwrap().send(build).unwrap();
    });
    others
        .warm(&KeyRef::EMPTY, tenure::Tags::default(), again, |_| {})
        .unwrap();
    world.engine.run_due();
    let build = takes.try_recv().unwrap();
    world.gate.open();
    world.engine.run_due();
    assert!(waits.try_recv().is_err());
    drop(build);
    world.engine.run_due();
    assert_eq!(waits.try_recv(), Ok(Warmed::Built));
}

#[test]
fn d3_a_build_that_is_given_up_before_its_turn_takes_its_question_back_and_wakes_who_waits() {
    struct Wakes(AtomicUsize);
    impl std::task::Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let world = World::new();
    let shared = world.pools(Settings::default().fleet_builds(1));
    world.gate.keeps.store(true, SeqCst);
    let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
    let next = shared.next(
        &KeyRef::EMPTY,
        &mut tenure::front::Asked::default(),
        &|| None,
    );
    let Ok(tenure::front::Next::Build(build, caller)) = next else {
        panic!("nothing is kept");
    };
    assert!(!build.poll_turn(&Arc::clone(&wakes).into()));
    build.abandon();
    caller.give_up();
    assert_eq!((world.gate.asks(), world.gate.given()), (0, 0));
    assert!(wakes.0.load(SeqCst) > 0);
    assert!(build.poll_turn(&Arc::clone(&wakes).into()));
}

#[test]
fn d3_a_permit_is_given_back_before_what_was_replaced_is_released() {
    let world = World::new();
    let settings = Settings::default().ttl(Duration::from_secs(60));
    let shared = world.pools(settings.max_stale(Duration::from_secs(60)).fleet_builds(1));
    assert_eq!(world.get(&shared, 1, 0), 1);
    world.clock.advance(Duration::from_secs(61));
    let build = || {
        assert_eq!(world.gate.given(), 1);
        Ok(world.pool(2))
    };
    assert_eq!(
        shared.get_or_build(&KeyRef::EMPTY, build).unwrap().number,
        2
    );
    // The old one went when the new one had come.
    assert_eq!(*world.seen.lock().unwrap(), [0]);
}

#[test]
fn d3_build_timeout_counts_the_wait_for_a_permit() {
    let world = World::new();
    let settings = Settings::default().build_timeout(Duration::from_secs(5));
    let shared = world.pools(settings.fleet_builds(1));
    world.gate.keeps.store(true, SeqCst);
    thread::scope(|scope| {
        let call = scope.spawn(|| {
            let (again, build) = (|| Some(world.again(1)), || unreachable!("it is carried"));
            let call = shared.get_or_refresh::<Pool>(&KeyRef::EMPTY, &Patiently, build, &again);
            matches!(call, Err(Error::TimedOut { .. }))
        });
        while world.gate.asks() == 0 {
            thread::yield_now();
        }
        world.engine.run_due();
        while !call.is_finished() {
            // The caller's patience begins when it waits.
            world.clock.advance(Duration::from_secs(5));
            world.engine.run_due();
            thread::yield_now();
        }
        assert!(call.join().unwrap());
    });
    // It goes on, and is kept when it ends.
    assert_eq!((world.gate.asks(), world.gate.given()), (1, 0));
    world.gate.open();
    world.engine.run_due();
    while world.engine.inspect().flights > 0 {
        thread::yield_now();
    }
    assert_eq!(world.get(&shared, 0, 0), 1);
}
