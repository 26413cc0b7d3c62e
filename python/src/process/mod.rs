//! The engines of this process, and which of them is in force.
//!
//! There is one for the program, another one after each fork, so that a child never touches a lock
//! that some thread of its parent held, and one for each hand-driven clock, in force while that
//! lives. A *generation* is the number of the engine in force; what was registered under another
//! number is registered anew.
#![allow(unsafe_code)]

pub(crate) mod exit;
pub(crate) mod fleet;
pub(crate) mod fork;
pub(crate) mod shutdown;
#[cfg(unix)]
pub(crate) mod signals;
pub(crate) mod worker;

use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use tenure::{Config, Engine};

use crate::caller::attach;

/// Leaked, since anyone may hold a reference.
static IN_FORCE: AtomicPtr<Engine> = AtomicPtr::new(ptr::null_mut());

/// The program's own engine, which stands aside while a hand-driven clock lives.
static OWN: AtomicPtr<Engine> = AtomicPtr::new(ptr::null_mut());

/// The number of the engine in force, of the program's own one, and the last one given.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static OWN_GENERATION: AtomicU32 = AtomicU32::new(0);
static LAST_GENERATION: AtomicU32 = AtomicU32::new(0);

/// The engine in force.
pub(crate) fn engine() -> &'static Engine {
    let engine = IN_FORCE.load(Ordering::Acquire);
    if engine.is_null() {
        first()
    } else {
        leaked(engine)
    }
}

/// The program's own engine, if it has one yet.
pub(crate) fn own_engine() -> Option<&'static Engine> {
    let engine = OWN.load(Ordering::Acquire);
    (!engine.is_null()).then(|| leaked(engine))
}

/// There is one engine for a process, and its resources belong to one interpreter: the main one.
pub(crate) fn refuse_other_interpreters() -> PyResult<()> {
    // SAFETY: asked with an interpreter attached, as every import is.
    if unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() } {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "tenure works in the main interpreter only: what it keeps is shared by the whole process, \
         and objects of one interpreter must not reach another. Import it in the main interpreter",
    ))
}

/// The number of the engine in force.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The number of the program's own engine: another one in each process.
pub(crate) fn own_generation() -> u32 {
    OWN_GENERATION.load(Ordering::Relaxed)
}

/// The part that a generation has in this process now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The program's own engine.
    Own,
    /// Of a hand-driven clock.
    Temporary,
    /// Of a parent process: not even to be dropped.
    Foreign,
}

pub(crate) fn standing(generation: u32) -> Standing {
    match generation.cmp(&OWN_GENERATION.load(Ordering::Relaxed)) {
        std::cmp::Ordering::Less => Standing::Foreign,
        std::cmp::Ordering::Equal => Standing::Own,
        std::cmp::Ordering::Greater => Standing::Temporary,
    }
}

/// Whether the engine of this generation is that of a parent process by now.
pub(crate) fn is_left_behind(generation: u32) -> bool {
    standing(generation) == Standing::Foreign
}

fn next_generation() -> u32 {
    LAST_GENERATION.fetch_add(1, Ordering::Relaxed) + 1
}

/// In a child process: forgets everything, since what is cached belongs to the parent.
pub(crate) fn after_fork() {
    let generation = next_generation();
    OWN_GENERATION.store(generation, Ordering::Relaxed);
    GENERATION.store(generation, Ordering::Relaxed);
    for held in [&IN_FORCE, &OWN] {
        let engine = held.swap(ptr::null_mut(), Ordering::AcqRel);
        if !engine.is_null() {
            leaked(engine).abandon();
        }
    }
    OVER.store(false, Ordering::Relaxed);
}

/// Puts another engine in force, until [`reinstate`].
pub(crate) fn supplant(engine: &Engine) -> u32 {
    self::engine();
    let engine = Box::into_raw(Box::new(engine.clone()));
    IN_FORCE.store(engine, Ordering::Release);
    let generation = next_generation();
    GENERATION.store(generation, Ordering::Release);
    generation
}

