//! L18: what a parent process hands down is an entry like any other in its child, which neither builds nor
//! releases it. Two engines stand for the two processes.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tenure::{
    Behaviour, Cause, Encoder, Engine, Fork, Function, KeyRef, ManualClock, ReleaseFailed, Settings,
};

const MINUTE: Duration = Duration::from_secs(60);

type Models = Function<String, String>;
type Ledger = Arc<Mutex<Vec<(String, Cause)>>>;

struct Notes(Ledger);

impl Behaviour<String> for Notes {
    fn weight(&self, model: &String) -> Result<u64, tenure::Interrupt> {
        Ok(model.len() as u64)
    }

    fn is_same(&self, kept: &String, built: &String) -> bool {
        kept == built
    }

    fn release(&self, model: String, cause: Cause) -> Result<(), ReleaseFailed> {
        self.0.lock().unwrap().push((model, cause));
        Ok(())
    }
}

/// A process: its engine, its function, and what it has released.
struct Process {
    clock: ManualClock,
    engine: Engine,
    models: Arc<Models>,
    released: Ledger,
}

impl Process {
    fn new(clock: &ManualClock, settings: &Settings) -> Self {
        let engine = Engine::with_clock(clock.clone());
        let released = Ledger::default();
        let notes = Box::new(Notes(Arc::clone(&released)));
        let settings = settings.clone().fork(Fork::Keep);
        Self {
            models: Function::new(&engine, "model", settings, notes).unwrap(),
            clock: clock.clone(),
            engine,
            released,
        }
    }

    fn forks(&self) -> Self {
        let child = Self::new(&self.clock, self.models.settings());
        let legacy = self.models.legacy();
        child.models.inherit(legacy.heirlooms(String::clone));
        child
    }

    fn get(&self, number: u8, builds: &str) -> String {
        let build = || Ok(builds.to_owned());
        let lease = self.models.get_or_build(&key(number).as_key_ref(), build);
        String::clone(&lease.unwrap())
    }

    fn released(&self) -> Vec<(String, Cause)> {
        self.released.lock().unwrap().clone()
    }

    fn passes(&self, time: Duration) {
        self.clock.advance(time);
        self.engine.run_due();
    }
}

/// A key that outlives its encoder.
struct Number(Encoder);

impl Number {
    fn as_key_ref(&self) -> KeyRef<'_> {
        self.0.finish()
    }
}

fn key(number: u8) -> Number {
    let mut encoder = Encoder::new();
    encoder.tag(number);
    Number(encoder)
}

fn parent(settings: Settings) -> Process {
    let parent = Process::new(&ManualClock::new(), &settings);
    assert_eq!(parent.get(1, "first"), "first");
    assert_eq!(parent.get(2, "second"), "second");
    parent
}

#[test]
fn l18_a_child_builds_and_releases_nothing_of_its_parents() {
    let parent = parent(Settings::default());
    let child = parent.forks();
    assert_eq!(child.get(1, "anew"), "first");
    let info = child.models.info();
    assert_eq!((info.entries, info.inherited, info.builds), (2, 2, 0));
    assert_eq!((info.hits, info.misses, info.draining), (1, 0, 0));
    child.get(3, "own");
    assert!(child.engine.shutdown());
    assert_eq!(child.released(), [("own".into(), Cause::Shutdown)]);
    assert_eq!(child.models.info().all_released(), 1);
    assert!(parent.released().is_empty());
    parent.models.clear().unwrap();
    assert_eq!(parent.released().len(), 2);
}

#[test]
fn l18_what_drains_beside_it_is_counted() {
    let child = parent(Settings::default()).forks();
    let lease = child
        .models
        .get_or_build(&key(3).as_key_ref(), || Ok("own".into()));
    child.models.clear_entry(&key(3).as_key_ref()).unwrap();
    assert_eq!(child.models.info().draining, 1);
    assert!(!child.engine.shutdown()); // the lease is the child's own
    drop(lease);
    assert_eq!(child.models.info().draining, 0);
}

#[test]
fn l18_a_lease_of_what_has_ended_is_no_release_either() {
    let child = parent(Settings::default().drain(MINUTE)).forks();
    let lease = child
        .models
        .get_or_build(&key(1).as_key_ref(), || unreachable!())
        .unwrap();
    child.models.clear().unwrap();
    assert_eq!(child.get(1, "own"), "own");
    assert_eq!(
        (child.models.info().inherited, child.models.info().draining),
        (0, 0)
    );
    assert_eq!(*lease, "first");
    lease.discard(); // finds that its entry has ended
    assert!(child.engine.shutdown());
    assert_eq!(child.released(), [("own".into(), Cause::Shutdown)]);
}

#[test]
fn l18_its_age_goes_on_where_it_was() {
    let parent = parent(Settings::default().ttl(MINUTE));
    parent.passes(MINUTE / 2);
    let child = parent.forks();
    assert_eq!(child.models.info().ages[0], MINUTE / 2);
    child.passes(MINUTE / 4);
    assert_eq!(child.get(1, "anew"), "first");
    child.passes(MINUTE / 4 + Duration::from_millis(1));
    assert_eq!(child.models.info().entries, 0); // with nobody asking
    assert!(child.released().is_empty());
    // What has ended in its parent is not handed down, seen or not.
    assert_eq!(parent.forks().models.info().entries, 0);
}

