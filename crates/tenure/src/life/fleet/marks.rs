//! The calls of a cache by their marks, and when they may build what another member has ended.

use hashbrown::HashMap;

use crate::ground::clock::Nanos;
use crate::key::Key;
use crate::words::fleet::Mark;

/// So many are noted before any are looked through.
const FEW: usize = 16;

/// The marks of what a cache holds or builds, each with the key of its call.
#[derive(Default)]
pub(in crate::life) struct Marks {
    keys: HashMap<Mark, Key>,
    /// How many there may be before those are looked for that nothing has any more.
    most: usize,
}

impl Marks {
    /// The key of the call with this mark, if anything stands or stood under it.
    pub(super) fn key(&self, mark: Mark) -> Option<&Key> {
        self.keys.get(&mark)
    }

    /// Notes a mark. Whether there are so many by now that those are to be looked for that nothing has any more.
    pub(super) fn note(&mut self, mark: Mark, key: Key) -> bool {
        self.keys.insert(mark, key);
        self.keys.len() > self.most.max(FEW)
    }

    /// Forgets those that nothing has any more.
    pub(super) fn sweep(&mut self, mut has: impl FnMut(&Key) -> bool) {
        self.keys.retain(|_, key| has(key));
        self.most = 2 * self.keys.len();
    }
}

/// The times before which nothing is built again that another member has ended: each member has its own, so that
/// they do not all build at once.
#[derive(Default)]
pub(in crate::life) struct Spread {
    /// For all calls.
    all: Nanos,
    /// For one call, by its mark.
    calls: HashMap<Mark, Nanos>,
}

impl Spread {
    /// Whether any time has not come.
    pub(super) fn is_on(&self, now: Nanos) -> bool {
        self.all > now || !self.calls.is_empty()
    }

    /// Everything has been ended by another member.
    pub(super) fn put_off_all(&mut self, until: Nanos) {
        *self = Self {
            all: until,
            ..Self::default()
        };
    }

    /// A call's entry has been ended by another member.
    pub(super) fn put_off(&mut self, mark: Mark, until: Nanos, now: Nanos) {
        if self.calls.len() >= FEW && self.calls.len() == self.calls.capacity() {
            self.calls.retain(|_, until| *until > now);
        }
        self.calls.insert(mark, until);
    }

    /// This member has ended everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// This member has ended a call's entry: who ends it builds it at once.
    pub(super) fn forget(&mut self, mark: Mark) {
        self.calls.remove(&mark);
    }

    /// The time before which a call does not build, where it has not come.
    pub(super) fn until(&mut self, mark: Option<Mark>, now: Nanos) -> Option<Nanos> {
        self.calls.retain(|_, until| *until > now);
        let own = mark.and_then(|mark| self.calls.get(&mark).copied());
        let until = self.all.max(own.unwrap_or(0));
        (until > now).then_some(until)
    }
}
