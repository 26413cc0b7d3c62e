//! A4, A6, L14, L15, L17: what is too old, idle, heavy, or wanted before anyone asks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::front::{Again, BuildError, Detached, Patiently, Warmed};
use tenure::{Cause, Refresh, Settings, Tags};

use crate::support::{PAST, Thing, Things, World, key, lock};

const TTL: Duration = Duration::from_secs(5);

/// The build of a call, as the background makes it.
fn again(world: &World, fails: bool) -> Again<Thing, String> {
    let log = Arc::clone(&world.log);
    Arc::new(move |build: Detached<Thing, String>| {
        let outcome = build.run(|| match fails {
            true => Err(BuildError::Failed("down".to_owned())),
            false => Ok(log.thing()),
        });
        build.finish(outcome, |interrupt| format!("{interrupt:?}"));
    })
}

fn get(world: &World, f: &Things, fails: bool) -> u64 {
    let build = || match fails {
        true => Err(BuildError::Failed("down".to_owned())),
        false => Ok(world.log.thing()),
    };
    let again = || Some(again(world, fails));
    let got = f.get_or_refresh(&key(1).finish(), &Patiently, build, &again);
    got.unwrap().number
}

fn refreshed(world: &World) -> Settings {
    let settings = world.settings().ttl(TTL).max_stale(TTL);
    settings.refresh(Refresh::Background)
}

pub fn a4_the_old_one_serves_until_its_successor_is_there(world: &World) {
    let f = world.function(refreshed(world));
    assert_eq!(get(world, &f, false), 0);
    world.pass(TTL + PAST);
    assert_eq!(get(world, &f, false), 0);
    let held = f.kept(&key(1).finish()).unwrap().unwrap();
    world.engine.run_due();
    assert_eq!(get(world, &f, false), 1);
    assert_eq!(world.causes(0), []); // it is held
    drop(held);
    assert_eq!(world.causes(0), [Cause::Replaced]);
}

pub fn a4_the_old_one_serves_where_no_successor_can_be_built(world: &World) {
    for settings in [refreshed(world), world.settings().ttl(TTL).max_stale(TTL)] {
        let f = world.function(settings);
        let number = get(world, &f, false);
        world.pass(TTL + PAST);
        for _ in 0..3 {
            assert_eq!(get(world, &f, true), number);
            world.engine.run_due();
        }
        assert_eq!(f.info().failures, 1); // then it pauses
        world.pass(TTL);
        assert_eq!(world.causes(number), [Cause::Expired]);
    }
}

pub fn l14_what_lies_idle_goes_unless_it_is_held(world: &World) {
    let f = world.function(world.settings().max_idle(TTL));
    let held = world.get(&f, 0);
    world.number(&f, 1);
    world.number(&f, 2);
    world.clock.advance(TTL - PAST);
    world.number(&f, 2);
    world.pass(2 * PAST);
    assert_eq!(world.causes(1), [Cause::Idle]);
    assert_eq!(f.info().entries, 2);
    drop(held);
    world.pass(TTL);
    assert_eq!(
        (world.causes(0), world.causes(2)),
        (vec![Cause::Idle], vec![Cause::Idle])
    );
}

pub fn l15_no_more_is_kept_than_may_be(world: &World) {
    let weighs = || world.settings().weighs(true);
    let (f, g) = (
        world.function(weighs().max_weight(3)),
        world.function(weighs()),
    );
    world.engine.configure(|config| config.max_weight = Some(5));
    world.number(&f, 0); // weighs 1
    world.number(&f, 1); // 2
    world.number(&f, 0);
    world.number(&f, 2); // 3, so that all others go
    assert_eq!(
        (f.info().weight, world.causes(1)),
        (3, vec![Cause::Evicted])
    );
    world.number(&g, 3); // 4, within the budget of both
    assert_eq!((f.info().weight, g.info().weight), (0, 4));
    world.number(&f, 7); // 1
    world.number(&f, 7);
    assert_eq!(world.causes(2), [Cause::Evicted]);
    world.engine.configure(|config| config.max_weight = Some(3));
    assert_eq!((f.info().weight, g.info().weight), (1, 0));
}

