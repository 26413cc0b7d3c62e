//! Nesting in things that hold others: steps back where one holds itself, how deep it is, and what
//! was written before.
#![allow(unsafe_code)]

use super::circles::{Circles, Mark, Met};
use super::data::PIECE;
use super::{Rule, Shared, Walk};
use crate::encode::fault::{DEPTH_MAX, Fault, Outcome};
use crate::encode::first_content::{self, First};
use crate::encode::pins::Role;
use crate::encode::scalars::small_int;
use crate::encode::tags;
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::Arc;
use tenure::front::Meaning;

/// The bytes from which on a part is worth remembering in case it is met again.
const SHARED: u64 = 1 << 14;

impl<'py> Walk<'_, '_, 'py> {
    /// Writes something that can hold other things, with care for cycles, depth and size.
    pub(in crate::encode) fn nested(
        &mut self,
        value: *mut ffi::PyObject,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
        let level = self.open.len();
        let open = &self.open[self.scope.floor..];
        if let Some(at) = open.iter().rposition(|&open| open == value) {
            let at = self.scope.floor + at;
            self.scope.lowest = self.scope.lowest.min(at);
            self.enc.tag(tags::BACK);
            small_int(self.enc, (level - at) as i64);
            return Ok(());
        }
        // Where a user's function is at work, and where the user's rules are out of force, the
        // same object may be written differently than elsewhere.
        let sharing =
            self.scope.converting.is_empty() && self.scope.rules.is_some() == self.scope.ruled;
        if sharing && self.was_met(value) {
            return Ok(());
        }
        if level >= self.scope.limit {
            self.scope.is_cut = true;
            self.enc.tag(tags::OPAQUE);
            return Ok(());
        }
        if self.scope.role == Some(Role::Callback) && may_change(value) {
            return self.first_met(value, level, write);
        }
        if sharing && self.again(value) {
            return Ok(());
        }
        if self.scope.circles.is_some() {
            return self.nested_beside_circles(value, level, sharing, write);
        }
        let (start, work) = (self.enc.len(), self.work());
        let lowest = self.deeper(value, write)?;
        if lowest < level {
            return self.met(value, lowest);
        }
        let circles = self.mark().closed;
        if sharing && (circles > 0 || self.work() - work >= SHARED) {
            self.share(value, start, circles);
        }
        Ok(())
    }

    /// Writes it where there are circles that it may refer to.
    #[inline(never)]
    fn nested_beside_circles(
        &mut self,
        value: *mut ffi::PyObject,
        level: usize,
        sharing: bool,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
        let (start, work, mark) = (self.enc.len(), self.work(), self.mark());
        let earliest = std::mem::replace(&mut self.scope.earliest, usize::MAX);
        let outcome = self.deeper(value, write);
        let stands_alone = self.scope.earliest >= mark.closed;
        self.scope.earliest = earliest.min(self.scope.earliest);
        let lowest = outcome?;
        if lowest < level {
            return self.met(value, lowest);
        }
        let circles = self.mark().closed - mark.closed;
        if sharing && stands_alone && (circles > 0 || self.work() - work >= SHARED) {
            self.share(value, start, circles);
        }
        Ok(())
    }

    /// Keeps what was written of an object since `start`, in case it is met again.
    #[cold]
    fn share(&mut self, value: *mut ffi::PyObject, start: usize, circles: usize) {
        if self.scope.limit < usize::MAX || self.enc.len() - start > 2 * PIECE {
            return;
        }
        let shared = Shared {
            // SAFETY: the caller keeps the value alive.
            _value: unsafe { Bound::from_borrowed_ptr(self.py, value) }.unbind(),
            bytes: self.enc.as_bytes()[start..].into(),
            circles,
        };
        let all = self.scope.shared.get_or_insert_default();
        all.insert(value.addr(), shared);
    }

    /// Writes the name of an object of a cycle that was written before: `true` if this is one.
    #[inline]
    fn was_met(&mut self, value: *mut ffi::PyObject) -> bool {
        let circles = self.scope.circles.as_deref();
        match circles.and_then(|circles| circles.find(value)) {
            None => return false,
            Some(Met::Open { after, lowest }) => {
                self.scope.lowest = self.scope.lowest.min(lowest);
                self.enc.tag(tags::MET);
                small_int(self.enc, after as i64);
            }
            Some(Met::Closed { after, circle, at }) => {
                self.scope.earliest = self.scope.earliest.min(circle);
                self.enc.tag(tags::OF_CIRCLE);
                small_int(self.enc, after as i64);
                small_int(self.enc, at as i64);
            }
        }
        true
    }

