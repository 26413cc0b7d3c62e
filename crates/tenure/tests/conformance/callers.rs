//! C1 to C4: callers at the same time, on threads.

use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tenure::front::{Awaited, BuildError, Patiently, Waiting};
use tenure::{Error, Interrupt};

use crate::support::{Announced, Got, Things, World, failed, gate, interrupt, key, receive};

pub fn c1_one_build_per_key(world: &World) {
    let f = &world.function(world.settings());
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        let build = || {
            keyhole.pass();
            Ok(world.log.thing())
        };
        let first = scope.spawn(move || f.get_or_build(&key(1).finish(), build).unwrap().number);
        gate.reached();
        let waiters: Vec<_> = (0..7)
            .map(|_| {
                let waiting = Announced(announce.clone());
                scope.spawn(move || wait(f, &waiting, || Ok(world.log.thing())).unwrap().number)
            })
            .collect();
        waiters.iter().for_each(|_| receive(&announced));
        assert_eq!(f.info().waiting, 7);
        gate.open();
        let number = first.join().unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), number);
        }
    });
    assert_eq!(world.log.built(), 1);
    assert_eq!(f.info().misses, 8);
}

/// A call for key 1 whose wait is announced.
fn wait(
    f: &Things,
    waiting: &dyn Waiting,
    build: impl FnOnce() -> Result<crate::support::Thing, BuildError<String>>,
) -> Got {
    f.get_or_build_while(&key(1).finish(), waiting, build)
}

pub fn c1_builds_of_other_keys_go_on(world: &World) {
    let f = &world.function(world.settings());
    let (gate, keyhole) = gate();
    thread::scope(|scope| {
        scope.spawn(|| world.get_through(&keyhole, f, 1));
        gate.reached();
        assert_eq!(world.number(f, 2), 0);
        assert_eq!(world.number(f, 2), 0);
        gate.open();
    });
    assert_eq!(world.number(f, 1), 1);
}

pub fn c2_waiters_share_the_failure(world: &World) {
    let f = &world.function(world.settings());
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        let build = || {
            keyhole.pass();
            Err("no such table".to_owned())
        };
        let first = scope.spawn(move || f.get_or_build(&key(1).finish(), build).unwrap_err());
        gate.reached();
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let waiting = Announced(announce.clone());
                scope.spawn(move || wait(f, &waiting, || unreachable!()).unwrap_err())
            })
            .collect();
        waiters.iter().for_each(|_| receive(&announced));
        gate.open();
        for caller in std::iter::once(first).chain(waiters) {
            let error = caller.join().unwrap();
            assert!(matches!(error, Error::Failed(text) if text == "no such table"));
        }
    });
    assert_eq!(f.info().failures, 1);
    world.number(f, 1);
    assert_eq!(f.info().builds, 1);
}

pub fn c2_a_failure_is_not_kept(world: &World) {
    let f = world.function(world.settings());
    for attempt in 1..=3 {
        let error = f.get_or_build(&key(1).finish(), || Err(format!("attempt {attempt}")));
        assert_eq!(error.unwrap_err().to_string(), format!("attempt {attempt}"));
    }
    assert_eq!(f.info().failures, 3);
}

/// The chain of a cycle; any other outcome is returned.
fn chain(got: Got) -> Result<Vec<String>, Got> {
    match got {
        Err(Error::Cycle(chain)) => Ok(chain),
        other => Err(other),
    }
}

pub fn c3_its_own_entry_is_a_cycle(world: &World) {
    let f = &world.function(world.settings());
    let mut seen = None;
    let outer = f.get_or_build(&key(1).finish(), || {
        let inner = f.get_or_build(&key(1).finish(), || unreachable!());
        seen = Some(chain(inner).unwrap());
        Err("the circle".to_owned())
    });
    assert!(outer.is_err());
    assert_eq!(seen.unwrap(), ["f", "f"]);
    // Another key of the same function is no circle.
    f.get_or_build(&key(1).finish(), || {
        world.number(f, 2);
        Ok(world.log.thing())
    })
    .unwrap();
}

