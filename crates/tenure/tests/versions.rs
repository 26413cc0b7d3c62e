//! F7 and F8: which versions of a function stand side by side, and which ones go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tenure::front::{Identity, Origin, Registered, Stamp};
use tenure::{
    Cause, Engine, Function, Host, HostBuild, Interrupt, KeyRef, ManualClock, Recording, SessionId,
    Settings,
};

const SITE: [u8; 16] = [1; 16];
const GRACE: Duration = Duration::from_secs(3600);

/// So many wait for each session, as the guide says.
const WAITING_MAX: usize = 16;

/// A host whose session is set by hand.
#[derive(Default)]
struct Sessions(Mutex<Option<SessionId>>);

impl Host for Sessions {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn begin(&self, _: &tenure::BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        Ok(None)
    }

    fn replay(&self, _: &Recording) -> Result<(), Interrupt> {
        Ok(())
    }
}

struct World {
    clock: ManualClock,
    engine: Engine,
    host: Arc<Sessions>,
}

type Known = Registered<u8, ()>;

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let engine = Engine::with_clock(clock.clone());
        let host = Arc::new(Sessions::default());
        engine.set_host(Some(Arc::clone(&host) as Arc<dyn Host>));
        Self {
            clock,
            engine,
            host,
        }
    }

    fn enter(&self, session: Option<&str>) {
        *self.host.0.lock().unwrap() = session.map(SessionId::from);
    }

    /// Decorates, and builds unless it finds what was built.
    fn call(&self, identity: Identity) -> Known {
        let make = || Function::plain(&self.engine, "f", Settings::default());
        let known: Known = self.engine.register(identity, make).unwrap();
        known
            .function()
            .get_or_build(&KeyRef::EMPTY, || Ok(7))
            .unwrap();
        known
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.engine.run_due();
    }
}

fn version(number: u8) -> Identity {
    Identity::new(SITE, [number; 16])
}

fn is_kept(function: &Function<u8, ()>) -> bool {
    let info = function.info();
    assert_eq!(
        info.released(Cause::Superseded),
        u64::from(info.entries == 0)
    );
    info.entries == 1
}

/// Decorates with one, lets go of it, decorates with the other. Whether the first is kept.
fn stays(one: &Identity, other: Identity) -> bool {
    let world = World::new();
    let known = world.call(one.clone());
    let function = Arc::clone(known.function());
    drop(known);
    let _other = world.call(other);
    world.engine.run_due();
    is_kept(&function)
}

#[test]
fn f7_what_the_same_code_makes_stands_side_by_side() {
    let one = Identity {
        maker: [1; 16],
        stamp: Stamp::File([1; 16]),
        ..version(1)
    };
    let settings = [2; 16];
    let stamp = Stamp::File([2; 16]);
    assert!(stays(
        &one,
        Identity {
            settings,
            ..one.clone()
        }
    ));
    assert!(stays(
        &one,
        Identity {
            version: [2; 16],
            ..one.clone()
        }
    ));
    // After an edit elsewhere in the file.
    assert!(stays(
        &one,
        Identity {
            stamp,
            ..one.clone()
        }
    ));
    assert!(stays(
        &one,
        Identity {
            stamp,
            settings,
            ..one.clone()
        }
    ));
    assert!(stays(
        &one,
        Identity {
            stamp,
            version: [2; 16],
            ..one.clone()
        }
    ));
    // Two places of one state of the file make it.
    assert!(stays(
        &one,
        Identity {
            maker: [2; 16],
            settings,
            ..one.clone()
        }
    ));
}

#[test]
fn f7_f6_an_edit_is_new_code_that_makes_it() {
    let one = Identity {
        maker: [1; 16],
        stamp: Stamp::File([1; 16]),
        ..version(1)
    };
    let edited = Identity {
        maker: [2; 16],
        stamp: Stamp::File([2; 16]),
        ..one.clone()
    };
    assert!(stays(&one, edited.clone()));
    assert!(!stays(
        &one,
        Identity {
            settings: [2; 16],
            ..edited.clone()
        }
    ));
    assert!(!stays(
        &one,
        Identity {
            version: [2; 16],
            ..edited.clone()
        }
    ));
    let place = [2; 16];
    assert!(stays(
        &one,
        Identity {
            place,
            version: [2; 16],
            ..edited.clone()
        }
    ));
    // Code without a file.
    let typed = Identity {
        stamp: Stamp::Unknown,
        ..one.clone()
    };
    let maker = [2; 16];
    assert!(stays(
        &typed,
        Identity {
            settings: [2; 16],
            ..typed.clone()
        }
    ));
    assert!(!stays(
        &typed,
        Identity {
            maker,
            version: [2; 16],
            ..typed.clone()
        }
    ));
}

