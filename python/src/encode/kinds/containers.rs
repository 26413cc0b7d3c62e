//! The containers beside lists, tuples and dicts, and what derives from any of them.
//!
//! Sets are written in an order of their own (K4); where the order counts, it is kept.
#![allow(unsafe_code)]

use crate::encode::fault::Outcome;
use crate::encode::names::class_of;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::containers::shown;
use crate::encode::walk::{Form, Walk};
use crate::process::once::Once;
use pyo3::ffi;
use pyo3::prelude::*;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tuple,
    List,
    Dict,
    Set,
    FrozenSet,
    Ordered,
    Counter,
    Defaulting,
    Deque,
    Proxy,
    Keys,
    Values,
    Items,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "builtins.tuple" => &Kind::Tuple,
        "builtins.list" => &Kind::List,
        "builtins.dict" => &Kind::Dict,
        "builtins.set" => &Kind::Set,
        "builtins.frozenset" => &Kind::FrozenSet,
        "builtins.mappingproxy" => &Kind::Proxy,
        "builtins.dict_keys" => &Kind::Keys,
        "builtins.dict_values" => &Kind::Values,
        "builtins.dict_items" => &Kind::Items,
        "collections.OrderedDict" => &Kind::Ordered,
        "collections.Counter" => &Kind::Counter,
        "collections.defaultdict" => &Kind::Defaulting,
        "collections.deque" => &Kind::Deque,
        _ => return None,
    })
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        _: &TypeInfo,
    ) -> Outcome {
        let ptr = value.as_ptr();
        match self {
            Self::Tuple => walk.tuple(ptr),
            Self::List => walk.list(ptr),
            Self::Dict => walk.dict(tags::DICT, ptr),
            Self::Set => walk.set(tags::SET, value),
            Self::FrozenSet => walk.set(tags::FROZENSET, value),
            Self::Counter => walk.dict(tags::COUNTER, ptr),
            Self::Defaulting => {
                walk.dict(tags::DEFAULTING, ptr)?;
                walk.value(value.getattr("default_factory")?.as_ptr())
            }
            Self::Ordered => walk.ordered(value),
            Self::Deque => walk.deque(value),
            Self::Proxy => walk.proxy(value),
            Self::Keys | Self::Items | Self::Values => walk.view(*self, value),
        }
    }

    fn keeps(&self) -> Option<&'static [&'static str]> {
        self.is_given_attributes().then_some(&[])
    }

    fn is_given_attributes(&self) -> bool {
        matches!(self, Self::Ordered | Self::Counter)
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes the members of a set or frozenset, or of an instance of a subclass.
    fn set(&mut self, tag: u8, set: &Bound<'py, PyAny>) -> Outcome {
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
    fn ordered(&mut self, dict: &Bound<'py, PyAny>) -> Outcome {
        self.enc.tag(tags::ORDERED);
        let mut piece = self.enc.len();
        // `dict.items` of the base class would give the order in which the keys were first
        // inserted, which `move_to_end` does not change.
        static ITEMS: Once<Py<PyAny>> = Once::new();
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
    fn deque(&mut self, deque: &Bound<'py, PyAny>) -> Outcome {
        // Past whatever a subclass makes of iteration.
        static ITERATE: Once<Py<PyAny>> = Once::new();
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
    fn proxy(&mut self, proxy: &Bound<'py, PyAny>) -> Outcome {
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
    fn view(&mut self, kind: Kind, view: &Bound<'py, PyAny>) -> Outcome {
        let items = view.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let class = class_of(view);
        let start = self.enc.len();
        // Those of an `OrderedDict` show its order.
        let is_ordered = class.ends_with("odict_keys") || class.ends_with("odict_items");
        let tag = match kind {
            Kind::Keys if is_ordered => 3,
            Kind::Items if is_ordered => 4,
            Kind::Keys => 0,
            Kind::Items => 1,
            _ => 2,
        };
        self.enc.raw(&[tags::VIEW, tag]);
        let member = |walk: &mut Self, at: usize| {
            let member = match kind {
                // A pair is made for the iteration.
                Kind::Items => walk.own(items[at].as_ptr()),
                _ => walk.value(items[at].as_ptr()),
            };
            member.map_err(|fault| fault.at(class.clone(), "a member".to_owned()))
        };
        if is_ordered || kind == Kind::Values {
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