pub fn l17_what_expires_by_hand_is_refreshed_or_gone(world: &World) {
    let (f, g) = (
        world.function(world.settings()),
        world.function(refreshed(world)),
    );
    let (gone, old) = (get(world, &f, false), get(world, &g, false));
    f.expire_entry(&key(2).finish()).unwrap();
    f.expire_entry(&key(1).finish()).unwrap();
    g.expire().unwrap();
    assert_eq!(world.causes(gone), [Cause::Expired]);
    assert_eq!(get(world, &g, false), old);
    world.engine.run_due();
    assert_eq!(world.causes(old), [Cause::Replaced]);
}

type Told = Arc<Mutex<Vec<Warmed<String>>>>;

fn warm(f: &Things, number: u64, again: Again<Thing, String>, told: &Told) {
    let told = Arc::clone(told);
    let done = move |warmed| lock(&told).push(warmed);
    f.warm(&key(number).finish(), Tags::default(), again, done)
        .unwrap();
}

pub fn a6_what_is_warm_is_there_for_the_first_caller(world: &World) {
    let f = world.function(world.settings());
    let told = Told::default();
    warm(&f, 1, again(world, true), &told);
    world.engine.run_due();
    assert_eq!(*lock(&told), [Warmed::Failed("down".to_owned())]);
    for _ in 0..2 {
        warm(&f, 1, again(world, false), &told);
        world.engine.run_due();
    }
    assert_eq!(lock(&told)[1..], [Warmed::Built, Warmed::Kept]);
    let info = f.info();
    assert_eq!((info.hits, info.misses, info.waiting), (0, 0, 0));
    assert_eq!(world.number(&f, 1), 0);
    assert_eq!((f.info().hits, f.info().misses), (1, 0));
}

pub fn a6_what_warms_waits_for_its_turn(world: &World) {
    world.engine.configure(|config| config.refresh_workers = 0); // there is one all the same
    let f = world.function(world.settings());
    let (told, begun) = (Told::default(), Arc::<Mutex<Vec<_>>>::default());
    let place = Arc::clone(&begun);
    let begins: Again<Thing, String> = Arc::new(move |build| lock(&place).push(build));
    for number in [1, 2, 2, 3] {
        warm(&f, number, Arc::clone(&begins), &told);
    }
    world.engine.run_due();
    assert_eq!(lock(&begun).len(), 1);
    // Whoever asks meanwhile builds by itself.
    assert_eq!(world.number(&f, 2), 0);
    for kept in [1, 2] {
        let build = lock(&begun).pop().unwrap();
        build.finish(Ok(world.log.thing()), |_| String::new());
        drop(build);
        world.engine.run_due();
        assert_eq!(lock(&told).len(), if kept == 1 { 3 } else { 4 });
    }
    assert!(lock(&begun).is_empty());
    assert_eq!(f.info().entries, 3);
}

pub fn a6_a_shutdown_gives_up_what_waits_for_its_turn(world: &World) {
    world.engine.configure(|config| config.refresh_workers = 1);
    let f = world.function(world.settings());
    let (told, begun) = (Told::default(), Arc::<Mutex<Vec<_>>>::default());
    let place = Arc::clone(&begun);
    let begins: Again<Thing, String> = Arc::new(move |build| lock(&place).push(build));
    warm(&f, 1, Arc::clone(&begins), &told);
    warm(&f, 2, begins, &told);
    world.engine.run_due();
    assert!(world.engine.shutdown());
    assert_eq!(*lock(&told), [Warmed::Lost]);
    lock(&begun).clear(); // nobody can carry it any more
    world.engine.run_due();
    assert_eq!(*lock(&told), [Warmed::Lost, Warmed::Lost]);
    assert_eq!(f.info().builds, 0);
}
