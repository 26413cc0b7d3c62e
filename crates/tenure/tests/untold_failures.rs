//! A4, A6, L16: a failure that no caller gets is told to the front door, once; one that somebody gets is not.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use tenure::front::{Again, Asked, Awaiting, BuildError, Detached, Next, Patiently, Warmed};
use tenure::{
    Behaviour, Engine, Error, Function, KeyRef, Lease, ManualClock, Refresh, Settings, Tags,
};

const MINUTE: Duration = Duration::from_secs(60);

/// What the front door was told, in order.
type Told = Arc<Mutex<Vec<String>>>;

struct Listens(Told);

impl Listens {
    fn note(&self, what: &str, function: &str, failure: &dyn std::any::Any) {
        let failure: &String = failure.downcast_ref().expect("the function's own failure");
        let line = format!("{what}: {function}: {failure}");
        self.0.lock().unwrap().push(line);
    }
}

impl Behaviour<u32> for Listens {
    fn refresh_failed(&self, function: &str, failure: &dyn std::any::Any) {
        self.note("refresh", function, failure);
    }

    fn build_failed(&self, function: &str, failure: &dyn std::any::Any) {
        self.note("build", function, failure);
    }
}

struct World {
    clock: ManualClock,
    engine: Engine,
    function: Arc<Function<u32, String>>,
    told: Told,
}

type Outcome = Result<u32, BuildError<String>>;

fn fails() -> Outcome {
    Err(BuildError::Failed("down".to_owned()))
}

/// A build that has nobody to wait for it, and does `work`.
fn again(work: impl Fn() -> Outcome + Send + Sync + 'static) -> Again<u32, String> {
    Arc::new(move |build| {
        let outcome = build.run(&work);
        build.finish(outcome, |_| "interrupted".to_owned());
    })
}

impl World {
    fn new(settings: Settings) -> Self {
        let clock = ManualClock::new();
        let engine = Engine::with_clock(clock.clone());
        let told = Told::default();
        let listens = Box::new(Listens(Arc::clone(&told)));
        let function = Function::new(&engine, "rates", settings, listens).unwrap();
        Self {
            clock,
            engine,
            function,
            told,
        }
    }

    fn call(
        &self,
        here: impl FnOnce() -> Outcome,
        away: &Again<u32, String>,
    ) -> Result<Lease<u32>, Error<String>> {
        let away = || Some(Arc::clone(away));
        self.function
            .get_or_refresh(&KeyRef::EMPTY, &Patiently, here, &away)
    }

    fn begin(&self) -> (Detached<u32, String>, Awaiting<u32, String>) {
        match self.next() {
            Next::Build(build, caller) => (build, caller),
            other => panic!("{other:?}"),
        }
    }

    fn join(&self) -> Awaiting<u32, String> {
        match self.next() {
            Next::Wait(caller) => caller,
            other => panic!("{other:?}"),
        }
    }

