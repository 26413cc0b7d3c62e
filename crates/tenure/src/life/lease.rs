//! A lease: how a caller holds a resource.
//!
//! Invariant: a lease owns one reference to its entry, until its drop, which gives it away once.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;

use crate::host::record::Recording;
use crate::life::entry::{Entry, EntryRef};
use crate::life::hot::{FromSlot, HotSlot};
use crate::words::cause::Cause;

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
///
/// Why has `V` no bound here? The types of cached functions name leases, and what cannot be kept is
/// then refused once, where such a function stands. No lease of it is ever made.
pub struct Lease<V> {
    entry: ManuallyDrop<EntryRef<V>>,
    /// The slot that the reference was taken out of, and that may take it back.
    slot: Option<NonNull<HotSlot>>,
}

// SAFETY: the entry may be used and dropped on any thread, and a slot is made of atomics.
unsafe impl<V: Send + Sync> Send for Lease<V> {}
// SAFETY: as above.
unsafe impl<V: Send + Sync> Sync for Lease<V> {}

impl<V> Lease<V> {
    #[inline]
    pub(crate) fn new(entry: EntryRef<V>) -> Self {
        Self {
            entry: ManuallyDrop::new(entry),
            slot: None,
        }
    }

    #[inline]
    pub(crate) fn entry(&self) -> &EntryRef<V> {
        &self.entry
    }

    /// The reference that it is.
    pub(crate) fn into_entry(self) -> EntryRef<V> {
        let mut lease = ManuallyDrop::new(self);
        // SAFETY: taken once, from a lease that is not dropped.
        unsafe { ManuallyDrop::take(&mut lease.entry) }
    }

    /// The recording of what the build put out, if anything, for the host to put out again.
    ///
    /// ```
    /// # use tenure::{Encoder, Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u64, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let lease = pools.get_or_build(&Encoder::new().finish(), || Ok(7)).unwrap();
    /// assert!(lease.recording().is_none()); // no host recorded anything
    /// ```
    #[must_use]
    pub fn recording(&self) -> Option<&Recording> {
        self.entry.recording()
    }

    /// Gives back a resource that was found broken: its entry ends, and the next call builds anew.
    ///
    /// It is released with cause [`Invalid`](crate::Cause::Invalid), once the other leases of it are
    /// gone too. Nothing else is touched: not what was built under the same key since, and nothing
    /// at all where the entry has ended already, so that any number of users may find out at once.
    ///
    /// ```
    /// # use tenure::{Cause, cache_resource};
    /// #[cache_resource]
    /// fn connection(host: &str) -> String {
    ///     format!("a connection to {host}")
    /// }
    ///
    /// let broken = connection("here");
    /// let other_user = connection("here");
    /// broken.discard();
    /// let fresh = connection("here"); // built anew
    /// other_user.discard(); // finds that its entry has ended
    /// assert!(connection("here").same_entry(&fresh));
    /// assert_eq!(connection::info().released(Cause::Invalid), 1);
    /// ```
    pub fn discard(self) {
        let home = self.entry.home();
        let entry = self.into_entry();
        if let Some(home) = home {
            home.discard(entry, Cause::Invalid);
        }
    }

    /// Whether two leases are of one entry.
    ///
    /// ```
    /// # use tenure::cache_resource;
    /// #[cache_resource]
    /// fn pool(shard: u32) -> String {
    ///     format!("pool {shard}")
    /// }
    ///
    /// assert!(pool(1).same_entry(&pool(1)));
    /// assert!(!pool(1).same_entry(&pool(2)));
    /// ```
    #[must_use]
    pub fn same_entry(&self, other: &Self) -> bool {
        self.entry.ptr_eq(&other.entry)
    }
}

impl<V> FromSlot for Lease<V> {
    type Entry = Entry<V>;

    #[inline(always)]
    unsafe fn out_of(slot: &HotSlot, entry: EntryRef<V>) -> Self {
        Self {
            entry: ManuallyDrop::new(entry),
            slot: Some(NonNull::from(slot)),
        }
    }

    #[inline(always)]
    fn entry(&self) -> &EntryRef<V> {
        Self::entry(self)
    }
}

impl<V> Drop for Lease<V> {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.slot
            && HotSlot::put_back(slot, &self.entry)
        {
            return;
        }
        // SAFETY: dropped here and nowhere else; the slot did not take the reference.
        unsafe { ManuallyDrop::drop(&mut self.entry) }
    }
}

impl<V> Clone for Lease<V> {
    fn clone(&self) -> Self {
        Self::new(EntryRef::clone(&self.entry))
    }
}

impl<V> Deref for Lease<V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        self.entry.value()
    }
}

impl<V> AsRef<V> for Lease<V> {
    #[inline]
    fn as_ref(&self) -> &V {
        self
    }
}

impl<V: fmt::Debug> fmt::Debug for Lease<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&**self).finish()
    }
}

impl<V: fmt::Display> fmt::Display for Lease<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

// What a lease has beside the resource is the engine's, which no panic leaves half changed: user
// code never runs while it is.
impl<V: RefUnwindSafe> UnwindSafe for Lease<V> {}
impl<V: RefUnwindSafe> RefUnwindSafe for Lease<V> {}
