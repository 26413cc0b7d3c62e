//! The resources that a forked child process has of its parent, where a function has `fork="keep"`.
//!
//! Who forks leases them before, so that none is released meanwhile. The child has one more reference to
//! each, which it never gives back, and puts them aside until the function is registered with its own engine.
//! What it has not asked for by the time that it forks itself is still aside in its own child.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use tenure::front::{Heirloom, Identity, Legacy};

use crate::function::registration::{KnownFunction, callbacks};
use crate::life::failure::Failure;
use crate::life::resource::Held;
use crate::process;

/// The part of a function's identity that is the same in a child process, whichever of the objects that
/// share it is asked first there.
type Mark = [[u8; 16]; 4];

fn mark(identity: &Identity) -> Mark {
    let it = identity;
    [it.site, it.version, it.settings, it.callbacks]
}

/// Whether any function keeps its entries over a fork, so that a fork costs nothing where none does.
static KEPT: AtomicBool = AtomicBool::new(false);

/// What is kept of each function that this process has not registered yet. Locked only by who holds the
/// interpreter, so that it is free after a fork.
static ASIDE: Mutex<Option<Aside>> = Mutex::new(None);

type Aside = HashMap<Mark, Vec<Heirloom<Held>>>;

/// What one fork leaves, by function.
type Left = Vec<(Mark, Legacy<Held>)>;

thread_local! {
    /// What the forks leave that this thread is about to make, the innermost one last.
    static LEFT: RefCell<Vec<Left>> = const { RefCell::new(Vec::new()) };
}

fn aside(_: Python<'_>) -> MutexGuard<'static, Option<Aside>> {
    ASIDE.lock().expect("nothing panics under this lock")
}

/// A function keeps its entries over forks from now on.
pub(crate) fn expect_forks() {
    KEPT.store(true, Ordering::Relaxed);
}

/// Before a fork, on the thread that forks. The other threads give up the engine's locks without the
/// interpreter, which this one has.
pub(crate) fn before_fork(_: Python<'_>) {
    if !KEPT.load(Ordering::Relaxed) {
        return;
    }
    let kept = process::own_engine().map(tenure::Engine::kept_over_forks::<Held, Failure>);
    let left = kept.into_iter().flatten();
    let left = left.map(|it| (mark(&callbacks(&it).identity), it.legacy()));
    let left = left.collect();
    LEFT.with_borrow_mut(|all| all.push(left));
}

fn taken() -> Left {
    LEFT.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// After a fork, in the parent. What has ended meanwhile is released here.
pub(crate) fn after_fork_in_parent(_: Python<'_>) {
    drop(taken());
}

/// After a fork, in the child.
pub(crate) fn after_fork_in_child(py: Python<'_>) {
    let left = taken();
    if left.is_empty() {
        return;
    }
    let mut aside = aside(py);
    let aside = aside.get_or_insert_default();
    for (mark, legacy) in &left {
        let heirlooms = legacy.heirlooms(|held| held.heir(py));
        aside.entry(*mark).or_default().extend(heirlooms);
    }
    // The leases are of the parent's engine.
    mem::forget(left);
}

/// Gives a function that is new to the program's own engine what its parent process has left for it.
pub(crate) fn inherit(py: Python<'_>, function: &KnownFunction) {
    if process::generation() != process::own_generation() {
        // Under a hand-driven clock it begins with no entries.
        return;
    }
    let callbacks = callbacks(function);
    let left = aside(py)
        .as_mut()
        .and_then(|it| it.remove(&mark(&callbacks.identity)));
    let left = left.unwrap_or_default();
    for heirloom in &left {
        callbacks.kinds.note(heirloom.value(), py);
    }
    function.inherit(left);
}

/// Whether there is anything that no function has asked for yet.
pub(crate) fn is_any_aside(py: Python<'_>) -> bool {
    let aside = aside(py);
    aside.iter().flatten().any(|(_, left)| !left.is_empty())
}

/// Forgets what no function has asked for yet, as a clear of everything does.
pub(crate) fn forget(py: Python<'_>) {
    *aside(py) = None;
}

/// Forgets all of it that `is_meant` is true of, which runs no code of the program.
pub(crate) fn forget_where(py: Python<'_>, is_meant: impl Fn(&Heirloom<Held>) -> bool) {
    let left = aside(py).take();
    let left = left.into_iter().flatten().map(|(mark, mut left)| {
        left.retain(|it| !is_meant(it));
        (mark, left)
    });
    let left: Aside = left.collect();
    if !left.is_empty() {
        *aside(py) = Some(left);
    }
}
