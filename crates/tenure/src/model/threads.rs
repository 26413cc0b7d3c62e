//! How a model runs: each of its interleavings under loom, and elsewhere a few times on the system's
//! threads.

#[cfg(not(loom))]
pub(super) use std::thread::spawn;

use super::world::{Got, TTL, Things, World};
use crate::Settings;
use crate::ground::sync::Arc;

/// A thread with room for the future of a call, which is large where nothing is optimized.
#[cfg(loom)]
pub(super) fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> loom::thread::JoinHandle<T> {
    const STACK: usize = 1 << 16;
    let thread = loom::thread::Builder::new().stack_size(STACK);
    thread.spawn(work).expect("loom starts every thread")
}

#[cfg(loom)]
pub(super) fn model(program: impl Fn() + Send + Sync + 'static) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound.get_or_insert(3);
    checker.check(program);
}

#[cfg(not(loom))]
pub(super) fn model(program: impl Fn()) {
    const TIMES: usize = if cfg!(miri) { 6 } else { 100 };
    for _ in 0..TIMES {
        program();
    }
}

/// Runs these on two threads, and gives what both gave.
pub(super) fn both<A: Send + 'static, B>(
    one: impl FnOnce() -> A + Send + 'static,
    other: impl FnOnce() -> B,
) -> (A, B) {
    let one = spawn(one);
    let other = other();
    (one.join().unwrap(), other)
}

pub(super) type Pair = (Arc<World>, Arc<Things>);

pub(super) fn with(settings: Settings) -> Pair {
    let world = World::new();
    let function = world.function(settings);
    (world, function)
}

pub(super) fn with_ttl() -> Settings {
    Settings {
        ttl: Some(TTL),
        ..Settings::default()
    }
}

/// A call as a thread of its own makes it.
pub(super) fn gets((world, function): &Pair) -> impl FnOnce() -> Got + 'static {
    let (world, function) = (Arc::clone(world), Arc::clone(function));
    move || world.get(&function, 1)
}

pub(super) fn does<T>(
    (world, function): &Pair,
    what: impl FnOnce(&World, &Things) -> T + 'static,
) -> impl FnOnce() -> T + 'static {
    let (world, function) = (Arc::clone(world), Arc::clone(function));
    move || what(&world, &function)
}
