//! On which stack a walk goes on: [`stack`](crate::encode::stack) has the rules.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Walk;
use crate::caller::user_code;
use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::display_name;
use crate::encode::stack::{HOP, LEFT, LOOK, PIECE, Rest, Stacks, memory, on, python};
use pyo3::ffi;
use pyo3::prelude::*;

impl<'py> Walk<'_, '_, 'py> {
    /// Writes with what is held for it, and lets go of that however it ends.
    #[inline(always)]
    pub(in crate::encode) fn holding(
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
    pub(in crate::encode) fn let_go(&mut self, held: Bound<'py, PyAny>) {
        // SAFETY: the object is held, with the interpreter attached.
        if self.stacks.piece.is_some() && unsafe { ffi::Py_REFCNT(held.as_ptr()) } == 1 {
            self.spent.push(held);
        }
    }

    /// Adds to a fault the step that led to it from an object. The name of a class is told by its
    /// metaclass.
    #[cold]
    #[inline(never)]
    pub(in crate::encode) fn at(
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
    pub(in crate::encode) fn with_room(
        &mut self,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
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
    pub(in crate::encode) fn on_own<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        match (self.stacks.piece, self.stacks.other) {
            (Some(_), Some(own)) if own.len() >= python() => self.hop(own, None, write),
            (Some(_), _) => Err(Fault::no_room()),
            (None, _)
                if !self.open.is_empty()
                    && stacker::remaining_stack().is_some_and(|left| left < python()) =>
            {
                Err(Fault::no_room())
            }
            (None, _) => user_code::held(|| write(self)),
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
            return if here.len() < LEFT.max(python()) {
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
            let write = || user_code::held(|| write(self));
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
