//! S1 to S5: who shares an entry.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tenure::{Cause, Error, Scope, Settings};

use crate::support::host::TestHost;
use crate::support::lines::logged;
use crate::support::{Announced, PAST, Things, World, gate, key, receive};

const GRACE: Duration = Duration::from_secs(30);

fn serve<T>(session: &str, work: impl FnOnce() -> T) -> T {
    TestHost::serve(Some(session), work)
}

pub fn s1_or_s2_one_for_all_who_share_it(world: &World) {
    let f = world.function(world.settings());
    let number = world.number(&f, 1);
    thread::scope(|scope| {
        let others: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| world.number(&f, 1)))
            .collect();
        for other in others {
            assert_eq!(other.join().unwrap(), number);
        }
    });
    // Hits on a session's entries ask the host who is there, and nothing else.
    assert_eq!(f.info().hits, 3);
}

pub fn s1_global_is_one_for_all_sessions(world: &World) {
    let f = world.function(Settings::default());
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    assert_eq!(serve("b", || world.number(&f, 1)), 0);
    assert_eq!(TestHost::serve(None, || world.number(&f, 1)), 0);
    world.engine.end_session("a");
    assert_eq!(world.log.released(), 0);
}

pub fn s2_each_session_has_its_own(world: &World) {
    let f = world.function(world.settings());
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    assert_eq!(serve("b", || world.number(&f, 1)), 1);
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    assert_eq!(f.info().entries, 2);
    assert_eq!(world.engine.sessions(), 2);
}

pub fn s2_its_end_releases_what_it_holds(world: &World) {
    let [f, g] = &["f", "g"].map(|it| world.function_with(it, world.settings(), world.keeper()));
    serve("a", || {
        world.number(f, 1);
        world.number(f, 2);
        world.number(g, 1);
    });
    serve("b", || world.number(f, 1));
    world.engine.end_session("a");
    for number in 0..3 {
        assert_eq!(world.causes(number), [Cause::SessionEnded]);
    }
    assert_eq!(world.causes(3), []);
    assert_eq!(world.engine.sessions(), 1);
    // Ending it again, or one that never was, is nothing.
    world.engine.end_session("a");
    world.engine.end_session("nobody");
    assert_eq!(world.log.released(), 3);
}

pub fn s2_what_was_built_last_goes_first(world: &World) {
    // Which function joined the session first says nothing of what was built first.
    let [f, g] = &["f", "g"].map(|it| world.function_with(it, world.settings(), world.keeper()));
    let built = || {
        serve("a", || {
            for number in 0..3 {
                world.number(f, number);
                world.number(g, number);
            }
        });
    };
    built();
    world.engine.end_session("a");
    built();
    world.engine.end_scope("a");
    built();
    world.engine.end_scope_at_once("a");
    let released = world.log.order();
    let backwards = |from: u64| (from..from + 6).rev();
    let expected: Vec<_> = [0, 6, 12].into_iter().flat_map(backwards).collect();
    assert_eq!(released, expected);
}

pub fn s2_what_all_share_is_not_built_on_what_is_ones_own(world: &World) {
    let own = &world.function_with("basket", world.settings(), world.keeper());
    let shared = world.function_with("shop", Settings::default(), world.keeper());
    let build = || {
        let basket = || own.get_or_build(&key(1).finish(), || Ok(world.log.thing()));
        for error in [
            basket().map(drop).unwrap_err(),
            own.clear().unwrap_err(),
            own.kept(&key(1).finish()).map(drop).unwrap_err(),
        ] {
            assert!(matches!(&error, Error::SharedBuild { function, within, .. }
                if function == "basket" && within == "shop"));
            let text = error.to_string();
            assert!(text.contains("scope=\"session\" for shop too"), "{text}");
        }
        // A session that the build enters itself is its own, also for what that builds in turn.
        let entered = tenure::front::enter_session();
        assert_eq!(basket().unwrap().number, 0);
        drop(entered);
        assert!(basket().is_err());
        Ok(world.log.thing())
    };
    serve("a", || {
        assert_eq!(
            shared.get_or_build(&key(1).finish(), build).unwrap().number,
            1
        );
        assert_eq!(world.number(own, 1), 0);
    });
    // The other way round, and among those of one session, it is what sessions are for.
    let trial = world.function_with("trial", world.settings(), world.keeper());
    let nested = || {
        world.number(&shared, 1);
        world.number(own, 1);
        Ok(world.log.thing())
    };
    let built = serve("a", || trial.get_or_build(&key(1).finish(), nested));
    assert_eq!(built.unwrap().number, 2);
}

