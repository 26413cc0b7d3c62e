//! The entries that are asked for most, found without a lock.
//!
//! Small tables in front of a cache. A slot that names an entry owns references to it, set aside
//! beforehand. A reader takes one of them out by a single exchange of the slot's word, and puts it
//! back by another one when its lease ends; the entry itself is only read. The threads of a
//! program that has met a rival at a slot each have a table of their own, so that two of them that
//! want one entry write to different places.
//!
//! A word holds, from the top: how many references may still be taken out, how many were put back,
//! and where the entry stands.
//!
//! Invariants
//! 1. Slots are filled and emptied under the lock of the function's global cache, and name only
//!    entries of that cache. Readers do nothing but change the two numbers.
//! 2. A slot owns as many references as its two numbers say together. Who takes one out owns it:
//!    the exchange succeeds only where the word still names the entry and has one left.
//! 3. Whoever puts a reference back owned it, and touches neither the entry nor the slot after
//!    that: the slot's owner may be gone by then.
//! 4. An entry leaves its slots before it leaves the cache. A reader who was faster has found it
//!    while it was there.
//! 5. Each reference that was taken out is one hit. They are added up when the slot is filled again
//!    or emptied, so that counting costs a hit nothing.
//!
//! Why an address and not an index? The reader must reach the entry before it knows whether the
//! entry is the one that it looks for, and a second table would have to be read without a lock too.
//! An address that does not fit is not offered, and is found under the lock.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::ground::counted::{ALIGNMENT, Counted};
use crate::ground::sync::{AtomicU64, Once, Ordering, thread_number};
use crate::key::{Key, KeyRef};

/// How many slots a table has, beside the one for calls without arguments.
const SLOTS: usize = if cfg!(any(loom, miri)) { 1 } else { 64 };

/// How many tables there are once two threads have met.
const TABLES: usize = if cfg!(any(loom, shuttle, miri)) {
    2
} else {
    16
};

/// A slot that is taken is given to another entry at one of so many hits that miss it.
const PATIENCE: u32 = if cfg!(any(loom, shuttle, miri)) { 2 } else { 8 };

/// How many references are set aside at once.
const FULL: u64 = if cfg!(any(loom, shuttle, miri)) {
    2
} else {
    PUT_BACK
};

const NUMBER_BITS: u32 = 9;
const ADDRESS_BITS: u32 = 64 - 2 * NUMBER_BITS;
/// One reference that was put back, and the most that can be.
const BACK: u64 = 1 << ADDRESS_BITS;
const PUT_BACK: u64 = (1 << NUMBER_BITS) - 1;
/// One reference that may be taken out. What is above everything else needs no mask.
const ONE: u64 = BACK << NUMBER_BITS;
const ADDRESS: u64 = BACK - 1;

/// How often a reader tries to take a reference out while others do.
const TRIES: u32 = 8;

/// An entry, as far as a hit needs it.
pub(crate) trait Sought {
    fn key(&self) -> &Key;
    /// Whether a call may have it without a closer look; it counts as asked for.
    fn is_at_hand(&self) -> bool;
    fn count_hits(&self, hits: u64);
    /// Takes one hit back: what was about to be one is none.
    fn uncount_hit(&self);
}

/// A reference that was taken out of a slot, and goes back there when it is dropped.
pub(crate) trait FromSlot {
    type Entry: Sought;

    /// # Safety
    /// The entry was taken out of this slot.
    unsafe fn out_of(slot: &HotSlot, entry: Counted<Self::Entry>) -> Self;

    fn entry(&self) -> &Counted<Self::Entry>;
}

/// The tables of one function's global cache.
pub(crate) struct Hot {
    first: Table,
    /// Made when two threads have met at a slot; from then on, none of them uses the first.
    others: Others,
}

type Others = Once<Box<[Table; TABLES]>>;

/// The part that the cache's lock guards.
#[derive(Default)]
pub(crate) struct Turns(u32);