#[test]
fn f7_f6_two_functions_of_one_name_outlive_an_edit_of_the_code_around_them() {
    const FIRST: [u8; 16] = [1; 16];
    const SECOND: [u8; 16] = [2; 16];
    const EDITED: [u8; 16] = [3; 16];
    let state = |number: u8, code: [u8; 16], beside: &[[u8; 16]]| Identity {
        version: code,
        code: [code].into(),
        beside: [beside.into()].into(),
        maker: [number; 16],
        stamp: Stamp::File([number; 16]),
        ..version(1)
    };
    let before = state(1, SECOND, &[FIRST, SECOND]);
    assert!(stays(&before, state(2, FIRST, &[FIRST, SECOND])));
    assert!(stays(&before, state(2, EDITED, &[EDITED, SECOND])));
    // It has been edited itself, or deleted; or it is decorated in another way.
    assert!(!stays(&before, state(2, FIRST, &[FIRST, EDITED])));
    assert!(!stays(&before, state(2, FIRST, &[FIRST])));
    let settings = [2; 16];
    let decorated_anew = state(2, SECOND, &[FIRST, SECOND]);
    assert!(!stays(
        &before,
        Identity {
            settings,
            ..decorated_anew
        }
    ));
    // Its own code cannot be seen.
    let unseen = Identity {
        code: [].into(),
        ..before
    };
    assert!(!stays(&unseen, state(2, FIRST, &[FIRST, SECOND])));
}

#[test]
fn f7_what_is_there_already_outdates_nothing() {
    let world = World::new();
    let state = |number: u8, of: u8| Identity {
        maker: [number; 16],
        stamp: Stamp::File([number; 16]),
        ..version(of)
    };
    let one = world.call(state(1, 1));
    let other = world.call(state(1, 2));
    let (first, second) = (one.function().clone(), other.function().clone());
    drop((one, other));
    // An edit elsewhere: both come back, one after the other.
    drop(world.call(state(2, 1)));
    drop(world.call(state(2, 2)));
    assert!(is_kept(&first) && is_kept(&second));
    // An edit of the second; and one that takes it back while somebody still holds the first state of it.
    drop(world.call(state(3, 1)));
    let held = world.call(state(3, 2));
    drop(world.call(state(4, 1)));
    let edited = world.call(state(4, 3));
    let third = edited.function().clone();
    drop(edited);
    assert!(is_kept(&first) && is_kept(&second) && is_kept(&third));
    drop(world.call(state(5, 1)));
    drop(world.call(state(5, 2)));
    assert!(is_kept(&first) && is_kept(&second) && !is_kept(&third));
    drop(held);
    assert!(is_kept(&second));
}

#[test]
fn f7_statements_that_were_typed_together_stand_side_by_side() {
    let typed = |lines: u8, of: u8| Identity {
        maker: [of; 16],
        stamp: Stamp::Typed([lines; 16]),
        ..version(of)
    };
    assert!(stays(&typed(1, 1), typed(1, 2)));
    assert!(!stays(&typed(1, 1), typed(2, 2)));
}

#[test]
fn f7_texts_of_one_run_of_a_script_stand_side_by_side() {
    let of = |run: u64, of: u8| Identity {
        maker: [of; 16],
        origin: Origin::Script(run),
        ..version(of)
    };
    for (session, run, is_sibling) in [
        (Some("ada"), 1, true),
        (Some("ada"), 2, false),
        (None, 1, false),
    ] {
        let world = World::new();
        world.enter(session);
        let known = world.call(of(1, 1));
        let function = Arc::clone(known.function());
        drop(known);
        drop(world.call(of(run, 2)));
        assert_eq!(is_kept(&function), is_sibling, "{session:?}, run {run}");
    }
}

#[test]
fn f7_what_one_session_types_outdates_nothing_of_anothers() {
    let world = World::new();
    world.enter(Some("ada"));
    let known = world.call(version(1));
    let function = Arc::clone(known.function());
    drop(known);
    let maker = [2; 16];
    world.enter(Some("bob"));
    drop(world.call(Identity {
        maker,
        ..version(2)
    }));
    assert!(is_kept(&function));
    world.enter(Some("ada"));
    drop(world.call(Identity {
        maker,
        ..version(3)
    }));
    assert!(!is_kept(&function));
}

