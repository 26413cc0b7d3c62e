//! The engine of this process.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use pyo3::prelude::*;
use tenure::Engine;

/// Leaked engines: one for the process, another after each fork, so that a child never touches a
/// lock that some thread of its parent held.
static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(ptr::null_mut());

/// The engine in force.
pub(crate) fn engine() -> &'static Engine {
    let engine = ENGINE.load(Ordering::Acquire);
    if engine.is_null() { first() } else { leaked(engine) }
}

/// How many forks lie between this process and the first one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Tells whether what was made earlier belongs to this process.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// In a child process: forgets everything, since what is cached belongs to the parent.
#[pyfunction]
pub(crate) fn after_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    ENGINE.store(ptr::null_mut(), Ordering::Release);
}

fn first() -> &'static Engine {
    let made = Box::into_raw(Box::new(Engine::new()));
    let null = ptr::null_mut();
    match ENGINE.compare_exchange(null, made, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => leaked(made),
        Err(there) => {
            // SAFETY: `made` came from a box and nobody else has seen it.
            #[allow(unsafe_code)]
            drop(unsafe { Box::from_raw(made) });
            leaked(there)
        }
    }
}

fn leaked(engine: *mut Engine) -> &'static Engine {
    // SAFETY: what `ENGINE` has held comes from a box and is never freed.
    #[allow(unsafe_code)]
    unsafe {
        &*engine
    }
}