pub fn s2_a_host_may_lend_its_sessions_to_what_all_share(world: &World) {
    let own = &world.function_with("basket", world.settings(), world.keeper());
    let shared = world.function_with("shop", Settings::default(), world.keeper());
    world.host.as_ref().unwrap().lend_sessions();
    let ((), logged) = logged(|| {
        for number in 0..3 {
            let build = || {
                world.number(own, 1);
                Ok(world.log.thing())
            };
            serve("a", || {
                drop(shared.get_or_build(&key(number).finish(), build))
            });
        }
    });
    let of_it = |line: &&String| line.contains("more than one session shares");
    assert_eq!(logged.iter().filter(of_it).count(), 1, "{logged:?}");
    assert_eq!(own.info().builds, 1);
}

pub fn s2_a_session_that_ended_before_it_was_joined_leaves_nothing(world: &World) {
    let f = world.function(world.settings());
    let host = world.host.as_ref().unwrap();
    // The host's answer comes first, then the session ends, then the function asks the engine to
    // keep something for it: what such a call gets is an orphan.
    host.end_at_next_question("late", {
        let engine = world.engine.clone();
        move || engine.end_session("late")
    });
    let lease = serve("late", || world.get(&f, 1));
    assert_eq!(world.engine.sessions(), 0);
    assert_eq!(world.causes(lease.number), []);
    drop(lease);
    assert_eq!(world.causes(0), [Cause::Orphaned]);
}

pub fn l8_what_is_built_for_a_session_that_has_ended_is_an_orphan(world: &World) {
    let f = world.function(world.settings());
    let host = world.host.as_ref().unwrap();
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    // The session goes, and code that serves it does not.
    host.outlive("a", true);
    world.engine.end_session("a");
    for number in [1, 2] {
        let lease = serve("a", || world.get(&f, 1));
        assert_eq!(lease.number, number);
        assert_eq!(world.engine.sessions(), 0);
        assert_eq!(world.causes(number), []);
        drop(lease);
        assert_eq!(world.causes(number), [Cause::Orphaned]);
    }
    let put = serve("a", || {
        f.insert(&key(1).finish(), world.log.thing()).map(drop)
    });
    put.unwrap();
    assert_eq!(world.causes(3), [Cause::Orphaned]);
}

pub fn s4_within_the_grace_period_the_late_ones_wait_with_the_rest(world: &World) {
    world.engine.configure(|it| it.session_grace = GRACE);
    let f = world.function(world.settings());
    let host = world.host.as_ref().unwrap();
    host.outlive("a", true);
    world.engine.end_session("a");
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    world.pass(GRACE);
    assert_eq!(world.causes(0), [Cause::SessionEnded]);
    assert_eq!(world.engine.sessions(), 0);
    // From then on nothing waits any more.
    assert_eq!(serve("a", || world.number(&f, 1)), 1);
    assert_eq!(world.causes(1), [Cause::Orphaned]);
    assert_eq!(world.engine.inspect().endings, 0);
}

pub fn s4_an_end_that_comes_after_the_return_is_void(world: &World) {
    for grace in [Duration::ZERO, GRACE] {
        world.engine.configure(|it| it.session_grace = grace);
        let f = world.function(world.settings());
        let host = world.host.as_ref().unwrap();
        // A late call learns that its session is over, which comes back before the call ends it.
        host.outlive("a", true);
        host.after_next_answer({
            let (host, engine) = (Arc::clone(host), world.engine.clone());
            move || {
                host.outlive("a", false);
                engine.resume_session("a");
            }
        });
        let number = serve("a", || world.number(&f, 1));
        world.pass(GRACE * 2);
        assert_eq!(serve("a", || world.number(&f, 1)), number);
        assert_eq!(world.causes(number), []);
        world.engine.end_session("a");
    }
}