#[test]
fn f7_live_functions_of_one_run_with_other_callbacks_share_nothing() {
    let world = World::new();
    let bound = |run: u8, callbacks: u8| Identity {
        run: [run; 16],
        callbacks: [callbacks; 16],
        ..version(1)
    };
    let (one, two) = (world.call(bound(1, 1)), world.call(bound(1, 2)));
    let functions = [one, two].map(|it| Arc::clone(it.function()));
    assert!(!Arc::ptr_eq(&functions[0], &functions[1]));
    // The next run, and a session beside it, find the two in the same order.
    for (run, session) in [(2, None), (3, Some("ada")), (3, Some("bob"))] {
        world.enter(session);
        let (one, two) = (world.call(bound(run, 3)), world.call(bound(run, 4)));
        assert!(Arc::ptr_eq(one.function(), &functions[0]));
        assert!(Arc::ptr_eq(two.function(), &functions[1]));
        let again = world.call(bound(run, 4));
        assert!(Arc::ptr_eq(again.function(), &functions[1]));
    }
}

/// Whether it holds anything, also where it has been released before.
fn holds(function: &Function<u8, ()>) -> bool {
    function.info().entries == 1
}

/// The same function in another state of its source.
fn edited(number: u8, origin: Origin) -> Identity {
    Identity {
        origin,
        maker: [number; 16],
        stamp: Stamp::File([number; 16]),
        ..version(number)
    }
}

#[test]
fn f6_what_is_left_over_of_a_sessions_earlier_run_holds_up_no_edit() {
    let world = World::new();
    world.enter(Some("ada"));
    let one = world.call(edited(1, Origin::Script(1)));
    let two = world.call(edited(2, Origin::Script(2)));
    assert!(!holds(one.function()) && holds(two.function()));
    // A thread of the old run, say, that goes on: what it has built goes with what it holds.
    one.function()
        .get_or_build(&KeyRef::EMPTY, || Ok(7))
        .unwrap();
    let three = world.call(edited(3, Origin::Script(3)));
    assert!(holds(one.function()) && !holds(two.function()));
    let function = Arc::clone(one.function());
    drop(one);
    world.engine.run_due();
    assert!(!holds(&function));
    assert_eq!(function.info().released(Cause::Superseded), 2);
    // What it builds again may be what holds it: that goes in time.
    two.function()
        .get_or_build(&KeyRef::EMPTY, || Ok(7))
        .unwrap();
    assert!(holds(two.function()));
    world.pass(GRACE);
    assert!(!holds(two.function()) && holds(three.function()));
    // The edit is taken back: who decorates finds the old function, which is one like any other.
    let again = world.call(edited(2, Origin::Script(4)));
    assert!(Arc::ptr_eq(again.function(), two.function()) && holds(two.function()));
    assert!(!holds(three.function()));
    drop((two, three));
    world.engine.run_due();
    assert!(holds(again.function()));
}

#[test]
fn f6_a_run_of_another_session_is_in_use_until_that_session_ends() {
    let world = World::new();
    world.enter(Some("bob"));
    let bobs = world.call(edited(1, Origin::Script(1)));
    world.enter(Some("ada"));
    let _adas = world.call(edited(2, Origin::Script(2)));
    assert!(is_kept(bobs.function()));
    world.engine.end_session("bob");
    assert!(!is_kept(bobs.function()));
    // Who has no session may run two scripts at once.
    world.enter(None);
    let one = world.call(edited(3, Origin::Script(3)));
    let _two = world.call(edited(4, Origin::Script(4)));
    assert!(is_kept(one.function()));
}

#[test]
fn f6_a_module_that_anyone_loads_anew_leaves_nothing_of_the_old_one() {
    let world = World::new();
    world.enter(Some("bob"));
    let before = world.call(edited(1, Origin::Module(1)));
    let lasting = world.call(edited(1, Origin::Lasting));
    world.enter(Some("ada"));
    let _after = world.call(edited(2, Origin::Module(2)));
    assert!(is_kept(before.function())); // `lasting` is the same function
    drop(lasting);
    world.engine.run_due();
    assert!(!is_kept(before.function()));
}

#[test]
fn f8_a_sibling_that_only_leftovers_hold_waits() {
    let world = World::new();
    world.enter(Some("ada"));
    let at = |number, run| Identity {
        origin: Origin::Script(run),
        ..version(number)
    };
    let nine = world.call(at(9, 1));
    let ten = world.call(at(10, 2));
    assert!(holds(nine.function()));
    world.pass(GRACE);
    assert!(!holds(nine.function()) && holds(ten.function()));
    let again = world.call(at(9, 3));
    assert!(Arc::ptr_eq(again.function(), nine.function()) && holds(nine.function()));
    // The session's end has what it leaves wait among those of nobody.
    world.engine.end_session("ada");
    assert!(holds(ten.function()));
    world.pass(GRACE);
    assert!(!holds(ten.function()) && holds(nine.function()));
}