/// Each thread builds its own function and then needs the next one's; the last needs the first.
fn circle(world: &World, names: &[&str]) {
    let functions: Vec<_> = names
        .iter()
        .map(|name| world.function_with(name, world.settings(), world.keeper()))
        .collect();
    let all_build = Barrier::new(names.len());
    let outcomes: Vec<Got> = thread::scope(|scope| {
        let threads: Vec<_> = (0..names.len())
            .map(|at| {
                let (mine, next) = (&functions[at], &functions[(at + 1) % names.len()]);
                let all_build = &all_build;
                scope.spawn(move || {
                    mine.get_or_build_while(&key(1).finish(), &Patiently, || {
                        all_build.wait();
                        match next.get_or_build(&key(1).finish(), || unreachable!()) {
                            Ok(_) => Ok(world.log.thing()),
                            Err(Error::Cycle(chain)) => Err(failed(&chain.join(" "))),
                            Err(other) => Err(failed(&other.to_string())),
                        }
                    })
                })
            })
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    // One sees the circle, and its failure is what the others waited for.
    let texts: Vec<String> = outcomes
        .into_iter()
        .map(|it| it.unwrap_err().to_string())
        .collect();
    let chain: Vec<&str> = texts[0].split(' ').collect();
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    assert_eq!(chain.len(), names.len() + 1);
    assert_eq!(chain.first(), chain.last());
    for pair in chain.windows(2) {
        let at = names.iter().position(|name| *name == pair[0]).unwrap();
        assert_eq!(pair[1], names[(at + 1) % names.len()], "{chain:?}");
    }
}

pub fn c3_a_cycle_across_two_threads(world: &World) {
    circle(world, &["ping", "pong"]);
}

pub fn c3_a_cycle_across_three_threads(world: &World) {
    circle(world, &["rock", "paper", "scissors"]);
}

pub fn c3_what_two_need_is_no_cycle(world: &World) {
    let [a, b, shared] =
        &["a", "b", "shared"].map(|it| world.function_with(it, world.settings(), world.keeper()));
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        scope.spawn(|| world.get_through(&keyhole, shared, 1));
        gate.reached();
        for needs in [a, b] {
            let waiting = Announced(announce.clone());
            scope.spawn(move || {
                let build = || {
                    wait(shared, &waiting, || unreachable!()).unwrap();
                    Ok(world.log.thing())
                };
                needs.get_or_build(&key(1).finish(), build).unwrap();
            });
        }
        receive(&announced);
        receive(&announced);
        gate.open();
    });
    assert_eq!(world.log.built(), 3);
}

pub fn c3_a_need_that_is_over_closes_no_circle(world: &World) {
    let [a, b] = &["a", "b"].map(|it| world.function_with(it, world.settings(), world.keeper()));
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let build = || {
                // Needed, and over.
                world.number(b, 1);
                keyhole.pass();
                Ok(world.log.thing())
            };
            a.get_or_build(&key(1).finish(), build).unwrap();
        });
        gate.reached();
        b.clear().unwrap();
        scope.spawn(|| {
            let waiting = Announced(announce);
            let build = || {
                wait(a, &waiting, || unreachable!()).unwrap();
                Ok(world.log.thing())
            };
            b.get_or_build(&key(1).finish(), build).unwrap();
        });
        receive(&announced);
        gate.open();
    });
    assert_eq!(world.log.built(), 3);
}

/// Gives up at once.
struct GivesUp;

impl Waiting for GivesUp {
    fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
        assert!(!build.is_of_this_thread());
        assert!(!build.block(Some(Duration::ZERO)), "the build is under way");
        Err(interrupt())
    }
}

pub fn c4_a_wait_can_be_interrupted(world: &World) {
    let f = &world.function(world.settings());
    let (gate, keyhole) = gate();
    thread::scope(|scope| {
        scope.spawn(|| world.get_through(&keyhole, f, 1));
        gate.reached();
        let given_up = wait(f, &GivesUp, || unreachable!()).unwrap_err();
        assert!(matches!(given_up, Error::Interrupted(_)));
        assert_eq!(f.info().waiting, 0);
        gate.open();
    });
    assert_eq!(world.number(f, 1), 0);
}

/// A build that ends badly while two wait for it: one of them builds, both get that.
fn hands_on(
    world: &World,
    dies: impl FnOnce() -> Result<crate::support::Thing, BuildError<String>> + Send,
) {
    let f = &world.function(world.settings());
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        let builder = scope.spawn(|| {
            let build = || {
                keyhole.pass();
                dies()
            };
            wait(f, &Patiently, build).map(drop)
        });
        gate.reached();
        let waiters = [(); 2].map(|()| {
            let waiting = Announced(announce.clone());
            scope.spawn(move || {
                // The second wait, where there is one, is announced to nobody.
                let build = || Ok(world.log.thing());
                wait(f, &waiting, build).unwrap().number
            })
        });
        receive(&announced);
        receive(&announced);
        gate.open();
        let died = builder.join();
        assert!(!matches!(died, Ok(Ok(()))), "the build died");
        let numbers = waiters.map(|waiter| waiter.join().unwrap());
        assert_eq!(numbers, [0, 0]);
    });
    assert_eq!(world.log.built(), 1);
    assert_eq!(f.info().entries, 1);
}

pub fn c4_a_build_that_dies_hands_on(world: &World) {
    hands_on(world, || Err(BuildError::Died(interrupt())));
}

pub fn c4_a_build_that_panics_hands_on(world: &World) {
    hands_on(world, || panic!("a build that panics, on purpose"));
}

pub fn c4_a_death_with_nobody_waiting_leaves_nothing(world: &World) {
    let f = world.function(world.settings());
    let died = wait(&f, &Patiently, || Err(BuildError::Died(interrupt())));
    assert!(matches!(died, Err(Error::Interrupted(_))));
    assert_eq!(world.engine.inspect().flights, 0);
    assert_eq!(world.number(&f, 1), 0);
}
