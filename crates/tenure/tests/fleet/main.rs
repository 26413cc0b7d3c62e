//! Engines as members of one fleet.
#![allow(missing_docs)]

mod clears;
mod permits;
mod support;
mod tags;

use std::sync::Arc;

use tenure::Engine;
use tenure::fleet::{Bus, Ending, Purpose, Terms, Topic};

use support::*;

#[tenure::cache_resource(fleet_builds = 1)]
fn port(host: &str) -> usize {
    host.len()
}

#[test]
fn d2_a_function_of_the_macro_is_known_by_its_module_and_name() {
    let fleet: Arc<Fleet> = Arc::default();
    let bus = Arc::new(Member {
        number: u64::MAX,
        fleet: Arc::clone(&fleet),
    });
    Engine::global().join_fleet(bus.clone(), Terms::default());
    assert_eq!(*port("db"), 2);
    assert_eq!(port::info().builds, 1);
    port::clear_entry("db");
    port::clear();
    let function = bus.mark(Purpose::Function, &[b"rust fleet::port"]);
    let raised = fleet.raised.lock().unwrap().clone();
    assert!(matches!(raised[0].0, Topic::Entry { function: it, .. } if it == function));
    assert_eq!(raised[1], (Topic::Function(function), Ending::Cleared));
    Engine::global().leave_fleet();
}
