//! The protocol, checked with stateright: every order in which what may happen happens, within bounds.
//!
//! Each scenario is tried on the protocol as it is, and on protocols that were broken on purpose, which it must notice.

mod flaw;
mod protocol;
mod world;

pub(crate) use flaw::Flaw;
use protocol::{breaks, holds};
use world::Bounds;

/// One member raises twice, and nothing else happens.
const QUIET: Bounds = Bounds {
    flaw: None,
    raises: [2, 0],
    connects: [0, 0],
    entries: 1,
    settled: [true, true],
    breaks: 0,
    unconfirmed: 0,
    lost: 0,
    doubled: 0,
    overtaken: 0,
    pings: 0,
    restarts: 0,
    saves: 0,
    backs: 0,
    flushes: 0,
    folds: 0,
};

/// A connection breaks, and is made again.
const AWAY: Bounds = Bounds {
    connects: [0, 1],
    breaks: 1,
    ..QUIET
};

/// Whether the tests are asked for their long form.
fn is_long() -> bool {
    std::env::var("TENURE_TESTS").is_ok_and(|form| form == "long")
}

/// Checks that these bounds hold for the protocol, and that each of the flaws is noticed within them.
fn check(bounds: Bounds, flaws: &[Flaw]) {
    println!("{} states hold", holds(bounds));
    for flaw in flaws {
        println!("{flaw:?}: {:?}", breaks(bounds, *flaw));
    }
}

#[test]
fn d1_a_member_that_was_away_catches_up() {
    check(AWAY, &[Flaw::ReadFirst]);
}

#[test]
fn d1_two_members_raise_the_same_and_one_is_away() {
    let bounds = Bounds {
        raises: [1, 1],
        connects: [1, 1],
        ..AWAY
    };
    check(bounds, &[Flaw::OwnIsNothingNew, Flaw::Greater]);
}

#[test]
fn d1_a_message_is_lost() {
    let bounds = Bounds {
        entries: 2,
        lost: 1,
        pings: 1,
        ..QUIET
    };
    check(bounds, &[Flaw::GapIsNothing, Flaw::PongIsNothing]);
}

#[test]
fn d1_messages_are_doubled_and_overtaken() {
    let bounds = Bounds {
        entries: 2,
        doubled: 1,
        overtaken: 1,
        pings: 1,
        ..QUIET
    };
    check(bounds, &[Flaw::PongIsNothing, Flaw::LateStands]);
}

#[test]
fn d1_a_server_starts_again_empty_or_as_it_was() {
    let bounds = Bounds {
        connects: [1, 1],
        saves: 1,
        restarts: 1,
        ..QUIET
    };
    check(bounds, &[Flaw::NoRun]);
}

#[test]
fn d1_a_server_goes_back_in_place() {
    let short = Bounds {
        raises: [1, 0],
        saves: 1,
        backs: 1,
        pings: 2,
        ..AWAY
    };
    let long = Bounds {
        raises: [1, 1],
        entries: 2,
        ..short
    };
    check(if is_long() { long } else { short }, &[Flaw::BackIsNothing]);
}

#[test]
fn d1_a_server_is_emptied() {
    let bounds = Bounds { flushes: 1, ..AWAY };
    check(bounds, &[Flaw::NoEpoch]);
}

#[test]
fn d1_numbers_are_folded_while_a_member_is_away() {
    let bounds = Bounds { folds: 1, ..AWAY };
    check(bounds, &[Flaw::FoldUnseen]);
}

#[test]
fn d1_numbers_are_folded_and_a_message_is_lost() {
    let bounds = Bounds {
        entries: 2,
        folds: 1,
        lost: 1,
        ..QUIET
    };
    check(bounds, &[Flaw::FoldOverGap]);
}

#[test]
fn d1_a_raise_is_not_confirmed() {
    let bounds = Bounds {
        unconfirmed: 1,
        ..AWAY
    };
    check(bounds, &[Flaw::SameNumberAgain, Flaw::SentIsDone]);
}

#[test]
fn d1_a_newcomer_is_late() {
    let bounds = Bounds {
        connects: [0, 1],
        settled: [true, false],
        ..QUIET
    };
    check(bounds, &[Flaw::NewcomerTrusts]);
}

#[test]
fn d1_a_newcomer_finds_another_server_than_there_was() {
    let bounds = Bounds {
        raises: [1, 0],
        connects: [1, 1],
        settled: [true, false],
        restarts: 1,
        flushes: 1,
        ..QUIET
    };
    check(bounds, &[Flaw::NewcomerTrusts]);
}

#[test]
fn d1_much_may_happen_at_once() {
    let short = Bounds {
        raises: [1, 1],
        flushes: 1,
        ..AWAY
    };
    let long = Bounds {
        connects: [1, 1],
        folds: 1,
        lost: 1,
        pings: 1,
        saves: 1,
        restarts: 1,
        ..short
    };
    check(if is_long() { long } else { short }, &[]);
}