/// Apart from what others write to, by the size of what processors fetch at once.
#[derive(Default)]
#[repr(align(128))]
struct Table {
    /// For the empty key, which all calls of a function without arguments have.
    only: HotSlot,
    slots: Once<Box<[HotSlot; SLOTS]>>,
}

#[derive(Default)]
pub(crate) struct HotSlot {
    /// The hash of the entry's key. Only a hint.
    hash: AtomicU64,
    word: AtomicU64,
}

impl Hot {
    pub(crate) fn new() -> Self {
        Self {
            first: Table::default(),
            others: Once::new(),
        }
    }

    /// The table in which this thread looks.
    #[inline(always)]
    fn table(&self) -> &Table {
        match self.others.get() {
            None => &self.first,
            // Any of them will do; two threads are best given two.
            Some(others) => &others[thread_number().unwrap_or(0) % TABLES],
        }
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        let others = self.others.get().into_iter().flat_map(|it| it.iter());
        std::iter::once(&self.first).chain(others)
    }

    /// Finds an entry that is at hand, and counts the hit.
    ///
    /// # Safety
    /// All entries that were ever offered are of this type.
    #[inline(always)]
    pub(crate) unsafe fn get<L: FromSlot>(&self, key: &KeyRef<'_>) -> Option<L> {
        let table = self.table();
        // Without arguments this is known when the call is compiled, and nothing is compared.
        let is_empty = key.is_empty();
        let slot = if is_empty {
            &table.only
        } else {
            let slot = &table.slots.get()?[key.hash() as usize % SLOTS];
            if slot.hash.load(Ordering::Relaxed) != key.hash() {
                return None;
            }
            slot
        };
        // SAFETY: as the caller promises.
        let entry: Counted<L::Entry> = unsafe { slot.take(&self.others)? };
        // SAFETY: the reference was taken out of this slot.
        let taken = unsafe { L::out_of(slot, entry) };
        if (is_empty || key.matches(taken.entry().key())) && taken.entry().is_at_hand() {
            Some(taken)
        } else {
            missed(&taken)
        }
    }

    /// Has later calls of this thread find the entry here. Under the cache's lock.
    pub(crate) fn offer<T: Sought>(&self, turns: &mut Turns, key: &KeyRef<'_>, entry: &Counted<T>) {
        let address = entry.expose() as u64 / ALIGNMENT as u64;
        // A word has no room for it.
        if address & !ADDRESS != 0 {
            return;
        }
        let slot = self.table().slot_to_fill(key);
        let named = slot.word.load(Ordering::Acquire) & ADDRESS;
        // Two entries that took the slot from each other at each call would make every hit slow.
        if named != 0 && named != address {
            turns.0 = turns.0.wrapping_add(1);
            if !turns.0.is_multiple_of(PATIENCE) {
                return;
            }
        }
        slot.clear::<T>();
        // Before the word names them: from then on readers take them.
        entry.set_aside(FULL);
        slot.hash.store(key.hash(), Ordering::Relaxed);
        slot.word.store((FULL * ONE) | address, Ordering::Release);
    }

    /// The entry is about to leave the cache. Under the cache's lock.
    pub(crate) fn forget<T: Sought>(&self, key: &KeyRef<'_>, entry: &Counted<T>) {
        for table in self.tables() {
            if let Some(slot) = table.slot(key)
                && slot.names(entry)
            {
                slot.clear::<T>();
            }
        }
    }

    /// Empties every slot, so that all hits are counted. Under the cache's lock.
    pub(crate) fn clear<T: Sought>(&self) {
        for table in self.tables() {
            table.only.clear::<T>();
            for slot in table.slots.get().into_iter().flat_map(|it| it.iter()) {
                slot.clear::<T>();
            }
        }
    }
}

impl Table {
    fn slot(&self, key: &KeyRef<'_>) -> Option<&HotSlot> {
        if key.is_empty() {
            Some(&self.only)
        } else {
            Some(&self.slots.get()?[key.hash() as usize % SLOTS])
        }
    }

