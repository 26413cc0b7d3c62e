//! H3, H4: what a host is asked to show, to record and to put out again.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tenure::front::{Asked as Steps, Next};
use tenure::{Error, Scope, Settings, Spinner};

use crate::support::host::{Asked, write};
use crate::support::{Announced, World, gate, key, receive};

const DELAY: Duration = Duration::from_millis(100);

fn global() -> Settings {
    Settings::default()
}

fn take(world: &World) -> Vec<Asked> {
    world.host.as_ref().unwrap().take()
}

fn build(text: Option<&str>) -> Asked {
    Asked::Build {
        text: text.map(str::to_owned),
    }
}

fn wait(text: Option<&str>) -> Asked {
    Asked::Wait {
        text: text.map(str::to_owned),
    }
}

const ENDED: Asked = Asked::End { built: true };
const DEFAULT: Option<&str> = Some("Running `f(...)`.");

pub fn h3_a_build_that_ends_at_once_shows_nothing(world: &World) {
    let f = world.function(global());
    world.number(&f, 1);
    assert_eq!(world.engine.inspect().jobs, 0);
    world.pass(DELAY * 10);
    world.number(&f, 1);
    assert_eq!(take(world), [build(DEFAULT), ENDED]);
    _ = f.get_or_build(&key(2).finish(), || Err(String::new()));
    assert_eq!(take(world), [build(DEFAULT), Asked::End { built: false }]);
}

pub fn h3_a_long_build_shows_its_text_once(world: &World) {
    let f = world.function(global());
    let long = || {
        world.pass(DELAY - Duration::from_millis(1));
        write("before");
        world.pass(Duration::from_millis(1));
        (0..5).for_each(|_| world.pass(DELAY));
        Ok(world.log.thing())
    };
    f.get_or_build(&key(1).finish(), long).unwrap();
    assert_eq!(take(world), [build(DEFAULT), Asked::Show, ENDED]);
}

pub fn h3_the_text_can_be_given_or_left_out(world: &World) {
    let given = global().spinner(Spinner::Text("Loading…".into()));
    let off = global().spinner(Spinner::Off);
    for (settings, text) in [(given, Some("Loading…")), (off, None)] {
        let f = world.function(settings);
        let long = || {
            world.pass(DELAY);
            Ok(world.log.thing())
        };
        f.get_or_build(&key(1).finish(), long).unwrap();
        let shown = text.map(|_| Asked::Show);
        let expected: Vec<_> = [build(text)]
            .into_iter()
            .chain(shown)
            .chain([ENDED])
            .collect();
        assert_eq!(take(world), expected);
    }
}

pub fn h3_only_the_outermost_build_shows(world: &World) {
    let inner = world.function_with("inner", global(), world.keeper());
    let f = world.function(global());
    let nested = || {
        let long = || {
            world.pass(DELAY * 2);
            Ok(world.log.thing())
        };
        inner.get_or_build(&key(1).finish(), long).unwrap();
        Ok(world.log.thing())
    };
    f.get_or_build(&key(1).finish(), nested).unwrap();
    let expected = [build(DEFAULT), build(None), Asked::Show, ENDED, ENDED];
    assert_eq!(take(world), expected);
}

pub fn h3_who_waits_sees_it_too(world: &World) {
    let f = &world.function(global());
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        scope.spawn(|| world.get_through(&keyhole, f, 1));
        gate.reached();
        scope.spawn(|| {
            let waiting = Announced(announce);
            let got = f.get_or_build_while(&key(1).finish(), &waiting, || unreachable!());
            got.unwrap();
        });
        receive(&announced);
        assert_eq!(take(world), [build(DEFAULT), wait(DEFAULT)]);
        world.pass(DELAY);
        assert_eq!(take(world), [Asked::Show, Asked::Show]);
        gate.open();
    });
    assert_eq!(take(world), [ENDED, ENDED]);
}

pub fn c4_a_host_can_have_who_waits_stop(world: &World) {
    let f = &world.function(global());
    let (gate, keyhole) = gate();
    thread::scope(|scope| {
        scope.spawn(|| world.get_through(&keyhole, f, 1));
        gate.reached();
        world.host.as_ref().unwrap().stop_who_waits();
        let stopped = f.get_or_build(&key(1).finish(), || unreachable!());
        assert!(matches!(stopped, Err(Error::Interrupted(_))));
        gate.open();
    });
    assert_eq!(world.number(f, 1), 0);
}

