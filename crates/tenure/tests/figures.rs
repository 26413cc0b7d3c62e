//! H9 and V1: refreshes in the background, runs, ends and hits, as the figures count them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::front::{Again, Holding, Patiently};
use tenure::{
    Behaviour, Cause, Engine, Function, KeyRef, ManualClock, ProgramHost, Refresh, Refreshed,
    Scope, Session, Settings, Trigger,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A function that is refreshed in the background, and takes a second each time.
struct Rates {
    clock: ManualClock,
    engine: Engine,
    function: Arc<Function<u32, String>>,
    fails: Arc<AtomicBool>,
}

impl Rates {
    fn new() -> Self {
        let clock = ManualClock::new();
        let engine = Engine::with_clock(clock.clone());
        let settings = Settings::default()
            .ttl(MINUTE)
            .max_stale(100 * MINUTE)
            .refresh(Refresh::Background);
        Self {
            function: Function::plain(&engine, "rates", settings).unwrap(),
            clock,
            engine,
            fails: Arc::default(),
        }
    }

    fn call(&self) {
        let (clock, fails) = (self.clock.clone(), Arc::clone(&self.fails));
        let build = move || {
            clock.advance(Duration::from_secs(1));
            match fails.load(Ordering::Relaxed) {
                false => Ok(7),
                true => Err("no route".to_owned()),
            }
        };
        let again = || -> Option<Again<u32, String>> {
            let build = build.clone();
            Some(Arc::new(move |detached| {
                let outcome = detached.run(|| build().map_err(tenure::front::BuildError::Failed));
                detached.finish(outcome, |interrupt| format!("{interrupt:?}"));
            }))
        };
        let made = || build().map_err(tenure::front::BuildError::Failed);
        let got = self
            .function
            .get_or_refresh(&KeyRef::EMPTY, &Patiently, made, &again);
        assert_eq!(*got.unwrap(), 7);
    }

    /// A call that finds it too old, and what becomes of the refresh.
    fn refresh(&self) -> [u64; 3] {
        self.clock.advance(MINUTE);
        self.call();
        self.engine.run_due();
        let info = self.function.info();
        Refreshed::ALL.map(|it| info.refreshed(it))
    }

    fn ran(&self, trigger: Trigger) -> (u64, u64) {
        let info = self.function.info();
        let runs = info.runs(trigger);
        (runs.times.count(), runs.time.as_secs())
    }
}

#[test]
fn h9_a_refresh_counts_once_by_what_became_of_it() {
    let rates = Rates::new();
    rates.call();
    assert_eq!(rates.refresh(), [1, 0, 0]);
    rates.fails.store(true, Ordering::Relaxed);
    assert_eq!(rates.refresh(), [1, 1, 0]);
    rates.fails.store(false, Ordering::Relaxed);
    rates.engine.configure(|config| config.refresh_workers = 0);
    assert_eq!(rates.refresh(), [1, 1, 1]);
    assert_eq!(
        (rates.ran(Trigger::Miss), rates.ran(Trigger::Refresh)),
        ((1, 1), (2, 2))
    );
    let info = rates.function.info();
    assert!(info.refreshes_itself);
    assert_eq!((info.builds, info.failures), (2, 1));
    assert_eq!(
        (info.ended(Cause::Replaced), info.released(Cause::Replaced)),
        (1, 1)
    );
}

#[test]
fn h9_a_refresh_that_is_given_up_has_failed() {
    let rates = Rates::new();
    rates.call();
    rates.clock.advance(MINUTE);
    // Nobody carries the build that this is given.
    let again = || -> Option<Again<u32, String>> { Some(Arc::new(drop)) };
    let got =
        rates
            .function
            .get_or_refresh::<u32>(&KeyRef::EMPTY, &Patiently, || unreachable!(), &again);
    assert_eq!(*got.unwrap(), 7);
    rates.engine.run_due();
    assert_eq!(rates.function.info().refreshed(Refreshed::Error), 1);
    assert_eq!(rates.ran(Trigger::Refresh), (0, 0));
}

#[test]
fn h9_a_run_that_panics_counts_with_its_time() {
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    let build = || -> Result<u32, _> {
        clock.advance(Duration::from_secs(3));
        panic!("no route")
    };
    let call = AssertUnwindSafe(|| pools.get_or_build(&KeyRef::EMPTY, build).map(drop));
    assert!(catch_unwind(call).is_err());
    let info = pools.info();
    assert_eq!(info.failures, 1);
    assert_eq!(info.runs(Trigger::Miss).time, Duration::from_secs(3));
    assert_eq!(info.runs(Trigger::Miss).times.count(), 1);
}

#[test]
fn v1_what_could_not_become_an_entry_has_ended_too() {
    struct Weightless;

    impl tenure::Behaviour<u32> for Weightless {
        fn weight(&self, _: &u32) -> Result<u64, tenure::Interrupt> {
            Err(tenure::Interrupt(Box::new("it cannot be weighed")))
        }
    }

    let engine = Engine::new();
    let settings = Settings::default().weighs(true);
    let function =
        Function::<u32, String>::new(&engine, "pool", settings, Box::new(Weightless)).unwrap();
    assert!(function.get_or_build(&KeyRef::EMPTY, || Ok(7)).is_err());
    let info = function.info();
    assert_eq!(info.released(Cause::Orphaned), 1);
    assert_eq!(info.ended(Cause::Orphaned), 1);
}

mod one {
    #[tenure::cache_resource]
    pub fn pool() -> u32 {
        1
    }
}

mod other {
    #[tenure::cache_resource]
    pub fn pool() -> u32 {
        2
    }
}

#[test]
fn v3_functions_of_one_name_in_two_modules_are_two() {
    drop((one::pool(), one::pool(), other::pool()));
    let report = tenure::info();
    let hits =
        |module: &str| report.in_full()[&*format!("{}::{module}::pool", module_path!())].hits;
    assert_eq!((hits("one"), hits("other")), (1, 0));
}

type Act = Box<dyn FnOnce() + Send>;

/// Has something happen once, when it is asked who uses a resource.
#[derive(Clone, Default)]
struct Meanwhile(Arc<Mutex<Option<Act>>>);

impl Behaviour<u32> for Meanwhile {
    fn holding(&self) -> Holding {
        Holding::Watched
    }

    fn in_use(&self, _: &u32) -> bool {
        let act = self.0.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        false
    }
}

#[test]
fn v1_no_hit_is_lost_and_nothing_drains_where_entries_end_while_they_are_counted() {
    let engine = Engine::new();
    engine.set_host(Some(Arc::new(ProgramHost)));
    let meanwhile = Meanwhile::default();
    let settings = Settings::default().scope(Scope::Session);
    let behaviour = Box::new(meanwhile.clone());
    let baskets = Function::<u32, ()>::new(&engine, "basket", settings, behaviour).unwrap();
    for session in ["a", "b"].map(Session::named) {
        for _ in 0..3 {
            let call = || baskets.get_or_build(&KeyRef::EMPTY, || Ok(7));
            drop(session.run(call).unwrap());
        }
    }
    assert_eq!(baskets.info().hits, 4);
    // The one that is looked at last has ended by then.
    let cleared = Arc::clone(&baskets);
    *meanwhile.0.lock().unwrap() = Some(Box::new(move || cleared.release_all(Cause::Cleared)));
    let info = baskets.info();
    assert_eq!((info.entries, info.hits, info.draining), (1, 4, 0));
    let info = baskets.info();
    assert_eq!((info.entries, info.hits, info.draining), (0, 4, 0));
}
