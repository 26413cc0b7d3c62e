//! An entry: one resource under one key.
//!
//! Invariants
//! 1. The value is there until the last reference drops, and is taken out once, by that drop.
//! 2. `ended` is written by whoever took the entry out of its cache, before it lets go of it.
//! 3. The last reference never drops under a lock: what takes entries out hands them on.
//! 4. An entry knows its cache and does not keep it.

use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::counted::Counted;
use crate::ground::sync::{Arc, AtomicU8, Figure, Ordering, Weak};
use crate::ground::underway::Side;
use crate::host::record::{Observed, Recording};
use crate::key::Key;
use crate::life::aging::term::Term;
use crate::life::core::{Core, Departed};
use crate::life::hot::Sought;
use crate::life::tagged::Tagged;
use crate::words::cause::Cause;
use crate::words::tags::Tags;

const LIVE: u8 = u8::MAX;

/// Beside the cause: the drains are to be told of the last lease.
const LENT: u8 = 0x40;

/// Beside the cause: where the release is counted as one that a shutdown waits for.
const LEAVING: [(Side, u8); 2] = [(Side::Even, 0x10), (Side::Odd, 0x20)];

/// The part that is the cause.
const CAUSE: u8 = 0x0f;

/// A reference to an entry, as caches and leases have one.
pub(crate) type EntryRef<V> = Counted<Entry<V>>;

/// The cache that entries are kept in.
pub(crate) trait Home<V>: Send + Sync {
    /// Takes out this very entry, if it is still there, and lets go of the caller's lease.
    fn discard(&self, entry: EntryRef<V>, cause: Cause);
}

/// Who the entries of a cache belong to, which all of them share.
pub(crate) struct Owner<V> {
    pub(super) core: Arc<Core<V>>,
    /// Gone with all that it kept.
    pub(super) cache: Weak<dyn Home<V>>,
}

pub(crate) struct Entry<V> {
    key: Key,
    value: Option<V>,
    /// A time that no other entry of the engine has: the order of builds.
    built_at: Nanos,
    /// When a call has to look closer, and when it was last asked for; see `term.rs`.
    pub(super) due: Figure,
    pub(super) used_at: Figure,
    hits: Figure,
    extra: Option<Box<Extra<V>>>,
    owner: Arc<Owner<V>>,
    /// How long its build took, in seconds.
    took: f32,
    ended: AtomicU8,
}

/// Has a successor of the entry built; whether that is being done.
pub(crate) type Renewal<V> = Arc<dyn Fn(&EntryRef<V>) -> bool + Send + Sync>;

/// The part of a build that an entry keeps beside the resource.
pub(crate) struct Extra<V> {
    /// The elements that the build put out, and the inputs that it observed.
    pub(crate) recording: Option<Recording>,
    /// The call's own key, where observed inputs complete it.
    pub(crate) call: Option<Key>,
    /// The arguments, where they are to be shown.
    pub(crate) arguments: Option<Arc<str>>,
    /// Where entries have one.
    pub(crate) term: Option<Term>,
    pub(crate) weight: u64,
    /// Has a successor built, where the engine does that by itself.
    pub(crate) renewal: Option<Renewal<V>>,
    /// Where the entry carries tags of its own.
    pub(crate) tagged: Option<Arc<Tagged>>,
    /// Whether the resource is that of a parent process, which releases it.
    pub(crate) inherited: bool,
}

impl<V> Default for Extra<V> {
    fn default() -> Self {
        Self {
            recording: None,
            call: None,
            arguments: None,
            term: None,
            weight: 0,
            renewal: None,
            tagged: None,
            inherited: false,
        }
    }
}

impl<V> Extra<V> {
    /// In a box, where there is something.
    fn boxed(self) -> Option<Box<Self>> {
        let is_plain = self.recording.is_none()
            && self.arguments.is_none()
            && self.term.is_none()
            && self.weight == 0
            && self.renewal.is_none()
            && self.tagged.is_none()
            && !self.inherited;
        (!is_plain).then(|| Box::new(self))
    }
}

/// The result of a build, with its arguments as text, where they are to be shown.
#[derive(Clone, Debug)]
pub struct Built<T> {
    /// The result.
    pub value: T,
    /// Its arguments.
    pub arguments: Option<Arc<str>>,
}

impl<T> Built<T> {
    /// Builds by a function whose arguments are shown.
    #[inline]
    pub fn of(arguments: Arc<str>, build: impl FnOnce() -> T) -> Self {
        Self {
            value: build(),
            arguments: Some(arguments),
        }
    }

    /// Builds by an async function whose arguments are shown.
    #[inline]
    pub async fn of_async(arguments: Arc<str>, build: impl Future<Output = T>) -> Self {
        Self {
            value: build.await,
            arguments: Some(arguments),
        }
    }
}

impl<T> From<T> for Built<T> {
    fn from(value: T) -> Self {
        Self {
            value,
            arguments: None,
        }
    }
}

impl<T, F> Built<Result<T, F>> {
    pub(crate) fn transpose(self) -> Result<Built<T>, F> {
        let Self { value, arguments } = self;
        value.map(|value| Built { value, arguments })
    }
}

