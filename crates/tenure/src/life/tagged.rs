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
//! Lock order: a cache's lock, that of the index, that of the engine's place in a fleet, where tags have their marks from.
//! Nothing is dropped under the index's that is not its own.

use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Figure, HashMap, Mutex, Ordering, Switch, Weak};
use crate::life::circle::FlightId;
use crate::life::drain::End;
use crate::words::cause::Cause;
use crate::words::fleet::Mark;
use crate::words::tags::Tags;

/// A cache that something with tags is kept in, whatever its types.
pub(crate) trait AnyHome: Send + Sync {
    /// Takes out the entry, or strikes the build that is none of `own`, for a caller that has begun the
    /// release. Gives what releases the entry.
    fn take_tagged(&self, tagged: &Tagged, own: &[FlightId], cause: Cause) -> Option<(Nanos, End)>;

    /// Another member of the fleet has ended what is here for a call with this hash of its key.
    fn put_off(&self, call: u64);
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

    /// Another member of the fleet has ended it, and what is built next waits for its time, where they spread.
    pub(crate) fn put_off(&self) {
        if let Some(home) = self.home.upgrade() {
            home.put_off(self.call);
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
    index: Mutex<Index>,
    /// In a child process: a thread that is not there may hold the lock.
    abandoned: Switch,
}

#[derive(Default)]
struct Index {
    tags: HashMap<Arc<str>, Tag>,
    /// The tags by their marks, in a fleet.
    marks: HashMap<Mark, Arc<str>>,
}

/// One tag.
struct Tag {
    carrying: Carrying,
    /// Its name in the fleet.
    mark: Option<Mark>,
}

/// What carries one tag: mostly one thing, which does not pay for a map.
#[allow(clippy::box_collection)]
enum Carrying {
    One(u64, Weak<Tagged>),
    Many(Box<HashMap<u64, Weak<Tagged>>>),
}

impl TagIndex {
    /// Has what is built or kept for a call carry these tags, if there are any. Both hashes are that of the
    /// call's key, and the number is one that nothing else has. `mark` gives a tag's name in the fleet.
    pub(crate) fn add(
        self: &Arc<Self>,
        tags: &[Arc<str>],
        id: u64,
        call: u64,
        home: impl FnOnce() -> Weak<dyn AnyHome>,
        mark: &dyn Fn(&str) -> Option<Mark>,
    ) -> Option<Arc<Tagged>> {
        if tags.is_empty() || self.is_abandoned() {
            return None;
        }
        let home = home();
        let mut index = self.index.lock();
        // One text for all that carry it.
        let known = tags.iter().map(|tag| {
            let known = index.tags.get_key_value(tag);
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
            match index.tags.get_mut(tag) {
                Some(tag) => tag.carrying.add(&tagged),
                None => index.insert(tag, Carrying::One(id, Arc::downgrade(&tagged)), mark(tag)),
            }
        }
        Some(tagged)
    }

    fn remove(&self, tagged: &Tagged) {
        if self.is_abandoned() {
            return;
        }
        let mut index = self.index.lock();
        for tag in tagged.tags.iter() {
            let last = |it: &mut Tag| it.carrying.remove(tagged);
            if index.tags.get_mut(tag).is_some_and(last) {
                index.remove(tag);
            }
        }
    }

    /// Gives each tag its name in a fleet, which the engine has come into.
    pub(crate) fn mark(&self, mark: &dyn Fn(&str) -> Mark) {
        let mut index = self.index.lock();
        let Index { tags, marks } = &mut *index;
        marks.clear();
        for (text, tag) in tags {
            let mark = mark(text);
            tag.mark = Some(mark);
            marks.insert(mark, Arc::clone(text));
        }
    }

    /// All that carries the tag at this moment.
    pub(crate) fn carrying(&self, tag: &str) -> Vec<Arc<Tagged>> {
        let index = self.index.lock();
        let tag = index.tags.get(tag);
        let all = tag.map(|it| it.carrying.all()).unwrap_or_default();
        drop(index);
        in_order(all)
    }

    /// All that carries the tag with this mark.
    pub(crate) fn marked(&self, mark: Mark) -> Vec<Arc<Tagged>> {
        let tag = self.index.lock().marks.get(&mark).cloned();
        tag.map(|tag| self.carrying(&tag)).unwrap_or_default()
    }

    /// All that carries any tag.
    pub(crate) fn all(&self) -> Vec<Arc<Tagged>> {
        let index = self.index.lock();
        let all = index.tags.values().flat_map(|it| it.carrying.all());
        let mut all = in_order(all.collect());
        drop(index);
        all.dedup_by_key(|it| it.id);
        all
    }

    /// How many tags something carries.
    pub(crate) fn len(&self) -> usize {
        self.index.lock().tags.len()
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

fn in_order(mut all: Vec<Arc<Tagged>>) -> Vec<Arc<Tagged>> {
    all.sort_unstable_by_key(|it| it.id);
    all
}

impl Index {
    fn insert(&mut self, text: &Arc<str>, carrying: Carrying, mark: Option<Mark>) {
        if let Some(mark) = mark {
            self.marks.insert(mark, Arc::clone(text));
        }
        self.tags.insert(Arc::clone(text), Tag { carrying, mark });
    }

    fn remove(&mut self, text: &str) {
        let gone = self.tags.remove(text);
        if let Some(mark) = gone.and_then(|it| it.mark) {
            self.marks.remove(&mark);
        }
        if self.tags.len() < self.tags.capacity() / SPARSE {
            self.tags.shrink_to_fit();
            self.marks.shrink_to_fit();
        }
    }
}

impl Carrying {
    /// Whatever of it is still there.
    fn all(&self) -> Vec<Arc<Tagged>> {
        match self {
            Self::One(_, one) => one.upgrade().into_iter().collect(),
            Self::Many(many) => many.values().filter_map(Weak::upgrade).collect(),
        }
    }

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
