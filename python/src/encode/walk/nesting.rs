//! Nesting in things that hold others: steps back where one holds itself, how deep it is, and what
//! was written before.
#![allow(unsafe_code)]

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
        if self.scope.role == Some(Role::Callback) && may_change(value) {
            return self.first_met(value, level, write);
        }
        // Where a user's function is at work, and where the user's rules are out of force, the
        // same object may be written differently than elsewhere.
        let sharing =
            self.scope.converting.is_empty() && self.scope.rules.is_some() == self.scope.ruled;
        if sharing && !self.scope.shared.is_empty() && self.again(value, level) {
            return Ok(());
        }
        let start = self.enc.len();
        let work = self.work();
        let lowest = self.deeper(value, write)?;
        if sharing && self.work() - work >= SHARED && self.enc.len() - start <= 2 * PIECE {
            self.scope.shared.push(Shared {
                // SAFETY: the caller keeps the value alive.
                value: unsafe { Bound::from_borrowed_ptr(self.py, value) }.unbind(),
                bytes: self.enc.as_bytes()[start..].into(),
                level: (lowest < level).then_some(level),
            });
        }
        Ok(())
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
                    return Ok(());
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
        self.open.push(value);
        let outcome = write(self);
        self.open.pop();
        let lowest = self.scope.lowest;
        if lowest <= level {
            // What points back to this level means the same inside it only.
            self.forget_inside(level);
        }
        self.scope.lowest = if lowest < level {
            outer.min(lowest)
        } else {
            outer
        };
        outcome.map(|()| lowest)
    }

    /// Lets go of what means something only further in than this level.
    #[cold]
    fn forget_inside(&mut self, level: usize) {
        let py = self.py;
        let is_inside = |shared: &mut Shared| shared.level.is_some_and(|at| at > level);
        let inside: Vec<_> = self.scope.shared.extract_if(.., is_inside).collect();
        for shared in inside {
            self.let_go(shared.value.into_bound(py));
        }
    }

    /// Writes what was written before in this walk, if this is it.
    fn again(&mut self, value: *mut ffi::PyObject, level: usize) -> bool {
        let found = self.scope.shared.iter().find(|shared| {
            shared.value.as_ptr() == value && shared.level.is_none_or(|at| at == level)
        });
        let Some(shared) = found else { return false };
        self.enc.raw(&shared.bytes);
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