    fn next(&self) -> Next<u32, String> {
        let (key, again) = (KeyRef::EMPTY, || None);
        let next = self.function.next(&key, &mut Asked::default(), &again);
        next.unwrap()
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

fn finish(build: &Detached<u32, String>) {
    build.finish(fails(), |_| "interrupted".to_owned());
}

const UNTOLD: [&str; 1] = ["build: rates: down"];
const NOTHING: [&str; 0] = [];

#[test]
fn a4_a_failure_that_a_caller_gets_is_the_callers() {
    let world = World::new(Settings::default());
    let never = again(|| unreachable!());
    assert!(matches!(world.call(fails, &never), Err(Error::Failed(_))));

    let (build, caller) = world.begin();
    finish(&build);
    assert!(matches!(caller.landed(), Err(Error::Failed(it)) if it == "down"));

    // One of two is enough, whichever leaves first.
    for is_late in [false, true] {
        let (build, first) = world.begin();
        let mut other = Some(world.join());
        if !is_late {
            drop(other.take());
        }
        finish(&build);
        drop(other);
        assert!(first.landed().is_err());
    }
    assert_eq!(world.told(), NOTHING);
}

#[test]
fn a4_a_failure_is_told_once_where_all_have_left() {
    for leaves in ["before", "after", "by turns"] {
        let world = World::new(Settings::default());
        let (build, first) = world.begin();
        let other = world.join();
        let mut callers = vec![first, other];
        match leaves {
            "before" => callers.drain(..).for_each(Awaiting::give_up),
            "by turns" => callers.pop().unwrap().give_up(),
            _ => {}
        }
        finish(&build);
        // Those who were cancelled as they were woken have not seen it.
        drop(callers);
        assert_eq!(world.told(), UNTOLD, "{leaves}");
        assert_eq!(world.function.info().failures, 1);
    }
}

#[test]
fn a4_an_interruption_of_a_build_without_callers_is_told() {
    let world = World::new(Settings::default());
    let (build, caller) = world.begin();
    caller.give_up();
    let stop = tenure::Interrupt(Box::new("stop"));
    build.finish(Err(BuildError::Died(stop)), |_| "stopped".to_owned());
    assert_eq!(world.told(), ["build: rates: stopped"]);
}

#[test]
fn a4_what_an_abandoned_build_fails_with_in_the_end_is_told() {
    let world = World::new(Settings::default());
    let (build, caller) = world.begin();
    build.abandon();
    assert!(caller.landed().unwrap().is_none());
    assert_eq!(world.told(), NOTHING);
    finish(&build);
    assert_eq!(world.told(), UNTOLD);
}

#[test]
fn l16_a_build_that_fails_after_its_caller_has_gone_is_told() {
    let world = World::new(Settings::default().build_timeout(MINUTE));
    let gate = Arc::new(Barrier::new(2));
    let away = again({
        let gate = Arc::clone(&gate);
        move || {
            gate.wait();
            fails()
        }
    });
    thread::scope(|scope| {
        let caller = scope.spawn(|| world.call(|| unreachable!(), &away).map(|it| *it));
        while world.function.info().waiting == 0 || world.engine.inspect().jobs == 0 {
            thread::yield_now();
        }
        world.clock.advance(2 * MINUTE);
        world.engine.run_due();
        let outcome = caller.join().unwrap();
        assert!(matches!(outcome, Err(Error::TimedOut { .. })));
    });
    assert_eq!(world.told(), NOTHING);
    gate.wait();
    while world.told().is_empty() {
        thread::yield_now();
    }
    assert_eq!(world.told(), UNTOLD);
}

#[test]
fn a4_a_refresh_that_fails_is_told_as_one_while_the_old_resource_stands() {
    let settings = Settings::default().ttl(MINUTE).refresh(Refresh::Background);
    let world = World::new(settings);
    let away = again(fails);
    assert_eq!(*world.call(|| Ok(7), &away).unwrap(), 7);
    world.clock.advance(MINUTE);
    assert_eq!(*world.call(fails, &away).unwrap(), 7);
    world.engine.run_due();
    assert_eq!(world.told(), ["refresh: rates: down"]);
}

#[test]
fn a4_a_refresh_that_fails_after_the_old_one_has_gone_is_told_where_nobody_waits() {
    for waits in [false, true] {
        let settings = Settings::default().ttl(MINUTE).refresh(Refresh::Background);
        let world = World::new(settings);
        let (send, receive) = channel();
        let away: Again<u32, String> = Arc::new(move |build| send.send(build).unwrap());
        world.call(|| Ok(7), &away).unwrap();
        world.clock.advance(MINUTE);
        world.call(fails, &away).unwrap();
        world.engine.run_due();
        let build = receive.recv().unwrap();
        world.clock.advance(2 * MINUTE);
        world.engine.run_due();
        let caller = waits.then(|| world.join());
        finish(&build);
        match caller {
            None => assert_eq!(world.told(), UNTOLD),
            Some(caller) => {
                assert!(matches!(caller.landed(), Err(Error::Failed(_))));
                assert_eq!(world.told(), NOTHING);
            }
        }
    }
}

#[test]
fn l17_in_the_foreground_the_caller_gets_the_failure_once_nothing_good_is_left() {
    let world = World::new(Settings::default().ttl(MINUTE).max_stale(MINUTE));
    let never = again(|| unreachable!());
    world.call(|| Ok(7), &never).unwrap();
    world.clock.advance(MINUTE);
    let gone_meanwhile = || {
        world.clock.advance(2 * MINUTE);
        fails()
    };
    let outcome = world.call(gone_meanwhile, &never);
    assert!(matches!(outcome, Err(Error::Failed(_))));
    assert_eq!(world.told(), NOTHING);
}

#[test]
fn a6_what_fails_to_be_warm_is_told_to_whoever_had_it_warmed() {
    let world = World::new(Settings::default());
    let (send, warmed) = channel();
    let done = move |it| send.send(it).unwrap();
    let key = KeyRef::EMPTY;
    world
        .function
        .warm(&key, Tags::default(), again(fails), done)
        .unwrap();
    world.engine.run_due();
    let warmed: Warmed<String> = warmed.recv().unwrap();
    assert_eq!(warmed, Warmed::Failed("down".to_owned()));
    assert_eq!(world.told(), NOTHING);
}
