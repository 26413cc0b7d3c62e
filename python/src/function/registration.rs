//! A decorated function's registration with the engine in force.
//!
//! Mostly there is one engine, and a look at its number is all that a hit pays. In a child process, in an
//! isolated test and under a hand-driven clock the function is registered anew when it is first used there.
#![allow(unsafe_code)]

use std::any::Any;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use tenure::Function;
use tenure::front::Registered;

use crate::life::failure::Failure;
use crate::life::resource::{Callbacks, Held, Leave};
use crate::process;

pub(crate) type Known = Registered<Held, Failure>;
pub(crate) type KnownFunction = Function<Held, Failure>;

/// The number that no engine has, of a registration that was given up.
const NONE: u32 = u32::MAX;

/// The callbacks that a function was registered with.
pub(crate) fn callbacks(function: &KnownFunction) -> &Callbacks {
    let behaviour: &dyn Any = function.behaviour();
    behaviour
        .downcast_ref()
        .expect("a Python function is registered with its callbacks")
}

/// A function's registration with the engine in force, and with those below it.
pub(crate) struct Registration {
    /// From an `Arc`, or null; changed and read only by who holds the interpreter.
    known: AtomicPtr<Known>,
    generation: AtomicU32,
    aside: Mutex<Vec<Numbered>>,
    /// The collector has found it to be garbage, which it says once.
    was_garbage: AtomicBool,
}

/// A registration with the number of its engine. One of a parent process is leaked.
struct Numbered {
    generation: u32,
    known: Option<Arc<Known>>,
}

impl Drop for Numbered {
    fn drop(&mut self) {
        if process::is_left_behind(self.generation) {
            mem::forget(self.known.take());
        }
    }
}

impl Registration {
    /// The registration of a function that has not been used yet.
    pub(crate) fn none() -> Self {
        Self {
            known: AtomicPtr::new(ptr::null_mut()),
            generation: AtomicU32::new(NONE),
            aside: Mutex::new(Vec::new()),
            was_garbage: AtomicBool::new(false),
        }
    }

    /// The function, if it is registered with the engine in force. To be used at once: code that
    /// gives up the interpreter may lose it.
    #[inline]
    pub(crate) fn peek(&self, _: Python<'_>) -> Option<&Arc<KnownFunction>> {
        // SAFETY: the caller holds the interpreter.
        unsafe { self.known() }.map(Registered::function)
    }

    /// The function as [`peek`](Self::peek) finds it, unless something is to be done before each call.
    #[inline]
    pub(crate) fn at_hand(&self, _: Python<'_>) -> Option<&Arc<KnownFunction>> {
        // SAFETY: the caller holds the interpreter.
        unsafe { self.known_as(process::generation_for_hits()) }.map(Registered::function)
    }

    /// # Safety
    /// The caller holds the interpreter for as long as it uses what it gets.
    #[inline]
    unsafe fn known(&self) -> Option<&Known> {
        // SAFETY: the caller's promise.
        unsafe { self.known_as(process::generation()) }
    }

    /// # Safety
    /// As above.
    #[inline]
    unsafe fn known_as(&self, generation: u32) -> Option<&Known> {
        if self.generation.load(Ordering::Relaxed) != generation {
            return None;
        }
        // SAFETY: the pointer is that of a live `Arc`, which is let go only by who holds the
        // interpreter.
        Some(unsafe { &*self.known.load(Ordering::Relaxed) })
    }

    /// The callbacks that the engine holds and that go with this registration: those of a version which
    /// nobody else uses, and which goes or waits without this one. The collector takes them for this one's own.
    ///
    /// It must not clear them, since the engine calls them yet. So they are shown only until it has
    /// [said](Self::is_garbage) what it takes for garbage; what it looks at again before it clears
    /// anything is then held by the engine.
    ///
    /// # Safety
    /// As for [`known`](Self::known). A garbage collection does.
    pub(crate) unsafe fn last_callbacks(&self) -> Option<&Callbacks> {
        if self.was_garbage.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the caller's promise.
        let known = unsafe { self.known() }.filter(|it| it.is_last())?;
        let behaviour: &dyn Any = known.function().behaviour();
        behaviour.downcast_ref()
    }

    /// Gives up the registration where its version goes or waits without it.
    ///
    /// # Safety
    /// As above.
    pub(crate) unsafe fn is_garbage(&self) {
        self.was_garbage.store(true, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        if unsafe { self.known() }.is_some_and(Registered::is_last) {
            self.generation.store(NONE, Ordering::Release);
            drop(self.replace(ptr::null_mut()));
        }
    }

    /// Puts another one in its place, which may be null, and gives the one that was there.
    fn replace(&self, known: *mut Known) -> Option<Arc<Known>> {
        let before = self.known.swap(known, Ordering::AcqRel);
        // SAFETY: the pointer came from an `Arc`, and another one has taken its place.
        (!before.is_null()).then(|| unsafe { Arc::from_raw(before) })
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
            known: self.replace(Arc::into_raw(known).cast_mut()),
        };
        self.generation.store(generation, Ordering::Release);
        let gone: Vec<Numbered> = {
            let mut aside = self.aside();
            let all = mem::take(&mut *aside).into_iter().chain([before]);
            let (left, gone) = all.partition(|it| {
                it.known.is_some() && it.generation != generation && process::is_live(it.generation)
            });
            *aside = left;
            gone
        };
        drop(gone);
        Ok(())
    }

    fn take_aside(&self, generation: u32) -> Option<Arc<Known>> {
        let mut aside = self.aside();
        let at = aside.iter().position(|it| it.generation == generation)?;
        aside.swap_remove(at).known.take()
    }

    fn aside(&self) -> std::sync::MutexGuard<'_, Vec<Numbered>> {
        self.aside.lock().expect("nothing panics under this lock")
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        drop(Numbered {
            generation: self.generation.load(Ordering::Acquire),
            known: self.replace(ptr::null_mut()),
        });
    }
}

/// A new reference that nobody else counts on, as a resource of this function.
pub(crate) fn held(
    py: Python<'_>,
    function: &KnownFunction,
    object: Bound<'_, PyAny>,
    leave: Option<Leave>,
) -> Held {
    let held = Held::new(object, leave);
    callbacks(function).kinds.note(&held, py);
    held
}
