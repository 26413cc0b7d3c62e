//! An entry: one resource under one key, and the lease by which callers hold it.
//!
//! Invariants
//! 1. The value is there until the last reference drops, and is taken out once, by that drop.
//! 2. `ended` is written once, by whoever took the entry out of its cache.
//! 3. The last reference never drops under a lock: what takes entries out hands them on.

use std::fmt;
use std::ops::Deref;

use crate::bounds::Resource;
use crate::clock::{NEVER, Nanos};
use crate::counted::Counted;
use crate::function::Shared;
use crate::key::Key;
use crate::record::{Observed, Recording};
use crate::release::{Cause, Draining};
use crate::sync::{Arc, AtomicU8, Figure, Ordering};
use crate::underway::Side;

const LIVE: u8 = u8::MAX;

/// Beside the cause: a warning is armed for the case that the leases stay out too long.
const LENT: u8 = 0x40;

/// Beside the cause: where the release is counted as one that a shutdown waits for.
const LEAVING: [(Side, u8); 2] = [(Side::Even, 0x10), (Side::Odd, 0x20)];

/// The part that is the cause.
const CAUSE: u8 = 0x0f;

pub(crate) struct Entry<V: Resource> {
    key: Key,
    value: Option<V>,
    /// A time that no other entry of the engine has: the order of builds.
    built_at: Nanos,
    hits: Figure,
    recorded: Option<Box<Recorded>>,
    shared: Arc<Shared<V>>,
    ended: AtomicU8,
}

/// What an entry keeps of a build that put something out or observed something.
pub(crate) struct Recorded {
    pub(crate) recording: Recording,
    /// The call's own key, where observed inputs complete it.
    pub(crate) call: Option<Key>,
}

impl<V: Resource> Entry<V> {
    pub(crate) fn new(
        key: Key,
        value: V,
        recorded: Option<Recorded>,
        shared: Arc<Shared<V>>,
    ) -> Self {
        Self {
            key,
            value: Some(value),
            built_at: shared.engine.core().stamp(),
            hits: Figure::new(0),
            recorded: recorded.map(Box::new),
            shared,
            ended: AtomicU8::new(LIVE),
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn value(&self) -> &V {
        self.value.as_ref().expect("the value stays until the drop")
    }

    pub(crate) fn recording(&self) -> Option<&Recording> {
        self.recorded.as_deref().map(|it| &it.recording)
    }

    /// The call's key and what the build observed, where that completes the key.
    pub(crate) fn observed(&self) -> Option<(&Key, &Observed)> {
        let recorded = self.recorded.as_deref()?;
        recorded.call.as_ref().zip(recorded.recording.observed())
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<V>> {
        &self.shared
    }

    pub(crate) fn built_at(&self) -> Nanos {
        self.built_at
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Nanos {
        self.built_at.saturating_add(self.shared.ttl)
    }

    #[inline]
    pub(crate) fn has_expired(&self) -> bool {
        self.shared.ttl != NEVER && self.shared.engine.core().clock.has_come(self.deadline())
    }

    /// Whether a cache holds it, and may hand it out.
    pub(crate) fn is_live(&self) -> bool {
        self.ended.load(Ordering::Acquire) == LIVE && !self.has_expired()
    }

    #[inline]
    pub(crate) fn count_hit(&self) {
        self.count_hits(1);
    }

    pub(crate) fn count_hits(&self, hits: u64) {
        self.hits.fetch_add(hits, Ordering::Relaxed);
    }

    /// What was about to be a hit is none. It may be taken off before it was added.
    pub(crate) fn uncount_hit(&self) {
        self.hits.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits
            .load(Ordering::Relaxed)
            .cast_signed()
            .max(0)
            .cast_unsigned()
    }

    /// Ends it. Where leases do not tell who uses the resource, they are short, and a shutdown waits
    /// for the last of them: it is counted on the side given.
    pub(crate) fn end(&self, cause: Cause, leaving: Option<Side>) {
        let place = LEAVING.iter().find(|it| Some(it.0) == leaving);
        let ended = cause as u8 | place.map_or(0, |it| it.1);
        let before = self.ended.swap(ended, Ordering::AcqRel);
        debug_assert_eq!(before, LIVE, "an entry ends once");
        self.retire_hits();
    }

    /// Hands the hits over to the function's figures: those of entries that have ended are not
    /// asked for one by one.
    fn retire_hits(&self) {
        let hits = self.hits.swap(0, Ordering::Relaxed);
        self.shared.counters.retire_hits(hits);
    }

    /// What was written to `ended` last, by whichever thread.
    fn last_word(&self) -> u8 {
        self.ended.fetch_or(0, Ordering::AcqRel)
    }

    /// Notes that the engine is to be told when the last lease is gone.
    pub(crate) fn lend(&self) {
        self.ended.fetch_or(LENT, Ordering::AcqRel);
    }
}

impl<V: Resource> Drop for Entry<V> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else {
            return;
        };
        let ended = self.last_word();
        if ended != LIVE && ended & LENT != 0 {
            self.shared.engine.core().drains.returned(self);
        }
        // A live entry that nobody holds was never handed to its cache.
        let cause = Cause::from_number(ended & CAUSE).unwrap_or(Cause::Orphaned);
        let leaving = LEAVING.iter().find(|it| ended != LIVE && ended & it.1 != 0);
        self.retire_hits();
        Draining {
            shared: Arc::clone(&self.shared),
            value,
            cause,
            built_at: self.built_at,
            leaving: leaving.map(|it| it.0),
        }
        .begin();
    }
}

/// A resource in a caller's hands: it is not released before the last lease of it is gone.
///
/// ```
/// # use tenure::{Encoder, Engine, Function, Settings};
/// # let engine = Engine::new();
/// # let pools = Function::<String, std::convert::Infallible>::plain(&engine, "pool", Settings::default()).unwrap();
/// # let key = Encoder::new();
/// let lease = pools.get_or_build(&key.finish(), || Ok("a pool".to_owned())).unwrap();
/// assert_eq!(lease.len(), 6); // derefs to the resource
/// ```
pub struct Lease<V: Resource>(Counted<Entry<V>>);

impl<V: Resource> Lease<V> {
    #[inline]
    pub(crate) fn new(entry: Counted<Entry<V>>) -> Self {
        Self(entry)
    }

    #[inline]
    pub(crate) fn entry(&self) -> &Counted<Entry<V>> {
        &self.0
    }

    /// What the build put out, if anything, for the host to put out again.
    #[must_use]
    pub fn recording(&self) -> Option<&Recording> {
        self.0.recording()
    }

    /// Whether two leases are of one entry.
    #[must_use]
    pub fn same_entry(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl<V: Resource> Clone for Lease<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: Resource> Deref for Lease<V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        self.0.value()
    }
}

impl<V: fmt::Debug + Send + Sync + 'static> fmt::Debug for Lease<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&**self).finish()
    }
}

/// What the last drop of a reference count orders is unseen by a model checker: here it is told.
#[cfg(loom)]
impl<V: Resource> Drop for Lease<V> {
    fn drop(&mut self) {
        self.0.last_word();
    }
}