#[test]
fn f8_what_nothing_brings_back_goes_in_time_and_the_newest_stays() {
    let world = World::new();
    let functions = [1, 2, 3].map(|number| Arc::clone(world.call(version(number)).function()));
    world.pass(GRACE / 2);
    drop(world.call(version(1)));
    world.pass(GRACE / 2);
    // The second and the third have waited for an hour, or since the first came back.
    assert_eq!(
        functions.each_ref().map(|it| is_kept(it)),
        [true, false, true]
    );
    world.pass(GRACE / 2);
    assert_eq!(
        functions.each_ref().map(|it| is_kept(it)),
        [true, false, false]
    );
    world.pass(100 * GRACE);
    assert!(is_kept(&functions[0]));
}

#[test]
fn f8_the_time_can_be_set_while_some_wait() {
    let world = World::new();
    let functions = [1, 2].map(|number| Arc::clone(world.call(version(number)).function()));
    world.engine.configure(|config| config.version_grace = None);
    world.pass(100 * GRACE);
    assert!(is_kept(&functions[0]));
    let minute = Duration::from_secs(60);
    world
        .engine
        .configure(|config| config.version_grace = Some(minute));
    world.engine.run_due();
    assert!(!is_kept(&functions[0]));
    assert!(is_kept(&functions[1]));
}

#[test]
fn f8_so_many_wait_for_each_session_and_for_those_that_have_ended() {
    let world = World::new();
    let mut functions = HashMap::new();
    let both = ["ada", "bob"];
    for (at, session) in (0_u8..).zip(both) {
        world.enter(Some(session));
        let made = (0..40).map(|it| Arc::clone(world.call(version(40 * at + it)).function()));
        functions.insert(session, made.collect::<Vec<_>>());
    }
    let kept = |session| {
        functions[session]
            .iter()
            .map(|it| is_kept(it))
            .collect::<Vec<_>>()
    };
    let latest = |count| (0..40).map(|it| it + count >= 40).collect::<Vec<_>>();
    // The newest one of a site does not wait, and when it began to, its session did nothing.
    assert_eq!(kept("ada"), latest(WAITING_MAX + 1));
    assert_eq!(kept("bob"), latest(WAITING_MAX + 1));
    for session in both {
        world.engine.end_session(session);
    }
    assert_eq!(kept("ada"), latest(0));
    assert_eq!(kept("bob"), latest(WAITING_MAX + 1));
}

#[derive(Clone, Debug)]
enum Step {
    Decorate { version: u8, session: u8 },
    LetGo(usize),
    Pass(u64),
    End(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..60, 0_u8..4).prop_map(|(version, session)| Step::Decorate { version, session }),
        5 => any::<prop::sample::Index>().prop_map(|it| Step::LetGo(it.index(1 << 16))),
        1 => (0_u64..2000).prop_map(Step::Pass),
        1 => (1_u8..4).prop_map(Step::End),
    ]
}

proptest! {
    /// Nothing in use is released, few wait, and in the end the newest alone is left.
    #[test]
    fn f8_versions_in_use_stay_and_few_others_do(steps in prop::collection::vec(step(), 1..200)) {
        let world = World::new();
        let mut held: Vec<Known> = Vec::new();
        let mut made: Vec<Arc<Function<u8, ()>>> = Vec::new();
        for step in steps {
            match step {
                Step::Decorate { version: number, session } => {
                    let name = format!("session {session}");
                    world.enter((session > 0).then_some(name.as_str()));
                    held.push(world.call(version(number)));
                    let function = held[held.len() - 1].function();
                    if !made.iter().any(|it| Arc::ptr_eq(it, function)) {
                        made.push(Arc::clone(function));
                    }
                }
                Step::LetGo(at) if !held.is_empty() => drop(held.swap_remove(at % held.len())),
                Step::LetGo(_) => {}
                Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
                Step::End(session) => world.engine.end_session(&format!("session {session}")),
            }
            world.engine.run_due();
            let in_use = |it: &Arc<_>| held.iter().any(|known| Arc::ptr_eq(known.function(), it));
            prop_assert!(held.iter().all(|known| is_kept(known.function())));
            let waiting = made.iter().filter(|it| is_kept(it) && !in_use(it)).count();
            prop_assert!(waiting <= 1 + 4 * WAITING_MAX);
        }
        held.clear();
        world.engine.run_due();
        world.pass(GRACE);
        prop_assert_eq!(made.iter().filter(|it| is_kept(it)).count(), usize::from(!made.is_empty()));
        prop_assert!(world.engine.shutdown());
    }
}
