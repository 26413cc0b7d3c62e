//! Observed inputs (R7, H5) on the bare engine: an entry is found by its call and by what its
//! build looked at.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::{Arc, Barrier};
use std::thread;

use tenure::{
    BuildStart, Cause, Encoder, Engine, Function, Host, HostBuild, Interrupt, Lease, Observed,
    Recording, SessionId, Settings,
};

thread_local! {
    /// The widgets of the session that this thread serves.
    static WIDGETS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
    /// What the builds on this thread looked at, innermost last.
    static OBSERVED: RefCell<Vec<Vec<&'static str>>> = const { RefCell::new(Vec::new()) };
    static REPLAYED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn set(widget: &'static str, value: u64) {
    WIDGETS.with_borrow_mut(|widgets| widgets.insert(widget, value));
}

fn read(widget: &'static str) -> u64 {
    OBSERVED.with_borrow_mut(|stack| stack.last_mut().expect("in a build").push(widget));
    WIDGETS.with_borrow(|widgets| widgets[widget])
}

struct Widgets;

struct Build;

impl Host for Widgets {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(None)
    }

    fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        if start.waits {
            return Ok(None);
        }
        OBSERVED.with_borrow_mut(|stack| stack.push(Vec::new()));
        Ok(Some(Arc::new(Build)))
    }

    fn replay(&self, recording: &Recording) -> Result<(), Interrupt> {
        let ids = recording.elements::<Vec<&'static str>>().expect("ours");
        REPLAYED.with_borrow_mut(|replayed| replayed.extend(ids));
        Ok(())
    }

    fn observe(&self, observed: &Observed, values: &mut Encoder) -> Result<(), Interrupt> {
        for id in observed.ids::<Vec<&'static str>>().expect("ours") {
            let value = WIDGETS.with_borrow(|widgets| widgets.get(id).copied());
            values.write_u64(value.unwrap_or(0));
        }
        Ok(())
    }
}

impl HostBuild for Build {
    fn show(&self) {}

    fn end(&self, _built: bool) -> Option<Recording> {
        let ids = OBSERVED.with_borrow_mut(|stack| stack.pop().expect("begun"));
        if ids.is_empty() {
            return None;
        }
        let mut shape = Encoder::new();
        for id in &ids {
            shape.framed(1, id.as_bytes());
        }
        let observed = Observed::new(ids.clone(), &shape.finish());
        Some(Recording::new(ids).observing(observed))
    }
}

type Sums = Function<u64, &'static str>;

fn function(settings: Settings) -> (Engine, Arc<Sums>) {
    let engine = Engine::new();
    engine.set_host(Some(Arc::new(Widgets)));
    let settings = settings.observes(true);
    let function = Function::plain(&engine, "sum", settings).expect("good settings");
    (engine, function)
}

fn key(of: u64) -> Encoder {
    let mut key = Encoder::new();
    key.framed(1, &of.to_le_bytes());
    key
}

fn sum(function: &Sums, of: u64) -> Lease<u64> {
    let build = || {
        let first = read("first");
        // The second widget is only met in one branch.
        let second = if first > 10 { read("second") } else { 0 };
        Ok(of + first + second)
    };
    function
        .get_or_build(&key(of).finish(), build)
        .expect("it builds")
}

#[test]
fn r7_a_hit_needs_the_same_call_and_the_same_values() {
    let (_engine, function) = function(Settings::default());
    set("first", 1);
    let one = sum(&function, 100);
    assert_eq!(*one, 101);
    assert!(sum(&function, 100).same_entry(&one));
    assert_eq!(*sum(&function, 200), 201);
    set("first", 2);
    assert_eq!(*sum(&function, 100), 102);
    set("first", 1);
    assert!(sum(&function, 100).same_entry(&one));
    let info = function.info();
    assert_eq!((info.builds, info.hits, info.entries), (3, 2, 3));
}

#[test]
fn r7_an_input_first_met_in_a_branch_counts_from_then_on() {
    let (_engine, function) = function(Settings::default());
    set("first", 1);
    set("second", 1000);
    let plain = sum(&function, 0);
    set("first", 11);
    assert_eq!(*sum(&function, 0), 1011);
    set("second", 2000);
    assert_eq!(*sum(&function, 0), 2011);
    set("first", 1);
    assert!(sum(&function, 0).same_entry(&plain));
    set("second", 3000);
    assert!(sum(&function, 0).same_entry(&plain));
    assert_eq!(function.info().builds, 3);
}

#[test]
fn r7_a_hit_puts_the_recording_out_again() {
    let (_engine, function) = function(Settings::default());
    set("first", 11);
    set("second", 0);
    let _ = sum(&function, 0);
    assert!(REPLAYED.with_borrow(Vec::is_empty));
    let _ = sum(&function, 0);
    assert_eq!(REPLAYED.take(), ["first", "second"]);
}

