//! Lists, tuples and dicts.
//!
//! Dicts are written in an order of their own, so that the order in which they were
//! filled does not count (K4): where all keys are plain strings, by the hash that Python keeps in
//! them, which is the same for equal strings; otherwise by what was written for each member. That hash is
//! another one in each process, so what members of a fleet are to write alike is sorted by the strings.
#![allow(unsafe_code)]

use super::Walk;
use crate::encode::fault::Outcome;
use crate::encode::names::class_of;
use crate::encode::scalars::{encode_scalar, str_bytes};
use crate::encode::{alike, tags};
use pyo3::ffi;
use pyo3::prelude::*;
use smallvec::SmallVec;

/// How much of a key a message shows.
const KEY_SHOWN: usize = 40;

/// The number of levels of a member that are outer ones: itself, and what it holds.
const OUTER: usize = 2;

/// A member by its number, and from where to where it was written.
type Span = (usize, usize, usize);

/// A key with its value, and the hash that Python keeps for the key.
type Pair = (isize, *mut ffi::PyObject, *mut ffi::PyObject);

/// The kind of the keys of a dict.
#[derive(Clone, Copy)]
pub(in crate::encode) enum Keys<'a> {
    /// Values like others.
    Values,
    /// Names of attributes, without those to skip.
    Names(&'a [Py<PyAny>]),
}

/// A pair whose members are held while Python code may run.
type HeldPair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

