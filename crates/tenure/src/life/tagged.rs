//! The builds and entries that carry tags, over all functions of an engine.
//!
//! Invariants
//! 1. A build carries its tags from when its flight is in its cache's table, and what it gives carries them on
//!    as the same [`Tagged`]: whoever clears a tag meanwhile finds the one or the other.
//! 2. The index holds what is under way or in a cache, and nothing else: an entry leaves it with its cache, and
//!    a flight at its end.
//! 3. The index keeps nothing alive. What ends is found by way of its cache, under the cache's lock.
//!
//! The tags of a whole function stand in its settings, and not here: its entries need none of their own.
//!
//! Lock order: the lock of the index is a leaf. Nothing is dropped under it that is not its own.

use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Figure, HashMap, Mutex, Ordering, Switch, Weak};
use crate::life::circle::FlightId;
use crate::life::drain::End;
use crate::words::cause::Cause;
use crate::words::tags::Tags;

/// A cache that something with tags is kept in, whatever its types.
pub(crate) trait AnyHome: Send + Sync {
    /// Takes out the entry, or strikes the build that is none of `own`, for a caller that has begun the
    /// release. Gives what releases the entry.
    fn take_tagged(&self, tagged: &Tagged, own: &[FlightId], cause: Cause) -> Option<(Nanos, End)>;
}

/// A build that carries tags, and the entry that it becomes.
pub(crate) struct Tagged {
    /// A number that nothing else in the index has.
    id: u64,
    tags: Tags,
    /// The hash of the call's key.
    call: u64,
    /// The hash of the entry's key, which observed inputs may complete.
    entry: Figure,
    home: Weak<dyn AnyHome>,
    index: Arc<TagIndex>,
    has_left: Switch,
}

impl Tagged {
    pub(crate) fn tags(&self) -> &Tags {
        &self.tags
    }

    pub(crate) fn call(&self) -> u64 {
        self.call
    }

    pub(crate) fn entry(&self) -> u64 {
        self.entry.load(Ordering::Relaxed)
    }

    /// Its entry stands under another key than the call's. To be said before it is there.
    pub(crate) fn stands_at(&self, entry: u64) {
        self.entry.store(entry, Ordering::Relaxed);
    }

    /// Ends it: it is in no cache any more.
    pub(crate) fn leave(&self) {
        if !self.has_left.swap(true, Ordering::Relaxed) {
            self.index.remove(self);
        }
    }

    /// Ends what carries the tags; see [`AnyHome::take_tagged`].
    pub(crate) fn take(&self, own: &[FlightId], cause: Cause) -> Option<(Nanos, End)> {
        self.home.upgrade()?.take_tagged(self, own, cause)
    }
}

impl Drop for Tagged {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What carries each tag.
#[derive(Default)]
pub(crate) struct TagIndex {
    tags: Mutex<HashMap<Arc<str>, Carrying>>,
    /// In a child process: a thread that is not there may hold the lock.
    abandoned: Switch,
}

/// What carries one tag: mostly one thing, which does not pay for a map.
#[allow(clippy::box_collection)]
enum Carrying {
    One(u64, Weak<Tagged>),
    Many(Box<HashMap<u64, Weak<Tagged>>>),
}

impl TagIndex {
    /// Has what is built or kept for a call carry these tags, if there are any. Both hashes are that of the
    /// call's key, and the number is one that nothing else has.
    pub(crate) fn add(
        self: &Arc<Self>,
        tags: &[Arc<str>],
        id: u64,
        call: u64,
        home: impl FnOnce() -> Weak<dyn AnyHome>,
    ) -> Option<Arc<Tagged>> {
        if tags.is_empty() || self.is_abandoned() {
            return None;
        }
        let home = home();
        let mut index = self.tags.lock();
        // One text for all that carry it.
        let known = tags.iter().map(|tag| {
            let known = index.get_key_value(tag);
            Arc::clone(known.map_or(tag, |(known, _)| known))
        });
        let tagged = Arc::new(Tagged {
            id,
            tags: known.collect(),
            call,
            entry: Figure::new(call),
            home,
            index: Arc::clone(self),
            has_left: Switch::new(false),
        });
        for tag in tagged.tags.iter() {
            match index.get_mut(tag) {
                Some(carrying) => carrying.add(&tagged),
                None => {
                    let one = Carrying::One(id, Arc::downgrade(&tagged));
                    index.insert(Arc::clone(tag), one);
                }
            }
        }
        Some(tagged)
    }

    fn remove(&self, tagged: &Tagged) {
        if self.is_abandoned() {
            return;
        }
        let mut index = self.tags.lock();
        for tag in tagged.tags.iter() {
            if index.get_mut(tag).is_some_and(|it| it.remove(tagged)) {
                index.remove(tag);
            }
        }
        if index.len() < index.capacity() / SPARSE {
            index.shrink_to_fit();
        }
    }

    /// All that carries the tag at this moment.
    pub(crate) fn carrying(&self, tag: &str) -> Vec<Arc<Tagged>> {
        let index = self.tags.lock();
        let mut all: Vec<_> = match index.get(tag) {
            None => Vec::new(),
            Some(Carrying::One(_, one)) => one.upgrade().into_iter().collect(),
            Some(Carrying::Many(many)) => many.values().filter_map(Weak::upgrade).collect(),
        };
        drop(index);
        all.sort_unstable_by_key(|it| it.id);
        all
    }

    /// How many tags something carries.
    pub(crate) fn len(&self) -> usize {
        self.tags.lock().len()
    }

    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }
}

/// A map is made smaller where so few of its places are taken.
const SPARSE: usize = 8;

impl Carrying {
    fn add(&mut self, tagged: &Arc<Tagged>) {
        if let Self::One(id, one) = self {
            let one = (*id, std::mem::take(one));
            *self = Self::Many(Box::new(HashMap::from_iter([one])));
        }
        if let Self::Many(many) = self {
            many.insert(tagged.id, Arc::downgrade(tagged));
        }
    }

    /// Takes it out, if it is there; whether that was the last.
    fn remove(&mut self, tagged: &Tagged) -> bool {
        match self {
            Self::One(id, _) => *id == tagged.id,
            Self::Many(many) => {
                many.remove(&tagged.id);
                if many.len() < many.capacity() / SPARSE {
                    many.shrink_to_fit();
                }
                many.is_empty()
            }
        }
    }
}
