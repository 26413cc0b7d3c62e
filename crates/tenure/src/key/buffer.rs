//! A byte buffer that starts inside its owner and moves to the heap when it outgrows that.
//!
//! Encoding a key is a few short writes; a general small vector spends more on each than the
//! write costs. Here each write is one comparison and one copy.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

/// How many bytes need no allocation. A little above what a key keeps byte for byte, because
/// lists and dicts of moderate length pass through here on every call.
const ROOM: usize = 1000;

/// The `len` of a buffer whose bytes are on the heap: no write fits beside it.
const SPILLED: usize = ROOM + 1;

/// How much room on the heap a buffer that is cleared keeps.
const KEEP_MAX: usize = 1 << 16;

/// Invariant: `len <= ROOM`, and the first `len` bytes of `inline` are initialised and `spill` is
/// empty; or `len == SPILLED`, and `spill` holds the bytes.
pub(super) struct Buffer {
    len: usize,
    spill: Vec<u8>,
    inline: [MaybeUninit<u8>; ROOM],
}

impl Buffer {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            len: 0,
            spill: Vec::new(),
            inline: [const { MaybeUninit::uninit() }; ROOM],
        }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        if self.len <= ROOM {
            // SAFETY: the first `len` bytes are initialised.
            unsafe { std::slice::from_raw_parts(self.inline.as_ptr().cast(), self.len) }
        } else {
            &self.spill
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        if self.len <= ROOM {
            self.len
        } else {
            self.spill.len()
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.len = 0;
        if self.spill.capacity() > KEEP_MAX {
            self.spill = Vec::new();
        } else {
            self.spill.clear();
        }
    }

    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        if self.len <= ROOM {
            self.len = self.len.min(len);
        } else {
            self.spill.truncate(len);
        }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.len + bytes.len() <= ROOM {
            // SAFETY: the buffer has room for them behind `len`, and is not what they lie in.
            unsafe { copy(bytes, self.inline.as_mut_ptr().add(self.len).cast()) };
            self.len += bytes.len();
        } else {
            self.extend_spilled(&[], bytes);
        }
    }

    /// Adds a head of two bytes and what follows it, as one write.
    #[inline]
    pub(super) fn extend_with_head(&mut self, head: [u8; 2], bytes: &[u8]) {
        if self.len + 2 + bytes.len() <= ROOM {
            // SAFETY: the buffer has room for both behind `len`, and is not what they lie in.
            unsafe {
                let at = self.inline.as_mut_ptr().add(self.len).cast::<u8>();
                at.cast::<[u8; 2]>().write(head);
                copy(bytes, at.add(2));
            }
            self.len += 2 + bytes.len();
        } else {
            self.extend_spilled(&head, bytes);
        }
    }

    #[cold]
    fn extend_spilled(&mut self, head: &[u8], bytes: &[u8]) {
        if self.len <= ROOM {
            let mut spill = std::mem::take(&mut self.spill);
            spill.reserve((self.len + head.len() + bytes.len()).max(4 * ROOM));
            spill.extend_from_slice(self.as_slice());
            self.spill = spill;
            self.len = SPILLED;
        }
        self.spill.extend_from_slice(head);
        self.spill.extend_from_slice(bytes);
    }
}

/// Copies some bytes; short ones without a call.
///
/// # Safety
///
/// `to` must have room for them, apart from where they lie.
#[inline]
unsafe fn copy(bytes: &[u8], to: *mut u8) {
    let (from, len) = (bytes.as_ptr(), bytes.len());
    // SAFETY: every copy stays within `len` bytes; where two pieces cover a length that is not
    // twice theirs, they overlap and write the same bytes.
    unsafe {
        match len {
            0 => {}
            1..4 => {
                *to = *from;
                *to.add(len / 2) = *from.add(len / 2);
                *to.add(len - 1) = *from.add(len - 1);
            }
            4..8 => ends::<4>(from, to, len),
            8..16 => ends::<8>(from, to, len),
            16..=32 => ends::<16>(from, to, len),
            _ => ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// Copies the first and the last `N` of `len` bytes.
///
/// # Safety
///
/// `from` and `to` must have `len` bytes, and `N <= len`.
#[inline]
unsafe fn ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: both pieces lie within `len` bytes, and arrays of bytes need no alignment.
    unsafe {
        let first = from.cast::<[u8; N]>().read();
        let last = from.add(len - N).cast::<[u8; N]>().read();
        to.cast::<[u8; N]>().write(first);
        to.add(len - N).cast::<[u8; N]>().write(last);
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut clone = Self::new();
        clone.extend(self.as_slice());
        clone
    }
}