/// Puts the program's own engine in force again.
pub(crate) fn reinstate() {
    let own = OWN.load(Ordering::Acquire);
    IN_FORCE.store(own, Ordering::Release);
    let generation = OWN_GENERATION.load(Ordering::Relaxed);
    GENERATION.store(generation, Ordering::Release);
}

/// The configuration of the engine in force. Locked only by who holds the interpreter, so that it
/// is free after a fork.
static CONFIG: Mutex<Option<Config>> = Mutex::new(None);

pub(crate) fn config() -> Config {
    let config = CONFIG.lock().expect("nothing panics under this lock");
    config.clone().unwrap_or_default()
}

/// Takes over how many refreshes the host has run at a time, unless the program has said that itself.
pub(crate) fn take_workers(workers: usize) {
    let kept = CONFIG.lock().expect("nothing panics under this lock");
    let is_configured = kept.is_some();
    drop(kept);
    if !is_configured {
        engine().configure(|config| config.refresh_workers = workers);
    }
}

/// Configures the engine in force, and those of child processes to come.
pub(crate) fn configure(config: Config) {
    {
        let mut kept = CONFIG.lock().expect("nothing panics under this lock");
        *kept = Some(config.clone());
    }
    engine().configure(|there| *there = config);
}

/// Releases everything that is held in this process. `false`: not all of it, or not in time.
pub(crate) fn shutdown() -> bool {
    shutdown_by(&time_left())
}

fn shutdown_by(rest: &impl Fn() -> Duration) -> bool {
    let mut all = true;
    for engine in engines() {
        all &= engine.shutdown_within(rest());
    }
    all
}

/// The engine in force, and the program's own one where that is another.
fn engines() -> Vec<&'static Engine> {
    let in_force = IN_FORCE.load(Ordering::Acquire);
    let own = OWN.load(Ordering::Acquire);
    let mut engines = Vec::new();
    if !in_force.is_null() {
        engines.push(leaked(in_force));
        if own != in_force {
            engines.push(leaked(own));
        }
    }
    engines
}

/// The rest of the time that the engine in force gives to a shutdown that begins now.
fn time_left() -> impl Fn() -> Duration {
    let bound = engines().first().map(|it| it.config().shutdown_bound);
    let began = Instant::now();
    move || bound.unwrap_or_default().saturating_sub(began.elapsed())
}

/// The process ends as soon as everything is released: nothing that is built now has a future.
static OVER: AtomicBool = AtomicBool::new(false);

/// A shutdown right before the process ends, whatever its threads are doing. They go on
/// meanwhile, so that a lock which a callback needs comes free; what they build in that time is
/// released in the end.
pub(crate) fn shutdown_at_last() -> bool {
    let rest = time_left();
    for engine in engines() {
        engine.release_within(rest());
    }
    OVER.store(true, Ordering::SeqCst);
    shutdown_by(&rest)
}

/// Whether all is over for a thread that is about to build, or has built. Not for one that releases:
/// the end waits for it.
#[inline]
pub(crate) fn is_over() -> bool {
    OVER.load(Ordering::SeqCst) && !tenure::front::is_releasing()
}

/// Releases what this thread may have built, and goes nowhere.
#[cold]
pub(crate) fn stay(py: Python<'_>) -> ! {
    py.detach(|| {
        shutdown();
        loop {
            thread::park();
        }
    })
}

fn first() -> &'static Engine {
    let made = Engine::new();
    made.run_background_inside(attach::known);
    made.configure(|there| *there = config());
    if own_generation() > 0 {
        // In a forked child, which puts aside what it is handed until it is asked for.
        made.note_ends();
    }
    let made = Box::into_raw(Box::new(made));
    let null = ptr::null_mut();
    match OWN.compare_exchange(null, made, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            IN_FORCE.store(made, Ordering::Release);
            let made = leaked(made);
            fleet::join(made);
            made
        }
        Err(there) => {
            // SAFETY: `made` came from a box and nobody else has seen it.
            drop(unsafe { Box::from_raw(made) });
            leaked(there)
        }
    }
}

fn leaked(engine: *mut Engine) -> &'static Engine {
    // SAFETY: what the two pointers have held comes from a box and is never freed.
    unsafe { &*engine }
}
