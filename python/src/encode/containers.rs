//! Lists, tuples, dicts, sets and their kin.
//!
//! Dicts and sets are written in an order of their own, so that the order in which they were
//! filled does not count (K4): where all keys are plain strings, by the hash that Python keeps in
//! them, which is the same for equal strings; otherwise by what was written for each member.
#![allow(unsafe_code)]

use super::fault::Outcome;
use super::types::{Known, class_of};
use super::{Walk, encode_scalar, tags};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use smallvec::SmallVec;

/// How much of a key a message shows.
const KEY_SHOWN: usize = 40;

/// A key with its value, and the hash that Python keeps for the key.
type Pair = (isize, *mut ffi::PyObject, *mut ffi::PyObject);

/// What the keys of a dict are.
#[derive(Clone, Copy)]
pub(super) enum Keys<'a> {
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
    pub(super) fn list(&mut self, list: *mut ffi::PyObject) -> Outcome {
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
    pub(super) fn tuple(&mut self, tuple: *mut ffi::PyObject) -> Outcome {
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
    pub(super) fn members(&mut self, tag: u8, iterable: &Bound<'py, PyAny>) -> Outcome {
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
    pub(super) fn dict(&mut self, tag: u8, dict: *mut ffi::PyObject) -> Outcome {
        self.enc.tag(tag);
        let start = self.enc.len();
        self.pairs(dict, Keys::Values)?;
        self.piece(start);
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the pairs of a dict in an order that depends on the content alone.
    pub(super) fn pairs(&mut self, dict: *mut ffi::PyObject, keys: Keys<'_>) -> Outcome {
        let mut pairs: SmallVec<[Pair; 24]> = SmallVec::new();
        let (mut all_str, skip) = match keys {
            Keys::Values => (self.rules.is_none(), &[][..]),
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
        if all_str {
            pairs.sort_unstable_by_key(|&(hash, ..)| hash);
            if pairs.windows(2).all(|two| two[0].0 != two[1].0) {
                return self.str_pairs(dict, &pairs);
            }
        }
        // SAFETY: nothing has run since the pairs were read, so they are alive.
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

    /// Writes members one by one, then puts what was written for them in order.
    pub(super) fn sorted(
        &mut self,
        count: usize,
        mut write: impl FnMut(&mut Self, usize) -> Outcome,
    ) -> Outcome {
        let start = self.enc.len();
        let mut spans: SmallVec<[(u64, usize, usize); 24]> = SmallVec::with_capacity(count);
        for at in 0..count {
            let from = self.enc.len();
            write(self, at)?;
            spans.push((0, from - start, self.enc.len() - start));
        }
        if count < 2 {
            return Ok(());
        }
        let written = self.enc.as_bytes()[start..].to_vec();
        for (prefix, from, to) in &mut spans {
            let mut first = [0; 8];
            let len = (*to - *from).min(8);
            first[..len].copy_from_slice(&written[*from..*from + len]);
            *prefix = u64::from_be_bytes(first);
        }
        spans.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| written[a.1..a.2].cmp(&written[b.1..b.2]))
        });
        self.enc.truncate(start);
        for (_, from, to) in spans {
            self.enc.raw(&written[from..to]);
        }
        Ok(())
    }

    /// Writes the members of a set or frozenset, or of an instance of a subclass.
    pub(super) fn set(&mut self, tag: u8, set: &Bound<'py, PyAny>) -> Outcome {
        self.enc.tag(tag);
        let start = self.enc.len();
        let items = set_items(set)?;
        let class = class_of(set);
        self.sorted(items.len(), |walk, at| {
            walk.value(items[at].as_ptr())
                .map_err(|fault| fault.at(class.clone(), "a member".to_owned()))
        })?;
        self.piece(start);
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the pairs of an `OrderedDict` in their order, which counts there.
    pub(super) fn ordered(&mut self, dict: &Bound<'py, PyAny>) -> Outcome {
        self.enc.tag(tags::ORDERED);
        let mut piece = self.enc.len();
        // `dict.items` of the base class would give the order in which the keys were first
        // inserted, which `move_to_end` does not change.
        static ITEMS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let items = ITEMS
            .get_or_try_init(self.py, || {
                let class = self.py.import("collections")?.getattr("OrderedDict")?;
                class.getattr("items").map(Bound::unbind)
            })?
            .bind(self.py)
            .call1((dict,))?;
        for pair in items.try_iter()? {
            let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = pair?.extract()?;
            self.value(key.as_ptr())
                .map_err(|fault| fault.at(class_of(dict), format!("the key {}", shown(&key))))?;
            self.value(value.as_ptr()).map_err(|fault| {
                fault.at(class_of(dict), format!("the value under {}", shown(&key)))
            })?;
            piece = self.piece(piece);
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the members of a deque and its greatest length.
    pub(super) fn deque(&mut self, deque: &Bound<'py, PyAny>) -> Outcome {
        // Past whatever a subclass makes of iteration.
        static ITERATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let items = ITERATE
            .get_or_try_init(self.py, || {
                let class = self.py.import("collections")?.getattr("deque")?;
                class.getattr("__iter__").map(Bound::unbind)
            })?
            .bind(self.py)
            .call1((deque,))?;
        self.members(tags::DEQUE, &items)?;
        self.inner(&deque.getattr("maxlen")?)
    }

    /// Writes the mapping behind a read-only view of it.
    pub(super) fn proxy(&mut self, proxy: &Bound<'py, PyAny>) -> Outcome {
        self.enc.tag(tags::PROXY);
        // Itself, whatever class it is of: a copy of a subclass may be a plain dict.
        let behind = self
            .py
            .import("gc")?
            .call_method1("get_referents", (proxy,))?;
        let mapping = behind.get_item(0)?;
        self.holding(mapping, |walk, mapping| walk.value(mapping.as_ptr()))
    }

    /// Writes what a view of a dict's keys, values or items shows.
    pub(super) fn view(&mut self, known: Known, view: &Bound<'py, PyAny>) -> Outcome {
        let items = view.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let class = class_of(view);
        let start = self.enc.len();
        let tag = match known {
            Known::Keys => 0,
            Known::Items => 1,
            _ => 2,
        };
        self.enc.raw(&[tags::VIEW, tag]);
        let member = |walk: &mut Self, at: usize| {
            let member = match known {
                // A pair is made for the iteration.
                Known::Items => walk.own(items[at].as_ptr()),
                _ => walk.value(items[at].as_ptr()),
            };
            member.map_err(|fault| fault.at(class.clone(), "a member".to_owned()))
        };
        // Those of an `OrderedDict` show its order.
        let is_ordered = class.ends_with("odict_keys") || class.ends_with("odict_items");
        self.enc.raw(&[u8::from(is_ordered)]);
        if is_ordered || matches!(known, Known::Values) {
            for at in 0..items.len() {
                member(self, at)?;
            }
        } else {
            self.sorted(items.len(), member)?;
        }
        self.piece(start + 2);
        self.enc.tag(tags::END);
        Ok(())
    }
}

/// The members of a set, past whatever a subclass makes of iteration.
fn set_items<'py>(set: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let py = set.py();
    // SAFETY: `set` is an instance of `set` or `frozenset` or of a subclass, which share their
    // iteration, and the iterator gives new references until NULL.
    unsafe {
        let iter = ffi::PySet_Type.tp_iter.expect("sets can be iterated")(set.as_ptr());
        let iter = Bound::from_owned_ptr_or_err(py, iter)?;
        iter.try_iter()?.collect()
    }
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
fn shown(key: &Bound<'_, PyAny>) -> String {
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