    /// Notes a part of a cycle that was written.
    #[cold]
    fn met(&mut self, value: *mut ffi::PyObject, lowest: usize) -> Outcome {
        // SAFETY: the caller keeps the value alive.
        let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        let circles = self.scope.circles.get_or_insert_default();
        match circles.add(&value, lowest) {
            true => Ok(()),
            false => Err(Fault::tangled()),
        }
    }

    /// How far the walk has come with cycles.
    #[inline]
    pub(super) fn mark(&self) -> Mark {
        let circles = self.scope.circles.as_deref();
        circles.map_or_else(Mark::default, Circles::mark)
    }

    /// Forgets what was met of cycles since.
    #[inline]
    pub(super) fn forget(&mut self, mark: Mark) {
        if self.mark() != mark {
            self.forget_met(mark);
        }
    }

    #[cold]
    fn forget_met(&mut self, mark: Mark) {
        let circles = self.scope.circles.as_mut();
        let gone = circles.map(|it| it.forget(mark)).unwrap_or_default();
        for value in gone {
            self.let_go(value.into_bound(self.py));
        }
    }

    /// Writes what counts for something that a callback holds: its content when it was first met.
    #[cold]
    #[inline(never)]
    fn first_met(
        &mut self,
        value: *mut ffi::PyObject,
        level: usize,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
        let first = match first_content::find(self.py, value) {
            Some(first) => first,
            None => {
                let start = self.enc.len();
                let held = self.holds.firsts.len();
                let lowest = self.deeper(value, write)?;
                if lowest < level {
                    // Part of a cycle: what is around it counts as a whole.
                    return self.met(value, lowest);
                }
                let content = self.enc.digests().of(&self.enc.as_bytes()[start..]);
                self.enc.truncate(start);
                // SAFETY: the caller keeps the value alive.
                let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
                self.on_own(|walk| {
                    let held = walk.holds.firsts.split_off(held);
                    Ok(first_content::meet(
                        &value,
                        content,
                        held,
                        walk.is_made_to_call(&value),
                    ))
                })?
            }
        };
        self.count_first(first);
        Ok(())
    }

    pub(in crate::encode) fn count_first(&mut self, first: Arc<First>) {
        self.enc.tag(tags::FIRST);
        self.enc.raw(&first.counts().to_le_bytes());
        self.enc.narrow(Meaning::Process);
        self.holds.firsts.push(first);
    }

    /// Goes one level down. Gives the outermost level that what was written points back to.
    pub(super) fn deeper(
        &mut self,
        value: *mut ffi::PyObject,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome<usize> {
        let level = self.open.len();
        if level >= DEPTH_MAX {
            return Err(Fault::too_deep());
        }
        let outer = std::mem::replace(&mut self.scope.lowest, usize::MAX);
        let mark = self.mark();
        self.open.push(value);
        let outcome = write(self);
        self.open.pop();
        let lowest = self.scope.lowest;
        if outcome.is_err() {
            // What was given up was not written.
            self.forget(mark);
        } else if lowest >= level
            && let Some(circles) = &mut self.scope.circles
        {
            circles.close(mark);
        }
        self.scope.lowest = if lowest < level {
            outer.min(lowest)
        } else {
            outer
        };
        outcome.map(|()| lowest)
    }

    /// Writes what was written before in this walk, if this is it.
    #[inline]
    fn again(&mut self, value: *mut ffi::PyObject) -> bool {
        let all = self.scope.shared.as_ref();
        let Some(shared) = all.and_then(|all| all.get(&value.addr())) else {
            return false;
        };
        self.enc.raw(&shared.bytes);
        if shared.circles > 0 {
            let circles = self.scope.circles.get_or_insert_default();
            circles.repeat(shared.circles);
        }
        true
    }

    fn work(&self) -> u64 {
        self.digested + self.enc.len() as u64
    }

    /// Whether an object is no more than a way to call others.
    fn is_made_to_call(&self, value: &Bound<'py, PyAny>) -> bool {
        (self.classes)(value).is_ok_and(|class| {
            class.info.exact && matches!(class.rule, Rule::Known(form) if form.is_made_to_call())
        })
    }
}

/// Whether an object that holds others can come to hold other ones.
fn may_change(value: *mut ffi::PyObject) -> bool {
    // SAFETY: callers pass live objects; the addresses of the built-in classes are only compared.
    let class = unsafe { ffi::Py_TYPE(value) };
    ![
        &raw mut ffi::PyTuple_Type,
        &raw mut ffi::PyFrozenSet_Type,
        &raw mut ffi::PyCode_Type,
    ]
    .contains(&class)
}
