//! Engines as members, over a real server.
#![allow(missing_docs)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tenure::fleet::{KnownAs, Terms};
use tenure::{Behaviour, Encoder, Engine, Function, Settings};
use tenure_fleet::{Fleet, State};

struct Shared;

impl Behaviour<u64> for Shared {
    fn known_as(&self) -> Option<KnownAs> {
        Some(KnownAs::new("pool", "test"))
    }
}

type Pools = Arc<Function<u64, ()>>;

fn member(server: &support::Server) -> (Engine, Arc<Fleet>, Pools) {
    let engine = Engine::new();
    let fleet = tenure_fleet::join(&engine, server.settings(), Terms::default()).unwrap();
    let pools = Function::new(&engine, "pool", Settings::default(), Box::new(Shared)).unwrap();
    until(|| matches!(fleet.state(), State::CaughtUp { .. }));
    (engine, fleet, pools)
}

fn until(is_true: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < support::BOUND, "it never came");
        std::thread::yield_now();
    }
}

/// The resource of a call with a long argument, which builds this where nothing is kept.
fn get(pools: &Pools, value: u64) -> u64 {
    *pools.get_or_build(&key().finish(), || Ok(value)).unwrap()
}

fn key() -> Encoder {
    let mut key = Encoder::new();
    key.framed(1, &[7; 1000]);
    key
}

#[test]
fn d1_what_one_engine_clears_ends_in_another_and_their_figures_are_seen() {
    let Some(server) = support::server() else {
        return;
    };
    let (one, _, here) = member(&server);
    let (two, fleet, there) = member(&server);
    assert_eq!((get(&here, 1), get(&there, 1)), (1, 1));
    here.clear_entry(&key().finish()).unwrap();
    until(|| there.info().entries == 0);
    assert_eq!((get(&here, 2), get(&there, 3)), (2, 3));
    two.clear_all();
    until(|| here.info().entries == 0);
    let members = fleet.members(support::BOUND).unwrap();
    assert_eq!(members.len(), 2);
    assert!(
        members
            .iter()
            .all(|it| it.figures.contains("\"language\": \"rust\""))
    );
    assert!(one.shutdown() && two.shutdown());
}

#[test]
fn d1_a_shutdown_sends_what_was_raised_and_waits_for_no_server_for_ever() {
    let Some(mut server) = support::server() else {
        return;
    };
    let (one, fleet, here) = member(&server);
    let (_two, _, there) = member(&server);
    get(&there, 1);
    here.clear().unwrap();
    assert!(one.shutdown());
    assert!(fleet.flush(Duration::ZERO), "all was sent");
    until(|| there.info().entries == 0);
    server.kill();
    here.clear().unwrap();
    let begun = Instant::now();
    assert!(one.shutdown());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn d5_a_member_that_has_shut_down_is_not_named_until_it_is_heard_of_again() {
    let Some(server) = support::server() else {
        return;
    };
    let (one, ends, _) = member(&server);
    let (_two, stays, _) = member(&server);
    let named = |fleet: &Fleet| fleet.members(support::BOUND).unwrap().len();
    named(&ends);
    assert_eq!(named(&stays), 2);
    assert!(one.shutdown());
    assert_eq!(named(&stays), 1);
    // Its process goes on.
    assert_eq!(named(&ends), 2);
}

#[test]
fn d2_another_secret_in_one_process_is_refused() {
    let Some(server) = support::server() else {
        return;
    };
    let (_one, _, _) = member(&server);
    let engine = Engine::new();
    let other = tenure_fleet::Settings::new(server.url(), "the secret of another fleet");
    let refused = tenure_fleet::join(&engine, other, Terms::default());
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("before the first cached call")
    );
    assert!(engine.fleet().is_none());
}