impl<V> Entry<V> {
    pub(crate) fn new(
        key: Key,
        value: V,
        built_at: Nanos,
        took: Duration,
        extra: Extra<V>,
        owner: Arc<Owner<V>>,
    ) -> Self {
        let used_at = owner.core.services.use_stamp(built_at);
        let entry = Self {
            key,
            value: Some(value),
            built_at,
            due: Figure::new(0),
            used_at: Figure::new(used_at),
            hits: Figure::new(0),
            extra: extra.boxed(),
            owner,
            took: took.as_secs_f32(),
            ended: AtomicU8::new(LIVE),
        };
        entry.begin();
        entry
    }

    #[inline]
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    #[inline]
    pub(crate) fn value(&self) -> &V {
        self.value.as_ref().expect("the value stays until the drop")
    }

    pub(crate) fn recording(&self) -> Option<&Recording> {
        self.extra.as_deref()?.recording.as_ref()
    }

    /// The call's key and what the build observed, where that completes the key.
    pub(crate) fn observed(&self) -> Option<(&Key, &Observed)> {
        let extra = self.extra.as_deref()?;
        extra
            .call
            .as_ref()
            .zip(extra.recording.as_ref()?.observed())
    }

    /// The call's own key.
    pub(crate) fn call_key(&self) -> &Key {
        self.observed().map_or(&self.key, |(call, _)| call)
    }

    /// The hash of the call's own key.
    pub(crate) fn call_hash(&self) -> u64 {
        self.call_key().hash()
    }

    pub(crate) fn arguments(&self) -> Option<&Arc<str>> {
        self.extra.as_deref()?.arguments.as_ref()
    }

    pub(crate) fn core(&self) -> &Arc<Core<V>> {
        &self.owner.core
    }

    /// The cache, unless it has gone with all that it kept.
    pub(crate) fn home(&self) -> Option<Arc<dyn Home<V>>> {
        self.owner.cache.upgrade()
    }

    pub(crate) fn built_at(&self) -> Nanos {
        self.built_at
    }

    pub(crate) fn build_time(&self) -> Duration {
        Duration::try_from_secs_f32(self.took).unwrap_or(Duration::MAX)
    }

    pub(super) fn term(&self) -> Option<&Term> {
        self.extra.as_deref()?.term.as_ref()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.extra.as_deref().map_or(0, |extra| extra.weight)
    }

    pub(crate) fn is_inherited(&self) -> bool {
        self.extra.as_deref().is_some_and(|extra| extra.inherited)
    }

    pub(crate) fn tagged(&self) -> Option<&Arc<Tagged>> {
        self.extra.as_deref()?.tagged.as_ref()
    }

    /// The tags that it carries by itself.
    pub(crate) fn tags(&self) -> Tags {
        self.tagged()
            .map(|it| it.tags().clone())
            .unwrap_or_default()
    }

    pub(crate) fn renewal(&self) -> Option<&Renewal<V>> {
        self.extra.as_deref()?.renewal.as_ref()
    }

    /// Whether a cache holds it, and may hand it out.
    pub(crate) fn is_live(&self) -> bool {
        self.ended.load(Ordering::Acquire) == LIVE && !self.is_gone()
    }

    pub(crate) fn count_hits(&self, hits: u64) {
        // What counting costs a hit is measured against a build that does without.
        if !cfg!(tenure_uncounted) {
            self.hits.fetch_add(hits, Ordering::Relaxed);
        }
    }

    /// How many calls it has answered. One that turned out to be none may be taken off before it was
    /// added.
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
        let side = LEAVING.iter().find(|it| Some(it.0) == leaving);
        let ended = cause as u8 | side.map_or(0, |it| it.1);
        debug_assert_eq!(self.ended.load(Ordering::Relaxed), LIVE, "it ends once");
        self.ended.store(ended, Ordering::Release);
        self.core().counters.ended(cause);
        self.retire_hits();
    }

    /// Hands the hits over to the function's figures: those of entries that have ended are not
    /// asked for one by one.
    fn retire_hits(&self) {
        if self.hits.load(Ordering::Relaxed) != 0 {
            let hits = self.hits.swap(0, Ordering::Relaxed);
            self.core().counters.retire_hits(hits);
        }
    }

    /// Notes that the engine is to be told when the last lease is gone.
    pub(crate) fn lend(&self) {
        self.ended.fetch_or(LENT, Ordering::AcqRel);
    }

    /// Takes out what the last reference leaves, and whether the engine is to be told of it.
    pub(crate) fn depart(&mut self) -> Option<(Departed<V>, bool)> {
        let value = self.value.take()?;
        // Whoever wrote it had a reference, which is gone.
        let ended = self.ended.load(Ordering::Relaxed);
        let leaving = LEAVING.iter().find(|it| ended != LIVE && ended & it.1 != 0);
        self.retire_hits();
        let departed = Departed {
            inherited: self.is_inherited(),
            value,
            // A live entry that nobody holds was never handed to its cache.
            cause: Cause::from_number(ended & CAUSE).unwrap_or(Cause::Orphaned),
            built_at: self.built_at,
            weight: self.weight(),
            leaving: leaving.map(|it| it.0),
        };
        Some((departed, ended != LIVE && ended & LENT != 0))
    }
}

impl<V> Sought for Entry<V> {
    #[inline(always)]
    fn key(&self) -> &Key {
        Self::key(self)
    }

    #[inline(always)]
    fn is_at_hand(&self) -> bool {
        Self::is_at_hand(self)
    }

    fn count_hits(&self, hits: u64) {
        Self::count_hits(self, hits);
    }

    fn uncount_hit(&self) {
        self.hits.fetch_sub(1, Ordering::Relaxed);
    }
}