impl<'py> Walk<'_, '_, 'py> {
    /// Writes the members of a list or of an instance of a subclass, as they are while it is
    /// read.
    pub(in crate::encode) fn list(&mut self, list: *mut ffi::PyObject) -> Outcome {
        self.enc.tag(tags::LIST);
        let mut piece = self.enc.len();
        let mut at = 0;
        // SAFETY: the caller keeps the list alive; its size is asked again for each member,
        // because code that runs for one may change the list, and a member that is not written
        // at once is held.
        unsafe {
            while at < ffi::PyList_GET_SIZE(list) {
                let item = ffi::PyList_GET_ITEM(list, at);
                if !self.simple(item) {
                    let item = Bound::from_borrowed_ptr(self.py, item);
                    self.holding(item, |walk, item| {
                        walk.value(item.as_ptr())
                            .map_err(|fault| walk.at(fault, list, || format!("item {at}")))
                    })?;
                }
                piece = self.piece(piece);
                at += 1;
            }
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the members of a tuple or of an instance of a subclass.
    pub(in crate::encode) fn tuple(&mut self, tuple: *mut ffi::PyObject) -> Outcome {
        self.enc.tag(tags::TUPLE);
        let mut piece = self.enc.len();
        // SAFETY: the caller keeps the tuple alive, which keeps its members, and a tuple that
        // others can see does not change.
        unsafe {
            for at in 0..ffi::PyTuple_GET_SIZE(tuple) {
                let item = ffi::PyTuple_GET_ITEM(tuple, at);
                if !self.simple(item) {
                    self.value(item)
                        .map_err(|fault| self.at(fault, tuple, || format!("item {at}")))?;
                }
                piece = self.piece(piece);
            }
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the members that an iteration gives.
    pub(in crate::encode) fn members(&mut self, tag: u8, iterable: &Bound<'py, PyAny>) -> Outcome {
        self.enc.tag(tag);
        let mut piece = self.enc.len();
        for (at, item) in iterable.try_iter()?.enumerate() {
            self.value(item?.as_ptr())
                .map_err(|fault| fault.at(class_of(iterable), format!("item {at}")))?;
            piece = self.piece(piece);
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes a dict, or what an instance of a subclass holds as a dict.
    pub(in crate::encode) fn dict(&mut self, tag: u8, dict: *mut ffi::PyObject) -> Outcome {
        self.enc.tag(tag);
        let start = self.enc.len();
        self.pairs(dict, Keys::Values)?;
        self.piece(start);
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the pairs of a dict in an order that depends on the content alone.
    pub(in crate::encode) fn pairs(&mut self, dict: *mut ffi::PyObject, keys: Keys<'_>) -> Outcome {
        let mut pairs: SmallVec<[Pair; 24]> = SmallVec::new();
        let (mut all_str, skip) = match keys {
            Keys::Values => (self.scope.rules.is_none(), &[][..]),
            Keys::Names(skip) => (true, skip),
        };
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut position = 0;
        // SAFETY: the caller keeps the dict alive, and no Python code runs while it is read: the
        // hash of an exact `str` is the string's own.
        unsafe {
            while ffi::PyDict_Next(dict, &mut position, &mut key, &mut value) != 0 {
                if !skip.is_empty() && skip.iter().any(|name| same_str(name.as_ptr(), key)) {
                    continue;
                }
                let hash = if ffi::Py_TYPE(key) == &raw mut ffi::PyUnicode_Type {
                    str_hash(key)
                } else {
                    all_str = false;
                    0
                };
                pairs.push((hash, key, value));
            }
        }
        if all_str && !self.writes_alike() {
            pairs.sort_unstable_by_key(|&(hash, ..)| hash);
            if pairs.windows(2).all(|two| two[0].0 != two[1].0) {
                return self.str_pairs(dict, &pairs);
            }
        }
        // SAFETY: nothing has run since the pairs were read, so they are alive; all keys are exact strings.
        if all_str && unsafe { sort_by_text(&mut pairs) } {
            return self.str_pairs(dict, &pairs);
        }
        // SAFETY: as above.
        let held = unsafe { self.hold(&pairs) };
        let outcome = self.sorted(held.len(), |walk, at| {
            let (key, value) = &held[at];
            walk.value(key.as_ptr())
                .map_err(|fault| walk.at(fault, dict, || format!("the key {}", shown(key))))?;
            walk.value(value.as_ptr())
                .map_err(|fault| walk.at(fault, dict, || format!("the value under {}", shown(key))))
        });
        self.let_go_of(held);
        outcome
    }

    /// Whether other processes are to write the same.
    #[inline]
    fn writes_alike(&self) -> bool {
        self.enc.digests().are_shared() || alike::is_on()
    }

    #[inline]
    fn let_go_of(&mut self, pairs: Vec<HeldPair<'py>>) {
        for (key, value) in pairs {
            self.let_go(key);
            self.let_go(value);
        }
    }

    /// Writes pairs with distinct string keys in the order given.
    fn str_pairs(&mut self, dict: *mut ffi::PyObject, pairs: &[Pair]) -> Outcome {
        let mut held = Vec::new();
        let outcome = self.str_pairs_holding(dict, pairs, &mut held);
        self.let_go_of(held);
        outcome
    }

    #[inline(always)]
    fn str_pairs_holding(
        &mut self,
        dict: *mut ffi::PyObject,
        pairs: &[Pair],
        held: &mut Vec<HeldPair<'py>>,
    ) -> Outcome {
        // Members are held from the first one on for which Python code may run.
        let mut first_held = 0;
        for (at, &(_, key, value)) in pairs.iter().enumerate() {
            // SAFETY: up to the first held pair nothing has run since the pairs were read, and
            // from there on they are held.
            unsafe {
                if !encode_scalar(self.enc, key) {
                    if held.is_empty() {
                        first_held = at;
                        *held = self.hold(&pairs[at..]);
                    }
                    self.string(key)?;
                }
                if !self.simple(value) {
                    if held.is_empty() {
                        first_held = at;
                        *held = self.hold(&pairs[at..]);
                    }
                    self.value(value).map_err(|fault| {
                        let (key, _) = &held[at - first_held];
                        self.at(fault, dict, || format!("the value under {}", shown(key)))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Takes references to pairs that are alive.
    unsafe fn hold(&self, pairs: &[Pair]) -> Vec<HeldPair<'py>> {
        pairs
            .iter()
            // SAFETY: the caller's promise.
            .map(|&(_, key, value)| unsafe {
                (
                    Bound::from_borrowed_ptr(self.py, key),
                    Bound::from_borrowed_ptr(self.py, value),
                )
            })
            .collect()
    }

    /// Writes members one by one, in an order that depends on them alone: that of what is written for them.
    ///
    /// Where they hold much, the order is that of what is written of their outer levels, if that tells them apart. Then each
    /// can be written where all before it are known, and the parts of a cycle are written once.
    pub(in crate::encode) fn sorted(
        &mut self,
        count: usize,
        mut write: impl FnMut(&mut Self, usize) -> Outcome,
    ) -> Outcome {
        // What a callback holds is looked at once, and the user's rules are asked once.
        let is_plain = self.scope.role.is_none() && self.scope.rules.is_none();
        if count < 2 || !is_plain {
            return self.sorted_apart(count, &mut write);
        }
        let (start, lowest) = (self.enc.len(), self.scope.lowest);
        let around = self.scope.limit;
        self.scope.limit = around.min(self.open.len() + OUTER);
        let was_cut = std::mem::replace(&mut self.scope.is_cut, false);
        let spans = self.each(count, &mut write);
        let is_cut = std::mem::replace(&mut self.scope.is_cut, was_cut);
        let is_within = self.scope.limit == around;
        self.scope.limit = around;
        let spans = spans?;
        let written = self.enc.as_bytes()[start..].to_vec();
        let spans = in_order(&written, spans);
        self.enc.truncate(start);
        if !is_cut || is_within {
            self.scope.is_cut |= is_cut;
            self.put(&written, spans);
            return Ok(());
        }
        self.scope.lowest = lowest;
        if are_told_apart(&written, &spans) {
            let mut members = spans.into_iter();
            return members.try_for_each(|(_, (at, ..))| write(self, at));
        }
        self.sorted_apart(count, &mut write)
    }

    /// Writes members in the order of all that is written for each.
    fn sorted_apart(
        &mut self,
        count: usize,
        write: &mut impl FnMut(&mut Self, usize) -> Outcome,
    ) -> Outcome {
        let start = self.enc.len();
        let spans = self.each(count, write)?;
        if count < 2 {
            return Ok(());
        }
        let written = self.enc.as_bytes()[start..].to_vec();
        self.enc.truncate(start);
        self.put(&written, in_order(&written, spans));
        Ok(())
    }

    /// Writes members, each as if it were the first.
    fn each(
        &mut self,
        count: usize,
        write: &mut impl FnMut(&mut Self, usize) -> Outcome,
    ) -> Outcome<SmallVec<[Span; 24]>> {
        let start = self.enc.len();
        let mark = self.mark();
        let mut spans = SmallVec::with_capacity(count);
        for at in 0..count {
            let from = self.enc.len();
            write(self, at)?;
            self.forget(mark);
            spans.push((at, from - start, self.enc.len() - start));
        }
        Ok(spans)
    }

    fn put(&mut self, written: &[u8], spans: SmallVec<[(u64, Span); 24]>) {
        for (_, (_, from, to)) in spans {
            self.enc.raw(&written[from..to]);
        }
    }
}

/// Members in the order of what was written for each: by its first bytes, which are at hand, before all of it is looked at.
fn in_order(written: &[u8], spans: SmallVec<[Span; 24]>) -> SmallVec<[(u64, Span); 24]> {
    let first = |(at, from, to): Span| {
        let mut first = [0; 8];
        let len = (to - from).min(8);
        first[..len].copy_from_slice(&written[from..from + len]);
        (u64::from_be_bytes(first), (at, from, to))
    };
    let mut spans: SmallVec<[(u64, Span); 24]> = spans.into_iter().map(first).collect();
    let all = |(_, from, to): Span| &written[from..to];
    spans.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| all(a.1).cmp(all(b.1))));
    spans
}

/// Whether no two members, which are in order, were written alike.
fn are_told_apart(written: &[u8], spans: &[(u64, Span)]) -> bool {
    spans.windows(2).all(|two| {
        let [(one, (_, from, to)), (other, (_, after, end))] = [two[0], two[1]];
        one != other || written[from..to] != written[after..end]
    })
}

/// Sorts pairs whose keys are distinct strings by these: the shorter first, which mostly tells them apart.
/// `false`: one of them is not ready to be read.
///
/// # Safety
///
/// The keys are live exact strings.
unsafe fn sort_by_text(pairs: &mut [Pair]) -> bool {
    // SAFETY: the caller's promise.
    let text = |key: *mut ffi::PyObject| unsafe { str_bytes(key) };
    if pairs.iter().any(|&(_, key, _)| text(key).is_none()) {
        return false;
    }
    let order = |&(_, key, _): &Pair| text(key).map(|(tag, bytes)| (bytes.len(), tag, bytes));
    pairs.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
    true
}

/// The hash of an exact `str`: a key of a dict has it ready.
#[inline(always)]
unsafe fn str_hash(text: *mut ffi::PyObject) -> isize {
    // SAFETY: the caller passes a live `str`; its hash runs no other code.
    unsafe {
        match (*text.cast::<ffi::PyASCIIObject>()).hash {
            -1 => ffi::PyObject_Hash(text),
            hash => hash,
        }
    }
}

/// Whether two objects are strings of the same characters.
unsafe fn same_str(name: *mut ffi::PyObject, key: *mut ffi::PyObject) -> bool {
    // SAFETY: both are alive, and the comparison is asked of exact strings only.
    unsafe {
        name == key
            || (ffi::Py_TYPE(key) == &raw mut ffi::PyUnicode_Type
                && ffi::PyUnicode_Compare(name, key) == 0)
    }
}

/// A key for a message: strings and numbers as they are, others by their class. No code of the
/// user's runs for a message.
pub(in crate::encode) fn shown(key: &Bound<'_, PyAny>) -> String {
    let plain = key.is_exact_instance_of::<pyo3::types::PyString>()
        || key.is_exact_instance_of::<pyo3::types::PyInt>();
    if plain && let Ok(text) = key.repr() {
        let text = text.to_string_lossy();
        match text.char_indices().nth(KEY_SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.into_owned(),
        }
    } else {
        format!("a `{}`", class_of(key))
    }
}
