//! The entries that are asked for most, found without a lock.
//!
//! A small table in front of a cache. A slot that names an entry owns references to it, set aside
//! beforehand. A reader takes one of them out by a single exchange of the slot's word, which holds
//! the entry's address and the number of references left together.
//!
//! Invariants
//! 1. Slots are filled and emptied under the cache's lock, and name only entries of that cache.
//!    Readers do nothing but lower a number.
//! 2. A slot owns as many references as its word says. Who takes one out owns it: the exchange
//!    succeeds only where the word still names the entry and has one left.
//! 3. An entry leaves its slot before it leaves the cache. A reader who was faster has found it
//!    while it was there.
//! 4. Each reference that was taken out is one hit. They are added up when the slot is filled again
//!    or emptied, so that counting costs a hit nothing.
//!
//! Why an address and not an index? The reader must reach the entry before it knows whether the
//! entry is the one that it looks for, and a second table would have to be read without a lock too.
#![allow(unsafe_code)]

use std::marker::PhantomData;

use crate::bounds::Resource;
use crate::counted::Counted;
use crate::entry::{Entry, Lease};
use crate::key::KeyRef;
use crate::sync::{AtomicU64, OnceLock, Ordering};

/// How many slots a cache has once it had its first hit.
const SLOTS: usize = 64;

/// A slot that is taken is given to another entry at one of so many hits that miss it.
const PATIENCE: u32 = 8;

/// How many references are set aside at once, in the upper part of a word.
const FULL: u64 = 0xffff;
const ONE: u64 = 1 << ADDRESS_BITS;
const ADDRESS_BITS: u32 = 48;
const ADDRESS: u64 = ONE - 1;

/// How often a reader tries to take a reference out while others do.
const TRIES: u32 = 8;

pub(crate) struct Hot<V: Resource> {
    /// For the empty key, which all calls of a function without arguments have.
    only: Slot,
    slots: OnceLock<Box<[Slot; SLOTS]>>,
    _holds: PhantomData<Entry<V>>,
}

/// The part of the table that the cache's lock guards.
#[derive(Default)]
pub(crate) struct Turns(u32);

#[derive(Default)]
struct Slot {
    /// The hash of the entry's key. Only a hint.
    hash: AtomicU64,
    word: AtomicU64,
}

impl<V: Resource> Hot<V> {
    pub(crate) fn new() -> Self {
        Self {
            only: Slot::default(),
            slots: OnceLock::new(),
            _holds: PhantomData,
        }
    }

    fn slot(&self, key: &KeyRef<'_>) -> Option<(&Slot, u64)> {
        if key.is_empty() {
            return Some((&self.only, 0));
        }
        let hash = key.hash();
        Some((&self.slots.get()?[hash as usize % SLOTS], hash))
    }

    /// Finds an entry that has not expired, and counts the hit.
    #[inline]
    pub(crate) fn get(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        if key.is_empty() {
            let entry: Lease<V> = Lease::new(self.only.take()?);
            return if entry.entry().has_expired() {
                missed(&entry)
            } else {
                Some(entry)
            };
        }
        let hash = key.hash();
        let slot = &self.slots.get()?[hash as usize % SLOTS];
        if slot.hash.load(Ordering::Relaxed) != hash {
            return None;
        }
        let entry: Lease<V> = Lease::new(slot.take()?);
        if key.matches(entry.entry().key()) && !entry.entry().has_expired() {
            Some(entry)
        } else {
            missed(&entry)
        }
    }

    /// Has later calls find the entry here. Under the cache's lock.
    pub(crate) fn offer(&self, turns: &mut Turns, key: &KeyRef<'_>, entry: &Lease<V>) {
        if !key.is_empty() {
            self.slots
                .get_or_init(|| Box::new(std::array::from_fn(|_| Slot::default())));
        }
        let Some((slot, hash)) = self.slot(key) else {
            return;
        };
        let address = entry.entry().address() as u64;
        if address & !ADDRESS != 0 {
            return;
        }
        let named = slot.word.load(Ordering::Acquire) & ADDRESS;
        if named != 0 && named != address {
            turns.0 = turns.0.wrapping_add(1);
            if !turns.0.is_multiple_of(PATIENCE) {
                return;
            }
        }
        slot.clear::<V>();
        entry.entry().set_aside(FULL);
        slot.hash.store(hash, Ordering::Relaxed);
        slot.word
            .store(FULL << ADDRESS_BITS | address, Ordering::Release);
    }

    /// The entry is about to leave the cache. Under the cache's lock.
    pub(crate) fn forget(&self, entry: &Lease<V>) {
        let key = entry.entry().key().as_key();
        if let Some((slot, _)) = self.slot(&key)
            && slot.word.load(Ordering::Relaxed) & ADDRESS == entry.entry().address() as u64
        {
            slot.clear::<V>();
        }
    }

    /// Empties every slot, so that all hits are counted. Under the cache's lock.
    pub(crate) fn clear(&self) {
        self.only.clear::<V>();
        for slot in self.slots.get().into_iter().flat_map(|it| it.iter()) {
            slot.clear::<V>();
        }
    }
}

/// What was taken out of a slot is not what was looked for.
#[cold]
fn missed<V: Resource>(entry: &Lease<V>) -> Option<Lease<V>> {
    entry.entry().uncount_hit();
    None
}

impl Slot {
    /// Takes one reference out.
    #[inline]
    fn take<V: Resource>(&self) -> Option<Counted<Entry<V>>> {
        let mut word = self.word.load(Ordering::Acquire);
        for _ in 0..TRIES {
            if word < ONE {
                return None;
            }
            let taken = self.word.compare_exchange_weak(
                word,
                word - ONE,
                Ordering::Acquire,
                Ordering::Acquire,
            );
            match taken {
                // SAFETY: the slot owned a reference to the entry at this address, of the type of
                // all entries of its cache, and does not own it any more.
                Ok(_) => return Some(unsafe { Counted::from_address((word & ADDRESS) as usize) }),
                Err(newer) => word = newer,
            }
        }
        None
    }

    /// Gives back what the slot owns, and counts what was taken out. The cache holds the entry.
    fn clear<V: Resource>(&self) {
        let word = self.word.swap(0, Ordering::AcqRel);
        let address = word & ADDRESS;
        if address == 0 {
            return;
        }
        let left = word >> ADDRESS_BITS;
        // SAFETY: the slot names only entries that the cache holds, so this one is there. It is
        // looked at without owning a reference, and so must not be dropped.
        let entry = std::mem::ManuallyDrop::new(unsafe {
            Counted::<Entry<V>>::from_address(address as usize)
        });
        entry.count_hits(FULL - left);
        entry.take_back(left);
    }
}
