//! What the engine in force keeps for one decorated function.
//!
//! Mostly there is one engine, and a look at its number is all that a hit pays. In a child process
//! and under a hand-driven clock the function is registered anew when it is first used there.
#![allow(unsafe_code)]

use std::mem;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use tenure::{Function, Registered};

use crate::process::{self, Standing};
use crate::resource::{Failure, Held};

pub(crate) type Known = Registered<Held, Failure>;
pub(crate) type KnownFunction = Function<Held, Failure>;

/// A function's registration with the engine in force, and with the program's own one while that
/// stands aside.
pub(crate) struct Registration {
    /// From an `Arc`; changed and read only by who holds the interpreter.
    known: AtomicPtr<Known>,
    generation: AtomicU32,
    aside: Mutex<Option<Numbered>>,
}

/// A registration with the number of its engine. One of a parent process is leaked.
struct Numbered {
    generation: u32,
    known: Option<Arc<Known>>,
}

impl Drop for Numbered {
    fn drop(&mut self) {
        if process::standing(self.generation) == Standing::Foreign {
            mem::forget(self.known.take());
        }
    }
}

impl Registration {
    pub(crate) fn new(known: Known) -> Self {
        Self {
            known: AtomicPtr::new(Arc::into_raw(Arc::new(known)).cast_mut()),
            generation: AtomicU32::new(process::generation()),
            aside: Mutex::new(None),
        }
    }

    /// The function, if it is registered with the engine in force. To be used at once: code that
    /// gives up the interpreter may lose it.
    #[inline]
    pub(crate) fn peek(&self, _: Python<'_>) -> Option<&Arc<KnownFunction>> {
        if self.generation.load(Ordering::Relaxed) != process::generation() {
            return None;
        }
        // SAFETY: the pointer is that of a live `Arc`, which is let go only by who holds the
        // interpreter, as the caller does.
        Some(unsafe { &*self.known.load(Ordering::Relaxed) }.function())
    }

    /// The function, registered by `register` where it is new to the engine in force.
    pub(crate) fn get(
        &self,
        py: Python<'_>,
        register: impl FnOnce() -> PyResult<Known>,
    ) -> PyResult<Arc<KnownFunction>> {
        if let Some(function) = self.peek(py) {
            return Ok(Arc::clone(function));
        }
        self.turn(register)?;
        let known = self.known.load(Ordering::Relaxed);
        // SAFETY: as in `peek`.
        Ok(Arc::clone(unsafe { &*known }.function()))
    }

    #[cold]
    fn turn(&self, register: impl FnOnce() -> PyResult<Known>) -> PyResult<()> {
        let generation = process::generation();
        let known = match self.take_aside(generation) {
            Some(known) => known,
            None => Arc::new(register()?),
        };
        let before = Numbered {
            generation: self.generation.load(Ordering::Relaxed),
            // SAFETY: the pointer came from an `Arc`, and this takes its place.
            known: Some(unsafe {
                Arc::from_raw(
                    self.known
                        .swap(Arc::into_raw(known).cast_mut(), Ordering::AcqRel),
                )
            }),
        };
        self.generation.store(generation, Ordering::Release);
        let stays = before.generation != generation
            && process::standing(before.generation) == Standing::Own;
        let gone = if stays {
            self.aside().replace(before)
        } else {
            Some(before)
        };
        drop(gone);
        Ok(())
    }

    fn take_aside(&self, generation: u32) -> Option<Arc<Known>> {
        let mut aside = self.aside();
        if aside.as_ref()?.generation != generation {
            return None;
        }
        aside.take()?.known.take()
    }

    fn aside(&self) -> std::sync::MutexGuard<'_, Option<Numbered>> {
        self.aside.lock().expect("nothing panics under this lock")
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the pointer came from an `Arc`, and nobody uses it after this.
        let known = unsafe { Arc::from_raw(self.known.load(Ordering::Acquire)) };
        drop(Numbered {
            generation: self.generation.load(Ordering::Acquire),
            known: Some(known),
        });
    }
}
