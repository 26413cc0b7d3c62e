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
    /// How many entries have gone since that was done.
    gone: usize,
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

    /// An entry has gone. Whether so many have that those are to be looked for that nothing has any more.
    pub(in crate::life) fn let_go(&mut self) -> bool {
        if self.keys.is_empty() {
            return false;
        }
        self.gone += 1;
        self.gone > FEW + self.keys.len() / 2
    }

    /// Forgets those that nothing has any more.
    pub(super) fn sweep(&mut self, mut has: impl FnMut(&Key) -> bool) {
        self.keys.retain(|_, key| has(key));
        if self.keys.is_empty() {
            *self = Self::default();
        }
        self.most = 2 * self.keys.len();
        self.gone = 0;
    }

    /// How many there are.
    pub(in crate::life) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The times before which nothing is built again that another member has ended: each member has its own, so that
/// they do not all build at once.
#[derive(Default)]
pub(in crate::life) struct Spread {
    /// For all calls.
    all: Nanos,
    /// For one call, by the hash of its key: where two have one, both wait.
    calls: HashMap<u64, Nanos>,
    /// The last of these times.
    last: Nanos,
}

impl Spread {
    /// Everything has been ended by another member.
    pub(super) fn put_off_all(&mut self, until: Nanos) {
        *self = Self {
            all: until,
            last: until,
            ..Self::default()
        };
    }

    /// A call's entry has been ended by another member.
    pub(super) fn put_off(&mut self, call: u64, until: Nanos, now: Nanos) {
        if self.calls.len() >= FEW && self.calls.len() == self.calls.capacity() {
            self.calls.retain(|_, until| *until > now);
        }
        self.calls.insert(call, until);
        self.last = self.last.max(until);
    }

    /// This member has ended everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// This member has ended a call's entry: who ends it builds it at once.
    pub(super) fn forget(&mut self, call: u64) {
        self.calls.remove(&call);
    }

    /// The time before which a call does not build, where it has not come.
    pub(super) fn until(&mut self, call: u64, now: Nanos) -> Option<Nanos> {
        if self.last == 0 {
            return None;
        }
        if self.last <= now {
            self.clear();
            return None;
        }
        let own = self.calls.get(&call).copied().unwrap_or(0);
        Some(self.all.max(own)).filter(|until| *until > now)
    }
}
