//! The engines of this process, and which of them is in force.
//!
//! There is one for the program, another one after each fork, so that a child never touches a lock
//! that some thread of its parent held, and others for tests: a hand-driven clock and an isolated test
//! have one each, on top of those that were there before, and in force until they end. A *generation*
//! is the number of the engine in force; what was registered under another number is registered anew.
#![allow(unsafe_code)]

pub(crate) mod exit;
pub(crate) mod fleet;
pub(crate) mod fork;
pub(crate) mod listing;
pub(crate) mod once;
pub(crate) mod shutdown;
#[cfg(unix)]
pub(crate) mod signals;
pub(crate) mod steering;
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

/// The program's own engine, which stands aside while another one is on top of it.
static OWN: AtomicPtr<Engine> = AtomicPtr::new(ptr::null_mut());

/// The number of the engine in force, of the program's own one, and the last one given.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static OWN_GENERATION: AtomicU32 = AtomicU32::new(0);
static LAST_GENERATION: AtomicU32 = AtomicU32::new(0);

/// The number of the engine in force, for hits: [`ASKS_FIRST`] where its time is asked for before each call.
static FOR_HITS: AtomicU32 = AtomicU32::new(0);

/// The number that no registration has, so that no call finds its entry at once.
const ASKS_FIRST: u32 = u32::MAX - 1;

/// The engines on top of the program's own one, the last one on top. Written anew, by who holds the
/// interpreter, and leaked as the engines are: no lock that another thread could hold in a fork.
static LAYERS: AtomicPtr<Vec<Layer>> = AtomicPtr::new(ptr::null_mut());

/// An engine on top of those below it.
#[derive(Clone)]
struct Layer {
    generation: u32,
    engine: &'static Engine,
    time: Time,
    /// For a while it is as if it were not there.
    stands_aside: bool,
}

/// Whether the time of an engine is set by somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// It has its own.
    Own,
    /// It is asked for before each call.
    AskedFor,
}

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

/// That number for a hit, which has to look no further where it is the number of a registration.
#[inline]
pub(crate) fn generation_for_hits() -> u32 {
    FOR_HITS.load(Ordering::Relaxed)
}

/// Whether the time of the engine in force is to be asked for before a call.
#[inline]
pub(crate) fn asks_for_time() -> bool {
    generation_for_hits() == ASKS_FIRST
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
    /// Of a test, or of a hand-driven clock.
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

/// Whether the engine of this generation is the program's own, or one on top of it that has not ended.
pub(crate) fn is_live(generation: u32) -> bool {
    match standing(generation) {
        Standing::Own => true,
        Standing::Foreign => false,
        Standing::Temporary => layers().iter().any(|it| it.generation == generation),
    }
}

fn layers() -> &'static [Layer] {
    let layers = LAYERS.load(Ordering::Acquire);
    if layers.is_null() {
        return &[];
    }
    // SAFETY: it came from a box and is never freed.
    unsafe { &*layers }
}

fn set_layers(layers: Vec<Layer>) {
    let layers = match layers.is_empty() {
        true => ptr::null_mut(),
        false => Box::into_raw(Box::new(layers)),
    };
    LAYERS.store(layers, Ordering::Release);
}

/// In a child process: forgets everything, since what is cached belongs to the parent.
pub(crate) fn after_fork() {
    let generation = next_generation();
    OWN_GENERATION.store(generation, Ordering::Relaxed);
    GENERATION.store(generation, Ordering::Relaxed);
    FOR_HITS.store(generation, Ordering::Relaxed);
    for layer in layers() {
        layer.engine.abandon();
    }
    set_layers(Vec::new());
    IN_FORCE.store(ptr::null_mut(), Ordering::Release);
    let own = OWN.swap(ptr::null_mut(), Ordering::AcqRel);
    if !own.is_null() {
        leaked(own).abandon();
    }
    OVER.store(false, Ordering::Relaxed);
}

/// Puts another engine on top, until it is [taken off](take_off). Gives its number.
pub(crate) fn put_on(engine: &Engine, time: Time) -> u32 {
    self::engine();
    let generation = next_generation();
    let layer = Layer {
        generation,
        engine: leaked(Box::into_raw(Box::new(engine.clone()))),
        time,
        stands_aside: false,
    };
    set_layers(layers().iter().cloned().chain([layer]).collect());
    put_in_force();
    generation
}

/// The engines from this one up, the uppermost first.
pub(crate) fn from_the_top(generation: u32) -> Vec<&'static Engine> {
    let is_above = |it: &&Layer| it.generation >= generation;
    layers()
        .iter()
        .rev()
        .filter(is_above)
        .map(|it| it.engine)
        .collect()
}

/// Takes an engine off, and whatever is on top of it.
pub(crate) fn take_off(generation: u32) {
    let left = layers().iter().filter(|it| it.generation < generation);
    set_layers(left.cloned().collect());
    put_in_force();
}

/// The highest number of an engine that a function was registered with.
static LAST_USED: AtomicU32 = AtomicU32::new(0);

/// A function is registered with the engine in force.
pub(crate) fn note_use() {
    LAST_USED.fetch_max(generation(), Ordering::Relaxed);
}

/// Whether a function was registered with this engine, or one above it.
pub(crate) fn was_used(generation: u32) -> bool {
    LAST_USED.load(Ordering::Relaxed) >= generation
}

/// Whether the engine of this generation stands aside now.
pub(crate) fn stands_aside(generation: u32) -> bool {
    let mut layers = layers().iter();
    layers.any(|it| it.generation == generation && it.stands_aside)
}

/// Has an engine stand aside for a while, as if it were not there, or ends that.
pub(crate) fn stand_aside(generation: u32, stands_aside: bool) {
    let mut all = layers().to_vec();
    for layer in &mut all {
        layer.stands_aside = match layer.generation >= generation {
            true => stands_aside,
            false => layer.stands_aside,
        };
    }
    set_layers(all);
    put_in_force();
}

/// Puts the uppermost engine in force that does not stand aside.
fn put_in_force() {
    let top = layers().iter().rev().find(|it| !it.stands_aside);
    let own = OWN_GENERATION.load(Ordering::Relaxed);
    let (engine, generation, time) = match top {
        Some(top) => (
            ptr::from_ref(top.engine).cast_mut(),
            top.generation,
            top.time,
        ),
        None => (OWN.load(Ordering::Acquire), own, Time::Own),
    };
    IN_FORCE.store(engine, Ordering::Release);
    GENERATION.store(generation, Ordering::Release);
    let for_hits = match time {
        Time::Own => generation,
        Time::AskedFor => ASKS_FIRST,
    };
    FOR_HITS.store(for_hits, Ordering::Release);
}

fn next_generation() -> u32 {
    LAST_GENERATION.fetch_add(1, Ordering::Relaxed) + 1
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

/// All engines, the one on top first, and the program's own one last.
pub(crate) fn engines() -> Vec<&'static Engine> {
    let mut engines = from_the_top(0);
    engines.extend(own_engine());
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
