//! Objects of cycles that are met again: each is written once, and named by its place where it is met.
//!
//! Written anew wherever it is met, an object whose parts refer to each other would be written along every way through them,
//! and those are as many as there are orders of the parts.
//!
//! 1. What has been written is *open* while it points back to something that is still being written: its bytes mean the same
//!    in there only. Once that has been written itself, all that was open inside of it is a *circle*.
//! 2. An open object is named by how many came after it, one of a circle by its place there and by how many circles came
//!    after that. So two walks give the same bytes where the objects, and the ways between them, are the same.
//! 3. The object that a circle was entered by is written as a whole where it is met again, as what is in no circle is: one
//!    that is given twice, and two that are equal, are the same.
//! 4. Whoever writes members in an order that is found from what was written for them forgets after each what that one has
//!    added: its bytes must not depend on which of them came first. For these alone objects are written more than once, and
//!    what that may come to is bounded.
#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};

use pyo3::ffi;
use pyo3::prelude::*;

/// So often, for each of them and at the least, may objects of cycles be written in all.
const TIMES: usize = 64;
const AT_LEAST: usize = 20_000;

/// What was written of cycles.
#[derive(Default)]
pub(super) struct Circles {
    open: Vec<Open>,
    closed: Vec<Vec<Py<PyAny>>>,
    places: HashMap<usize, Place>,
    /// The objects that were written as parts of a cycle, and how often in all.
    written: HashSet<usize>,
    times: usize,
}

struct Open {
    value: Py<PyAny>,
    /// The outermost level that it points back to.
    lowest: usize,
}

#[derive(Clone, Copy)]
enum Place {
    Open(usize),
    /// In this circle, at this place.
    Closed(usize, usize),
}

/// How far a walk has come with cycles.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    open: usize,
    pub(super) closed: usize,
}

/// An object that was written before, by its name.
pub(super) enum Met {
    /// How many open ones came after it, and the outermost level that it points back to.
    Open { after: usize, lowest: usize },
    /// How many circles came after its own, its own, and its place there.
    Closed {
        after: usize,
        circle: usize,
        at: usize,
    },
}

impl Circles {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            open: self.open.len(),
            closed: self.closed.len(),
        }
    }

    pub(super) fn find(&self, value: *mut ffi::PyObject) -> Option<Met> {
        Some(match *self.places.get(&value.addr())? {
            Place::Open(at) => Met::Open {
                after: self.open.len() - at,
                lowest: self.open[at].lowest,
            },
            Place::Closed(circle, at) => Met::Closed {
                after: self.closed.len() - circle,
                circle,
                at,
            },
        })
    }

    /// Notes that an object was written which points back to this level. `false`: they have been written too often.
    pub(super) fn add(&mut self, value: &Bound<'_, PyAny>, lowest: usize) -> bool {
        let address = value.as_ptr().addr();
        self.written.insert(address);
        self.times += 1;
        self.places.insert(address, Place::Open(self.open.len()));
        self.open.push(Open {
            value: value.clone().unbind(),
            lowest,
        });
        self.times <= AT_LEAST + TIMES * self.written.len()
    }

    /// What has been open since this mark is a circle now, if anything is.
    pub(super) fn close(&mut self, mark: Mark) {
        if self.open.len() > mark.open {
            let circle = self.closed.len();
            let values: Vec<_> = self.open.drain(mark.open..).map(|it| it.value).collect();
            for (at, value) in values.iter().enumerate() {
                self.places
                    .insert(value.as_ptr().addr(), Place::Closed(circle, at));
            }
            self.closed.push(values);
        }
    }

    /// Counts circles that were written before as ones that are written now.
    pub(super) fn repeat(&mut self, circles: usize) {
        let count = self.closed.len() + circles;
        self.closed.resize_with(count, Vec::new);
    }

    /// Forgets what came after this mark.
    pub(super) fn forget(&mut self, mark: Mark) -> Vec<Py<PyAny>> {
        let mut gone: Vec<_> = self.open.drain(mark.open..).map(|it| it.value).collect();
        gone.extend(self.closed.drain(mark.closed..).flatten());
        for value in &gone {
            self.places.remove(&value.as_ptr().addr());
        }
        gone
    }
}