pub fn s3_without_a_session_it_is_an_error(world: &World) {
    let settings = world.settings().scope(Scope::Session);
    let f = world.function(settings);
    TestHost::serve(None, || {
        let errors = [
            f.get_or_build(&key(1).finish(), || unreachable!())
                .map(drop),
            f.clear(),
            f.clear_entry(&key(1).finish()),
        ];
        for error in errors.map(Result::unwrap_err) {
            assert!(matches!(&error, Error::NoSession { function } if function == "f"));
            let text = error.to_string();
            assert!(text.contains("scope=\"session\"") && text.contains("scope=\"global\""));
        }
        assert!(f.peek(&key(1).finish(), |_| ()).is_none());
    });
}

pub fn s4_a_session_that_comes_back_finds_its_resources(world: &World) {
    world.engine.configure(|it| it.session_grace = GRACE);
    let f = world.function(world.settings());
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    world.engine.end_session("a");
    world.pass(GRACE - PAST);
    world.engine.resume_session("a");
    world.pass(GRACE * 2);
    assert_eq!(serve("a", || world.number(&f, 1)), 0);
    assert_eq!(world.engine.inspect().jobs, 0);
    // A second end has a grace period of its own.
    world.engine.end_session("a");
    world.pass(GRACE - PAST);
    assert_eq!(world.log.released(), 0);
    world.pass(PAST);
    assert_eq!(world.causes(0), [Cause::SessionEnded]);
}

pub fn s4_a_session_that_stays_away_ends(world: &World) {
    world.engine.configure(|it| it.session_grace = GRACE);
    let f = world.function(world.settings());
    serve("a", || world.number(&f, 1));
    world.engine.end_session("a");
    // Told twice, it still ends when the first grace period is over.
    world.pass(GRACE / 2);
    world.engine.end_session("a");
    world.pass(GRACE / 2);
    assert_eq!(world.causes(0), [Cause::SessionEnded]);
    assert_eq!(world.engine.sessions(), 0);
}

pub fn s5_the_end_of_one_touches_no_other(world: &World) {
    let f = world.function(world.settings().ttl(Duration::from_secs(60)));
    for session in 0..100 {
        serve(&format!("s{session}"), || world.number(&f, 1));
    }
    let before = world.engine.inspect();
    world.engine.end_session("s42");
    let after = world.engine.inspect();
    assert_eq!(world.log.order(), [42]);
    assert_eq!(after.expiries, before.expiries - 1);
    assert_eq!(world.engine.sessions(), 99);
}

pub fn l8_its_session_ended_while_it_was_built(world: &World) {
    let f = &world.function(world.settings());
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    let leases = thread::scope(|scope| {
        let builder = scope.spawn(|| {
            let build = || {
                keyhole.pass();
                Ok(world.log.thing())
            };
            serve("a", || f.get_or_build(&key(1).finish(), build)).unwrap()
        });
        gate.reached();
        let waiter = scope.spawn(|| {
            let waiting = Announced(announce);
            let wait = || f.get_or_build_while(&key(1).finish(), &waiting, || unreachable!());
            serve("a", wait).unwrap()
        });
        receive(&announced);
        world.engine.end_session("a");
        gate.open();
        [builder.join().unwrap(), waiter.join().unwrap()]
    });
    assert!(leases[0].same_entry(&leases[1]));
    assert_eq!(f.info().entries, 0);
    drop(leases);
    assert_eq!(world.causes(0), [Cause::Orphaned]);
    assert_eq!(world.engine.sessions(), 0);
}

pub fn clears_are_for_the_present_session(world: &World) {
    let f: &Things = &world.function(world.settings());
    for session in ["a", "b"] {
        serve(session, || {
            world.number(f, 1);
            world.number(f, 2);
        });
    }
    serve("a", || f.clear_entry(&key(1).finish()).unwrap());
    assert_eq!(world.log.order(), [0]);
    serve("b", || f.clear().unwrap());
    assert_eq!(world.log.order(), [0, 3, 2]);
    // From no session at all.
    world.engine.clear_all();
    assert_eq!(world.log.order(), [0, 3, 2, 1]);
}