#[test]
fn r7_max_entries_bounds_what_inputs_can_fill() {
    let (_engine, function) = function(Settings::default().max_entries(2));
    for value in 0..10 {
        set("first", value);
        let _ = sum(&function, 0);
        assert!(function.info().entries <= 2);
    }
    assert_eq!(function.info().released(Cause::Evicted), 8);
}

#[test]
fn r7_clearing_a_call_clears_what_every_value_gave() {
    let (_engine, function) = function(Settings::default());
    for value in 0..3 {
        set("first", value);
        let _ = sum(&function, 0);
        let _ = sum(&function, 5);
    }
    function
        .clear_entry(&key(0).finish())
        .expect("no session needed");
    let info = function.info();
    assert_eq!((info.entries, info.released(Cause::Cleared)), (3, 3));
    let _ = sum(&function, 5);
    assert_eq!(function.info().builds, 6);
    let _ = sum(&function, 0);
    assert_eq!(function.info().builds, 7);
}

/// Two threads call at once while a build is held up; both see the same value, or not.
fn two_at_once(values: [u64; 2]) -> u64 {
    let (_engine, function) = function(Settings::default());
    // The shape is known beforehand.
    set("first", 9);
    let _ = sum(&function, 0);
    let builds = function.info().builds;
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        let leader = scope.spawn(|| {
            set("first", values[0]);
            let build = || {
                let value = read("first");
                begun.wait();
                begun.wait();
                Ok(value)
            };
            *function
                .get_or_build(&key(0).finish(), build)
                .expect("it builds")
        });
        begun.wait();
        let other = scope.spawn(|| {
            set("first", values[1]);
            let build = || Ok(read("first"));
            *function
                .get_or_build(&key(0).finish(), build)
                .expect("it builds")
        });
        if values[0] != values[1] {
            // C1: a build under another value goes on while the first is held up.
            assert_eq!(other.join().expect("no panic"), values[1]);
            begun.wait();
        } else {
            while function.info().waiting == 0 {
                thread::yield_now();
            }
            begun.wait();
            assert_eq!(other.join().expect("no panic"), values[1]);
        }
        assert_eq!(leader.join().expect("no panic"), values[0]);
    });
    function.info().builds - builds
}

#[test]
fn c1_callers_with_the_same_values_share_one_build() {
    assert_eq!(two_at_once([3, 3]), 1);
}

#[test]
fn c1_callers_with_other_values_build_at_the_same_time() {
    assert_eq!(two_at_once([3, 4]), 2);
}

/// The first build of all is under way, and nobody knows yet what it observes.
fn first_of_all(outcome: Result<u64, &'static str>, others: u64) -> Result<u64, &'static str> {
    let (_engine, function) = function(Settings::default());
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            set("first", 1);
            let _ = function.get_or_build(&key(0).finish(), || {
                let _ = read("first");
                begun.wait();
                while function.info().waiting == 0 {
                    thread::yield_now();
                }
                outcome
            });
        });
        begun.wait();
        set("first", others);
        let gave = function.get_or_build(&key(0).finish(), || Ok(read("first") * 100));
        match gave {
            Ok(lease) => Ok(*lease),
            Err(tenure::Error::Failed(failure)) => Err(failure),
            Err(other) => panic!("{other:?}"),
        }
    })
}

#[test]
fn c2_a_waiter_takes_only_what_was_built_from_its_own_values() {
    assert_eq!(first_of_all(Ok(7), 1), Ok(7));
    assert_eq!(first_of_all(Ok(7), 2), Ok(200));
    assert_eq!(first_of_all(Err("down"), 1), Err("down"));
    assert_eq!(first_of_all(Err("down"), 2), Ok(200));
}

#[test]
fn r7_without_the_setting_inputs_do_not_count() {
    let engine = Engine::new();
    engine.set_host(Some(Arc::new(Widgets)));
    let function = Function::plain(&engine, "sum", Settings::default()).expect("good settings");
    set("first", 1);
    let one = sum(&function, 0);
    set("first", 2);
    assert!(sum(&function, 0).same_entry(&one));
    let elements: Option<&dyn Any> = one.recording().and_then(|it| {
        let ids = it.elements::<Vec<&'static str>>();
        ids.map(|ids| ids as &dyn Any)
    });
    assert!(elements.is_some());
}

#[test]
fn h5_a_look_finds_what_the_present_inputs_mean() {
    let (_engine, sums) = function(Settings::default());
    let kept = || sums.kept(&key(1).finish()).unwrap().as_deref().copied();
    set("first", 5);
    sum(&sums, 1);
    REPLAYED.take();
    assert_eq!(kept(), Some(6));
    set("first", 6);
    assert_eq!(kept(), None);
    set("first", 5);
    assert_eq!(kept(), Some(6));
    assert!(REPLAYED.take().is_empty());
}