#[test]
fn l18_its_idle_time_goes_on_where_it_was() {
    let parent = parent(Settings::default().max_idle(MINUTE));
    parent.passes(MINUTE / 2);
    parent.get(2, "anew");
    let child = parent.forks();
    child.passes(MINUTE / 2 + Duration::from_millis(1));
    assert_eq!(child.models.info().entries, 1);
    assert_eq!(child.get(2, "anew"), "second");
    assert_eq!(child.get(1, "own"), "own");
    // One that has been put aside for too long is none any more.
    let legacy = parent.models.legacy().heirlooms(String::clone);
    let late = Process::new(&parent.clock, parent.models.settings());
    parent.clock.advance(MINUTE);
    late.models.inherit(legacy);
    assert_eq!(late.models.info().entries, 0);
}

#[test]
fn l18_what_someone_had_expire_is_stale_in_a_child_too() {
    let settings = Settings::default().ttl(MINUTE).max_stale(MINUTE);
    let parent = parent(settings);
    parent.models.expire_entry(&key(1).as_key_ref()).unwrap();
    let child = parent.forks();
    assert_eq!(child.models.info().inherited, 2);
    let stale = child
        .models
        .get_or_build(&key(1).as_key_ref(), || Err("down".into()));
    assert_eq!(*stale.unwrap(), "first");
    child.passes(Duration::from_secs(5)); // the pause after a failure is over
    // The very same is built, and is the child's own from then on.
    assert_eq!(child.get(1, "first"), "first");
    let info = child.models.info();
    assert_eq!((info.inherited, info.builds, info.renewals), (1, 1, 0));
    assert!(child.released().is_empty());
}

#[test]
fn l18_bounds_hold_in_a_child() {
    let settings = Settings::default().max_entries(2);
    let child = parent(settings).forks();
    child.get(3, "own");
    assert_eq!(
        (child.models.info().entries, child.models.info().inherited),
        (2, 1)
    );
    assert_eq!(child.get(2, "anew"), "second"); // the oldest one went
    let child = parent(Settings::default().weighs(true).max_weight(12)).forks();
    assert_eq!(child.models.info().weight, 11);
    child.get(1, "anew");
    child.get(3, "own");
    assert_eq!(child.models.info().weight, 8); // the one used longest ago went
    assert!(child.released().is_empty());
    assert_eq!(child.models.info().all_released(), 0);
}

#[test]
fn l18_the_budget_of_a_child_holds_for_what_it_inherits() {
    let parent = parent(Settings::default().weighs(true));
    let child = Process::new(&parent.clock, parent.models.settings());
    child.engine.configure(|config| config.max_weight = Some(8));
    child
        .models
        .inherit(parent.models.legacy().heirlooms(String::clone));
    assert_eq!(child.models.info().weight, 6);
    assert!(child.released().is_empty());
}

#[test]
fn l18_what_stands_in_a_child_stays() {
    let parent = parent(Settings::default());
    let child = Process::new(&parent.clock, parent.models.settings());
    assert_eq!(child.get(1, "own"), "own");
    child
        .models
        .inherit(parent.models.legacy().heirlooms(String::clone));
    assert_eq!(
        (child.get(1, "anew"), child.get(2, "anew")),
        ("own".into(), "second".into())
    );
    assert_eq!(
        (child.models.info().inherited, child.models.info().draining),
        (1, 0)
    );
}

#[test]
fn l18_what_ends_while_a_process_forks_is_released_after_that_and_not_handed_down() {
    let parent = parent(Settings::default());
    let legacy = parent.models.legacy();
    parent.models.clear_entry(&key(1).as_key_ref()).unwrap();
    assert!(parent.released().is_empty());
    let left = legacy.heirlooms(String::clone);
    assert_eq!(
        left.iter()
            .map(|it| it.value().as_str())
            .collect::<Vec<_>>(),
        ["second"]
    );
    drop(legacy);
    assert_eq!(parent.released(), [("first".into(), Cause::Cleared)]);
}

#[test]
fn l18_generations() {
    let parent = parent(Settings::default());
    let child = parent.forks();
    child.models.clear_entry(&key(1).as_key_ref()).unwrap();
    child.get(1, "childs");
    let grandchild = child.forks();
    assert_eq!(grandchild.models.info().inherited, 2);
    assert_eq!(grandchild.get(1, "anew"), "childs");
    drop(grandchild);
    assert!(child.engine.shutdown());
    assert_eq!(child.released(), [("childs".into(), Cause::Shutdown)]);
}

#[test]
fn l18_on_the_systems_clock_with_threads() {
    let parent = parent(Settings::default());
    let engine = Engine::new();
    let released = Ledger::default();
    let settings = parent.models.settings().clone().ttl(MINUTE);
    let notes = Box::new(Notes(Arc::clone(&released)));
    let models: Arc<Models> = Function::new(&engine, "model", settings, notes).unwrap();
    thread::scope(|scope| {
        for number in 0..4_u8 {
            let models = &models;
            scope.spawn(move || {
                for _ in 0..200 {
                    let own = || Ok("own".to_owned());
                    drop(
                        models
                            .get_or_build(&key(number % 3).as_key_ref(), own)
                            .unwrap(),
                    );
                    if number == 3 {
                        models.clear().unwrap();
                    }
                }
            });
        }
        for _ in 0..50 {
            models.inherit(parent.models.legacy().heirlooms(String::clone));
        }
    });
    assert!(engine.shutdown());
    assert!(
        released
            .lock()
            .unwrap()
            .iter()
            .all(|(model, _)| model == "own")
    );
    assert_eq!(models.info().builds, models.info().all_released());
}

#[test]
fn l18_only_functions_of_these_types_that_keep_are_asked() {
    let parent = parent(Settings::default());
    let other = Function::<u32, ()>::plain(&parent.engine, "other", Settings::default()).unwrap();
    let kept = parent.engine.kept_over_forks::<String, String>();
    assert!(kept.len() == 1 && Arc::ptr_eq(&kept[0], &parent.models));
    assert!(parent.engine.kept_over_forks::<u32, ()>().is_empty());
    drop(other);
}
