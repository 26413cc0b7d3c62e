//! Observed inputs: how an entry is found whose build looked at more than its arguments.
//!
//! The call's key gives the shapes: which inputs its builds observed. The present values of each
//! shape complete the key. A build that has not ended has observed nothing yet, so its flight
//! keeps the values that its caller saw of the shapes known at its start: a caller who sees other
//! values builds for itself, one who sees the same waits.

use hashbrown::HashTable;

use crate::host::record::Observed;
use crate::key::{Encoder, Key, KeyRef};

/// No call's own encoding begins with this tag.
const COMPLETED: u8 = 0xfd;

/// The key of an entry: the call's, completed by what its build observed.
pub(crate) fn completed(call: &KeyRef<'_>, shape: &Key, values: &Key) -> Key {
    let mut encoder = Encoder::new();
    encoder.tag(COMPLETED);
    encoder.key(call);
    encoder.key(&shape.as_key());
    encoder.key(&values.as_key());
    encoder.finish().to_key()
}

/// The present values of some shapes, as one caller sees them.
#[derive(Default)]
pub(crate) struct Seen(Vec<(Observed, Key)>);

impl Seen {
    pub(crate) fn add(&mut self, shape: Observed, values: Key) {
        self.0.push((shape, values));
    }

    pub(crate) fn values(&self, shape: &Key) -> Option<&Key> {
        let there = self.0.iter().find(|(seen, _)| seen.shape() == shape)?;
        Some(&there.1)
    }

    /// The part of it that a new flight keeps.
    pub(crate) fn of(&self, shapes: &[(Observed, usize)]) -> Self {
        let kept = shapes.iter().filter_map(|(shape, _)| {
            let values = self.values(shape.shape())?;
            Some((shape.clone(), values.clone()))
        });
        Self(kept.collect())
    }

    /// Compares with what `other` saw of the same shapes.
    pub(crate) fn compare(&self, other: &Self) -> Likeness {
        let mut unseen = Vec::new();
        for (shape, values) in &self.0 {
            match other.values(shape.shape()) {
                None => unseen.push(shape.clone()),
                Some(others) if others != values => return Likeness::Differs,
                Some(_) => {}
            }
        }
        if unseen.is_empty() {
            Likeness::Same
        } else {
            Likeness::Unseen(unseen)
        }
    }
}

/// How what one caller saw compares with what another sees.
pub(crate) enum Likeness {
    Same,
    Differs,
    /// It depends on inputs that the other has not looked at yet.
    Unseen(Vec<Observed>),
}

/// Which inputs the live entries of each call observed.
#[derive(Default)]
pub(crate) struct Shapes {
    calls: HashTable<CallShapes>,
}

struct CallShapes {
    key: Key,
    /// Each shape with the number of entries that have it.
    shapes: Vec<(Observed, usize)>,
}

impl Shapes {
    pub(crate) fn of(&self, call: &KeyRef<'_>) -> &[(Observed, usize)] {
        if self.calls.is_empty() {
            return &[];
        }
        let there = self.calls.find(call.hash(), |it| call.matches(&it.key));
        there.map_or(&[], |call| &call.shapes)
    }

    pub(crate) fn add(&mut self, call: &Key, observed: &Observed) {
        let entry = self
            .calls
            .entry(call.hash(), |it| it.key == *call, |it| it.key.hash());
        let mut there = entry.or_insert_with(|| CallShapes {
            key: call.clone(),
            shapes: Vec::new(),
        });
        let shapes = &mut there.get_mut().shapes;
        match shapes
            .iter_mut()
            .find(|(shape, _)| shape.shape() == observed.shape())
        {
            Some((_, entries)) => *entries += 1,
            None => shapes.push((observed.clone(), 1)),
        }
    }

    /// An entry with this shape is gone. What this gives is to be dropped outside every lock.
    pub(crate) fn remove(&mut self, call: &Key, observed: &Observed) -> Option<Observed> {
        let mut there = self
            .calls
            .find_entry(call.hash(), |it| it.key == *call)
            .ok()?;
        let shapes = &mut there.get_mut().shapes;
        let at = shapes
            .iter()
            .position(|(shape, _)| shape.shape() == observed.shape())?;
        shapes[at].1 -= 1;
        if shapes[at].1 > 0 {
            return None;
        }
        let gone = shapes.swap_remove(at).0;
        if shapes.is_empty() {
            there.remove();
        }
        Some(gone)
    }
}
