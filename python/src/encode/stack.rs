//! Room for deep walks: what is nested deeply goes on on a piece of stack of our own.
//!
//! Invariants
//! 1. Python runs on the thread's own stack only. A greenlet that is switched out leaves its part of
//!    that stack to others and finds it as it was; on any other memory the switch would corrupt both.
//!    Newer Pythons take any other address for an overflow.
//! 2. So the walk has two stacks at most, and hops between them: what may run Python hops to where
//!    the thread's own stack was left, and what only reads exact built-in types hops to a piece when
//!    there is little room. What is above stays as it is until the walk is back.
//! 3. Where the thread's own stack has no room for Python any more, the nesting is refused.
//! 4. The last reference to an object is never let go of on a piece, because a finalizer is Python
//!    too: it waits until the walk is on the thread's own stack.
//!
//! Why not `stacker` alone? It keeps the limit of the present stack per thread, which other greenlets
//! of the thread would take for theirs.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Walk;
use super::fault::{Fault, Outcome};
use super::types::display_name;
use crate::foreign;
use pyo3::ffi;
use pyo3::prelude::*;

/// How often, in levels, the stack is looked at.
const LOOK: usize = 2;
/// How much stack the levels up to the next look may need.
const LEFT: usize = 64 << 10;
/// How much of the thread's own stack is left to Python, which needs some of it to run at all.
const OWN_LEFT: usize = 192 << 10;
/// How large a piece of stack is.
const PIECE: usize = 4 << 20;
/// What the hop itself may need on the stack that it leaves.
const HOP: usize = 2 << 10;
/// What a stack is aligned to.
const ALIGNED: usize = 64;

/// Where a walk stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Stacks {
    /// The end of the piece that it is on; nothing on the thread's own stack.
    piece: Option<usize>,
    /// What is left of the other stack.
    other: Option<Rest>,
}

/// The free part of a stack, which grows down from its top.
#[derive(Clone, Copy)]
struct Rest {
    limit: usize,
    top: usize,
}

/// How much of the thread's own stack Python must have, from the second level on. From 3.14 on it puts
/// off finalizers in the last 64 KiB, and a switch of greenlets must find nothing put off.
#[inline]
fn python() -> usize {
    // SAFETY: a number that never changes.
    if unsafe { ffi::Py_Version } < 0x030e_0000 {
        16 << 10
    } else {
        80 << 10
    }
}

impl Rest {
    fn len(self) -> usize {
        self.top.saturating_sub(self.limit)
    }
}

impl Stacks {
    /// What is left of the stack that the walk is on, if that is known.
    fn here(self) -> Option<Rest> {
        let top = pointer();
        let limit = match self.piece {
            Some(limit) => limit,
            None => top.saturating_sub(stacker::remaining_stack()?),
        };
        Some(Rest { limit, top })
    }

