//! L1: random sequences of everything that can be done, beside a simple sequential model. After
//! every step each resource that was ever built is live, draining, or released exactly once, with
//! the right cause.
//!
//! `PROPTEST_CASES` sets how many sequences; a failure shows the shortest one it finds.

#[path = "../support/mod.rs"]
mod support;

mod model;
mod run;

use proptest::prelude::*;

use run::Run;

/// What a version of a function is set to.
#[derive(Clone, Copy, Debug)]
struct Set {
    ttl: Option<u64>,
    most: Option<usize>,
    idle: Option<u64>,
    heaviest: Option<u64>,
    old: Old,
}

/// What becomes of a resource that is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Old {
    Gone,
    /// It serves where its successor cannot be built.
    Serves,
    /// Its successor is built in the background.
    Refreshed,
}

/// How a build ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Well,
    Badly,
    Dead,
}

/// One step. Functions, sessions and keys are numbers; times are milliseconds.
#[derive(Clone, Debug)]
enum Step {
    Call {
        function: usize,
        session: usize,
        key: u64,
        ends: Ends,
        /// Whether the lease is kept, and whether the resource is used beyond it.
        keep: bool,
        hold: bool,
        /// What the build does before it ends.
        within: Vec<Step>,
    },
    DropLease(usize),
    LetGo(usize),
    Spoil(usize),
    ClearEntry {
        function: usize,
        session: usize,
        key: u64,
    },
    Clear {
        function: usize,
        session: usize,
    },
    ClearAll,
    /// What carries the tag of this number, in all sessions.
    ClearTag(u64),
    ExpireEntry {
        function: usize,
        session: usize,
        key: u64,
    },
    Expire {
        function: usize,
        session: usize,
    },
    /// Time passes, and the background notices, or has not yet.
    Pass {
        time: u64,
        noticed: bool,
    },
    EndSession(usize),
    Resume(usize),
    SetDrain(Option<u64>),
    SetGrace(u64),
    /// The function is decorated again, with these settings.
    Change {
        function: usize,
        set: Set,
    },
    Shutdown,
}

const FUNCTIONS: usize = 4;
const SESSIONS: usize = 2;
const KEYS: u64 = 4;
/// The tags of calls, each of which has that of its key and one for all; the one beyond is that of a function.
const TAGS: u64 = 3;

fn set() -> impl Strategy<Value = Set> {
    let ttl = prop_oneof![Just(None), Just(Some(10)), Just(Some(25))];
    let most = prop_oneof![Just(None), Just(Some(1)), Just(Some(2)), Just(Some(3))];
    let idle = prop_oneof![2 => Just(None), 1 => Just(Some(7)), 1 => Just(Some(18))];
    let heaviest = prop_oneof![2 => Just(None), 1 => Just(Some(3)), 1 => Just(Some(6))];
    let old = prop_oneof![Just(Old::Gone), Just(Old::Serves), Just(Old::Refreshed)];
    (ttl, most, idle, heaviest, old).prop_map(|(ttl, most, idle, heaviest, old)| Set {
        // What is never too old is not refreshed.
        old: if ttl.is_none() && old == Old::Refreshed {
            Old::Serves
        } else {
            old
        },
        ttl,
        most,
        idle,
        heaviest,
    })
}

fn call(within: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Step> {
    let ends = prop_oneof![8 => Just(Ends::Well), 1 => Just(Ends::Badly), 1 => Just(Ends::Dead)];
    let place = (0..FUNCTIONS, 0..SESSIONS, 0..KEYS);
    (
        place,
        ends,
        any::<bool>(),
        proptest::bool::weighted(0.2),
        within,
    )
        .prop_map(
            |((function, session, key), ends, keep, hold, within)| Step::Call {
                function,
                session,
                key,
                ends,
                keep,
                hold,
                within,
            },
        )
}

/// Everything but calls and what cannot happen within one.
fn other() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..8usize).prop_map(Step::DropLease),
        2 => (0..4usize).prop_map(Step::LetGo),
        2 => (0..30usize).prop_map(Step::Spoil),
        3 => (0..FUNCTIONS, 0..SESSIONS, 0..KEYS).prop_map(|(function, session, key)| {
            Step::ClearEntry { function, session, key }
        }),
        2 => (0..FUNCTIONS, 0..SESSIONS)
            .prop_map(|(function, session)| Step::Clear { function, session }),
        1 => Just(Step::ClearAll),
        2 => (0..TAGS + 1).prop_map(Step::ClearTag),
        3 => (0..FUNCTIONS, 0..SESSIONS, 0..KEYS).prop_map(|(function, session, key)| {
            Step::ExpireEntry { function, session, key }
        }),
        2 => (0..FUNCTIONS, 0..SESSIONS)
            .prop_map(|(function, session)| Step::Expire { function, session }),
        6 => (1..12u64, proptest::bool::weighted(0.8))
            .prop_map(|(time, noticed)| Step::Pass { time, noticed }),
        1 => (0..SESSIONS).prop_map(Step::EndSession),
        1 => (0..SESSIONS).prop_map(Step::Resume),
        1 => proptest::option::of(15..30u64).prop_map(Step::SetDrain),
        1 => prop_oneof![Just(0), 5..20u64].prop_map(Step::SetGrace),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let inner = prop_oneof![call(Just(Vec::new())), other()];
    let within = prop_oneof![
        4 => Just(Vec::new()),
        1 => proptest::collection::vec(inner, 1..4),
    ];
    prop_oneof![
        20 => call(within),
        20 => other(),
        1 => (0..FUNCTIONS, set()).prop_map(|(function, set)| Step::Change { function, set }),
        1 => Just(Step::Shutdown),
    ]
}

proptest! {
    #[test]
    fn l1_each_resource_is_live_draining_or_released_once(
        sets in proptest::array::uniform4(set()),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut run = Run::new(sets);
        for step in &steps {
            run.step(step, 0);
            run.check();
        }
        run.end();
    }
}