pub fn h3_a_build_that_panics_hides_its_spinner(world: &World) {
    let f = &world.function(global());
    let outcome = thread::scope(|scope| {
        let panics = || -> Result<_, String> {
            world.pass(DELAY);
            panic!("a build that panics, on purpose")
        };
        let builder = scope.spawn(move || f.get_or_build(&key(1).finish(), panics).map(drop));
        builder.join()
    });
    assert!(outcome.is_err());
    let expected = [build(DEFAULT), Asked::Show, Asked::End { built: false }];
    assert_eq!(take(world), expected);
}

fn replay(elements: &[&str]) -> Asked {
    Asked::Replay(elements.iter().map(|&it| it.to_owned()).collect())
}

pub fn h4_a_hit_replays(world: &World) {
    for scope in [Scope::Global, Scope::Session] {
        let f = world.function(global().scope(scope));
        let writes = || {
            write("loaded");
            write("ready");
            Ok(world.log.thing())
        };
        f.get_or_build(&key(1).finish(), writes).unwrap();
        assert_eq!(
            take(world),
            [build(DEFAULT), ENDED],
            "its builder has seen it"
        );
        for _ in 0..2 {
            assert!(
                f.peek(&key(1).finish(), |_| ()).is_none(),
                "no hit is silent"
            );
            world.number(&f, 1);
            assert_eq!(take(world), [replay(&["loaded", "ready"])]);
        }
        assert_eq!(f.info().hits, 2);
    }
}

pub fn h4_what_stands_in_for_a_build_that_takes_too_long_replays(world: &World) {
    let minute = Duration::from_secs(60);
    let settings = global().ttl(minute).max_stale(minute).build_timeout(DELAY);
    let f = world.function(settings);
    let writes = || {
        write("loaded");
        Ok(world.log.thing())
    };
    let first = f.get_or_build(&key(1).finish(), writes).unwrap().number;
    world.pass(minute + DELAY);
    take(world);
    let begin = || f.next(&key(1).finish(), &mut Steps::default(), &|| None);
    let Next::Build(build, caller) = begin().unwrap() else {
        unreachable!("it is stale");
    };
    world.pass(DELAY * 2);
    let kept = f.landed(&key(1).finish(), caller).unwrap().unwrap();
    assert_eq!(kept.number, first);
    assert!(take(world).contains(&replay(&["loaded"])));
    drop(kept);
    let outcome = build.run(|| Ok(world.log.thing()));
    build.finish(outcome, |interrupt| format!("{interrupt:?}"));
}

pub fn h4_who_waited_replays(world: &World) {
    let f = &world.function(global());
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let build = || {
                keyhole.pass();
                write("loaded");
                Ok(world.log.thing())
            };
            f.get_or_build(&key(1).finish(), build).unwrap();
        });
        gate.reached();
        scope.spawn(|| {
            let waiting = Announced(announce);
            let got = f.get_or_build_while(&key(1).finish(), &waiting, || unreachable!());
            got.unwrap();
        });
        receive(&announced);
        gate.open();
    });
    let replays = take(world)
        .into_iter()
        .filter(|it| *it == replay(&["loaded"]));
    assert_eq!(replays.count(), 1);
}

pub fn h4_nested_recordings_are_part_of_the_outer_one(world: &World) {
    let inner = world.function_with("inner", global(), world.keeper());
    let f = world.function(global());
    let needs_inner = || {
        write("first");
        let writes = || {
            write("inner");
            Ok(world.log.thing())
        };
        inner.get_or_build(&key(1).finish(), writes).unwrap();
        write("last");
        Ok(world.log.thing())
    };
    f.get_or_build(&key(1).finish(), needs_inner).unwrap();
    // Once more, with a hit inside.
    f.get_or_build(&key(2).finish(), needs_inner).unwrap();
    take(world);
    for number in [1, 2] {
        world.number(&f, number);
        assert_eq!(take(world), [replay(&["first", "inner", "last"])]);
    }
}

pub fn l2_a_host_that_needs_the_entry_is_a_cycle(world: &World) {
    let f = world.function(global());
    let host = world.host.as_ref().unwrap();
    let (asks, told) = (f.clone(), channel());
    host.at_next_end(move || {
        let got = asks.get_or_build(&key(1).finish(), || unreachable!());
        told.0.send(matches!(got, Err(Error::Cycle(_)))).unwrap();
    });
    world.number(&f, 1);
    assert!(receive(&told.1));
    assert_eq!(world.number(&f, 1), 0);
}
