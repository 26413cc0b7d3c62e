//! What a cache looks at next: its entries by a time that moves with each use.
//!
//! A use of an entry moves its time and takes no lock, so the agenda notes times that may have moved
//! on since. When one of them comes, the entry's own word counts: the agenda notes the new time, or the
//! entry is what was looked for.
//!
//! Invariant: of each entry that has a time, one note at least is no later than that time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ground::clock::Nanos;
use crate::life::order::Place;

/// So many notes are kept whatever they are worth.
const KEPT: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Note {
    when: Nanos,
    place: Place,
}

/// Entries by time, soonest first.
#[derive(Default)]
pub(in crate::life) struct Agenda(BinaryHeap<Reverse<Note>>);

impl Agenda {
    pub(in crate::life) fn note(&mut self, when: Nanos, place: Place) {
        self.0.push(Reverse(Note { when, place }));
    }

    /// The soonest time there is, and whose. `time` is an entry's own word, or nothing where the entry
    /// has gone.
    pub(in crate::life) fn first(
        &mut self,
        time: impl Fn(Place) -> Option<Nanos>,
    ) -> Option<(Nanos, Place)> {
        loop {
            let Reverse(note) = *self.0.peek()?;
            match time(note.place) {
                Some(when) if when <= note.when => return Some((note.when, note.place)),
                // It has moved on.
                Some(when) => {
                    self.0.pop();
                    self.note(when, note.place);
                }
                None => drop(self.0.pop()),
            }
        }
    }

    /// Takes out what [`first`](Self::first) has just given.
    pub(in crate::life) fn pop(&mut self) {
        self.0.pop();
    }

    /// Whether most of it is about entries that have gone, of which there are so many left.
    pub(in crate::life) fn is_stale(&self, entries: usize) -> bool {
        self.0.len() > KEPT + 2 * entries
    }

    /// Whether it notes nothing.
    pub(in crate::life) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::life) fn clear(&mut self) {
        self.0 = BinaryHeap::new();
    }
}