    /// How much of the stack that the walk is on it leaves.
    fn left(self) -> usize {
        match self.piece {
            Some(_) => LEFT,
            None => OWN_LEFT,
        }
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes with what is held for it, and lets go of that however it ends.
    #[inline(always)]
    pub(super) fn holding(
        &mut self,
        held: Bound<'py, PyAny>,
        write: impl FnOnce(&mut Self, &Bound<'py, PyAny>) -> Outcome,
    ) -> Outcome {
        let outcome = write(self, &held);
        self.let_go(held);
        outcome
    }

    /// Lets go of a reference. The last one to an object waits for the thread's own stack: what its
    /// class does at its end is Python.
    #[inline(always)]
    pub(super) fn let_go(&mut self, held: Bound<'py, PyAny>) {
        // SAFETY: the object is held, with the interpreter attached.
        if self.stacks.piece.is_some() && unsafe { ffi::Py_REFCNT(held.as_ptr()) } == 1 {
            self.spent.push(held);
        }
    }

    /// Adds to a fault the step that led to it from an object. The name of a class is told by its
    /// metaclass.
    #[cold]
    #[inline(never)]
    pub(super) fn at(
        &mut self,
        fault: Box<Fault>,
        holder: *mut ffi::PyObject,
        step: impl FnOnce() -> String,
    ) -> Box<Fault> {
        // SAFETY: callers pass live objects.
        let told = self.on_own(|_| Ok((display_name(unsafe { ffi::Py_TYPE(holder) }), step())));
        match told {
            Ok((class, step)) => fault.at(class, step),
            // There is no room for Python, and so none for anything that holds this: the way is
            // not told then.
            Err(_) => fault,
        }
    }

    /// Writes what runs no Python, where there is room for it.
    #[inline]
    pub(super) fn with_room(&mut self, write: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        if self.open.len().is_multiple_of(LOOK)
            && let Some(here) = self.stacks.here()
            && here.len() < self.stacks.left()
        {
            self.on_piece(here, write)
        } else {
            write(self)
        }
    }

    /// Writes what may run Python.
    #[inline]
    pub(super) fn on_own<T>(&mut self, write: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        match (self.stacks.piece, self.stacks.other) {
            (Some(_), Some(own)) if own.len() >= python() => self.hop(own, None, write),
            (Some(_), _) => Err(Fault::no_room()),
            (None, _)
                if !self.open.is_empty()
                    && stacker::remaining_stack().is_some_and(|left| left < python()) =>
            {
                Err(Fault::no_room())
            }
            (None, _) => foreign::held(|| write(self)),
        }
    }

    #[cold]
    #[inline(never)]
    fn on_piece(&mut self, here: Rest, write: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        // Back to the piece that the walk has come from, or to another one.
        if self.stacks.piece.is_none()
            && let Some(piece) = self.stacks.other
            && piece.len() >= 2 * LEFT
        {
            return self.hop(piece, Some(piece.limit), write);
        }
        let Some(piece) = memory::Piece::new(PIECE) else {
            // There are no pieces here: the thread's own stack is all there is.
            return if here.len() < python() {
                Err(Fault::no_room())
            } else {
                write(self)
            };
        };
        let (limit, top) = piece.bounds();
        self.hop(Rest { limit, top }, Some(limit), write)
    }

    /// Writes on another stack, and comes back.
    #[inline(never)]
    fn hop<T>(
        &mut self,
        to: Rest,
        piece: Option<usize>,
        write: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        let before = self.stacks;
        let other = if before.piece.is_some() == piece.is_some() {
            // From one piece to the next: the thread's own stack stays the other one.
            before.other
        } else {
            before.here().map(|here| Rest {
                limit: here.limit,
                top: here.top.saturating_sub(HOP),
            })
        };
        self.stacks = Stacks { piece, other };
        let mut write = Some(write);
        let mut outcome = None;
        // Nothing may unwind from one stack to the other.
        let mut written = || {
            let write = write.take().expect("written once");
            if self.stacks.piece.is_none() {
                self.spent.clear();
            }
            let write = || foreign::held(|| write(self));
            outcome = Some(catch_unwind(AssertUnwindSafe(write)));
        };
        on(to, &mut written);
        self.stacks = before;
        match outcome.expect("it was written") {
            Ok(outcome) => outcome,
            Err(panic) => resume_unwind(panic),
        }
    }
}

psm::psm_stack_information! {
    yes {
        fn pointer() -> usize {
            psm::stack_pointer().addr()
        }
    }
    no {
        fn pointer() -> usize {
            let mark = 0u8;
            std::hint::black_box(&raw const mark).addr()
        }
    }
}

/// Runs `work` on what is left of another stack of this walk.
#[cfg(unix)]
fn on(rest: Rest, work: &mut dyn FnMut()) {
    let limit = rest.limit.next_multiple_of(ALIGNED);
    let size = (rest.top - limit) / ALIGNED * ALIGNED;
    // SAFETY: the range is part of a stack of this thread that nothing lives in: of a piece that is
    // mapped for as long as the hop lasts, or of the thread's own stack below everything that was
    // there when the walk left it. `work` catches every panic.
    unsafe {
        psm::on_stack(std::ptr::with_exposed_provenance_mut(limit), size, work);
    }
}

#[cfg(not(unix))]
fn on(_: Rest, work: &mut dyn FnMut()) {
    // Nobody leaves the thread's own stack where there are no pieces.
    work();
}

#[cfg(unix)]
mod memory {
    use std::ptr;

    /// A piece of stack, with a guard at its end.
    pub(super) struct Piece {
        start: *mut libc::c_void,
        size: usize,
    }

    const GUARD: usize = 1 << 16;

    impl Piece {
        pub(super) fn new(size: usize) -> Option<Self> {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: a new mapping wherever there is room, whose first pages are made a guard.
            unsafe {
                let start = libc::mmap(ptr::null_mut(), size, access, flags, -1, 0);
                if start == libc::MAP_FAILED {
                    return None;
                }
                let piece = Self { start, size };
                let guarded = libc::mprotect(start, GUARD, libc::PROT_NONE) == 0;
                guarded.then_some(piece)
            }
        }

        /// Its lowest address that may be used, and its end.
        pub(super) fn bounds(&self) -> (usize, usize) {
            let start = self.start.expose_provenance();
            (start + GUARD, start + self.size)
        }
    }

    impl Drop for Piece {
        fn drop(&mut self) {
            // SAFETY: it was mapped so, and nothing runs on it any more.
            unsafe {
                libc::munmap(self.start, self.size);
            }
        }
    }
}

#[cfg(not(unix))]
mod memory {
    pub(super) struct Piece;

    impl Piece {
        pub(super) fn new(_: usize) -> Option<Self> {
            None
        }

        pub(super) fn bounds(&self) -> (usize, usize) {
            (0, 0)
        }
    }
}