    fn slot_to_fill(&self, key: &KeyRef<'_>) -> &HotSlot {
        if !key.is_empty() {
            self.slots
                .get_or_init(|| Box::new(std::array::from_fn(|_| HotSlot::default())));
        }
        self.slot(key).expect("the slots are there")
    }
}

/// A miss: what was taken out of a slot is not what was looked for.
#[cold]
fn missed<L: FromSlot>(taken: &L) -> Option<L> {
    taken.entry().uncount_hit();
    None
}

/// Where the entry stands, as words say it.
#[inline]
fn address<T>(entry: &Counted<T>) -> u64 {
    (entry.address() / ALIGNMENT) as u64
}

impl HotSlot {
    fn names<T: Sought>(&self, entry: &Counted<T>) -> bool {
        self.word.load(Ordering::Relaxed) & ADDRESS == address(entry)
    }

    /// Takes one reference out.
    ///
    /// # Safety
    /// Every entry that the slot was ever filled with is of this type.
    #[inline(always)]
    unsafe fn take<T: Sought>(&self, others: &Others) -> Option<Counted<T>> {
        let word = self.word.load(Ordering::Acquire);
        if word < ONE {
            return None;
        }
        let word = match self.lower(word) {
            Ok(word) => word,
            Err(newer) => self.take_beside(newer, others)?,
        };
        // SAFETY: the slot owned a reference to the entry at this address, and does not own it any
        // more.
        Some(unsafe { Counted::from_address((word & ADDRESS) as usize * ALIGNMENT) })
    }

    #[inline(always)]
    fn lower(&self, word: u64) -> Result<u64, u64> {
        let (taken, unless) = (Ordering::Acquire, Ordering::Acquire);
        self.word.compare_exchange(word, word - ONE, taken, unless)
    }

    /// Takes one reference out while another thread changes the word. From now on the two part.
    #[cold]
    #[inline(never)]
    fn take_beside(&self, mut word: u64, others: &Others) -> Option<u64> {
        others.get_or_init(|| Box::new(std::array::from_fn(|_| Table::default())));
        // Whoever loses so often finds the entry under the lock.
        for _ in 0..TRIES {
            if word < ONE {
                return None;
            }
            match self.lower(word) {
                Ok(word) => return Some(word),
                Err(newer) => word = newer,
            }
        }
        None
    }

    /// Puts a reference back that was taken out, if the slot still names its entry. With `true`,
    /// the slot owns it.
    #[inline(always)]
    pub(crate) fn put_back<T>(slot: NonNull<Self>, entry: &Counted<T>) -> bool {
        let address = address(entry);
        // SAFETY: the entry, of which the caller holds a reference, keeps its function's slots.
        let mut word = unsafe { slot.as_ref() }.word.load(Ordering::Relaxed);
        loop {
            // It names another entry by now, or has taken back as many as the number holds.
            if word & ADDRESS != address || (word / BACK) & PUT_BACK == PUT_BACK {
                return false;
            }
            // SAFETY: as above. What an atomic does to itself is the last that is done to it.
            let put = unsafe { slot.as_ref() }.word.compare_exchange_weak(
                word,
                word + BACK,
                Ordering::Release,
                Ordering::Relaxed,
            );
            match put {
                Ok(_) => return true,
                Err(newer) => word = newer,
            }
        }
    }

    /// Gives back what the slot owns, and counts what was taken out. The cache holds the entry.
    fn clear<T: Sought>(&self) {
        let word = self.word.swap(0, Ordering::AcqRel);
        let address = (word & ADDRESS) as usize * ALIGNMENT;
        if address == 0 {
            return;
        }
        let left = word / ONE;
        let back = (word / BACK) & PUT_BACK;
        // SAFETY: the slot names only entries that the cache holds, so this one is there. It is
        // looked at without owning a reference, and so must not be dropped.
        let entry = ManuallyDrop::new(unsafe { Counted::<T>::from_address(address) });
        entry.count_hits(FULL - left);
        entry.take_back(left + back);
    }
}
