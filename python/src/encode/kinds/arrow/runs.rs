//! Runs of values of Arrow columns, put into streams: in place where they can be, lengths for
//! offsets, zeros for what lies under a null.
#![allow(unsafe_code)]

use super::bits::Mask;
use super::c_data::Array;
use crate::encode::stream::Stream;

/// How many items are put into a stream at once.
pub(super) const STEP: usize = 512;
/// Where the values of a column of any length begin.
pub(super) struct Offsets {
    pub(super) data: *const u8,
    pub(super) wide: bool,
}

impl Offsets {
    #[inline]
    pub(super) unsafe fn get(&self, at: usize) -> usize {
        if self.data.is_null() {
            return 0;
        }
        // SAFETY: the caller vouches that there is an offset at this place.
        unsafe {
            if self.wide {
                self.data.cast::<i64>().add(at).read_unaligned() as usize
            } else {
                self.data.cast::<i32>().add(at).read_unaligned() as usize
            }
        }
    }

    /// Adds the lengths of `count` values from `from` on.
    pub(super) unsafe fn push_lens(&self, lens: &mut Stream, from: usize, count: usize) {
        let mut at = from;
        while at < from + count {
            let step = STEP.min(from + count - at);
            lens.fill(step * 8, |room| {
                let (room, _) = room.as_chunks_mut::<8>();
                // SAFETY: the caller vouches that there is one offset more than values.
                let mut begin = unsafe { self.get(at) };
                for (i, len) in room.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let end = unsafe { self.get(at + i + 1) };
                    *len = ((end - begin) as u64).to_le_bytes();
                    begin = end;
                }
            });
            at += step;
        }
    }
}

/// Adds items of one size, with zeros for those under a null.
pub(super) unsafe fn fixed(
    data: &mut Stream,
    items: *const u8,
    size: usize,
    start: usize,
    len: usize,
    mask: Option<&Mask>,
) {
    if size == 0 {
        return;
    }
    let items = items.wrapping_add(start * size);
    let Some(mask) = mask else {
        // SAFETY: the caller vouches for the items.
        data.push(unsafe { std::slice::from_raw_parts(items, len * size) });
        return;
    };
    for (at, valid) in mask.words() {
        let count = (len - at).min(64);
        data.fill(count * size, |room| {
            // SAFETY: as above, and the room is as large.
            unsafe {
                std::ptr::copy_nonoverlapping(
                    items.add(at * size),
                    room.as_mut_ptr(),
                    count * size,
                );
            }
            let mut nulls = !valid & (u64::MAX >> (64 - count));
            while nulls != 0 {
                let i = nulls.trailing_zeros() as usize;
                room[i * size..(i + 1) * size].fill(0);
                nulls &= nulls - 1;
            }
        });
    }
}

/// Adds views of 16 bytes. Short values stand in their views; of long ones the length counts and
/// what they refer to.
pub(super) unsafe fn push_views(
    views: &mut Stream,
    data: &mut Stream,
    array: &Array,
    start: usize,
    len: usize,
    mask: Option<&Mask>,
) {
    let first = array.buffer(1).cast::<[u8; 16]>().wrapping_add(start);
    for at in (0..len).step_by(VIEWS) {
        let count = VIEWS.min(len - at);
        if mask.is_none() {
            // SAFETY: the caller vouches for `len` views.
            let run = unsafe { std::slice::from_raw_parts(first.add(at), count) };
            if all_inline(run) {
                views.push(run.as_flattened());
                continue;
            }
        }
        views.fill(count * 16, |room| {
            let (room, _) = room.as_chunks_mut::<16>();
            for (i, out) in room.iter_mut().enumerate() {
                if mask.is_some_and(|mask| !mask.get(at + i)) {
                    continue;
                }
                // SAFETY: the caller vouches for `len` views; a long one says which of the
                // buffers behind the first two it refers to, and where.
                unsafe {
                    let view = u128::from_le_bytes(first.add(at + i).read_unaligned());
                    let len = view as u32;
                    if len <= INLINE {
                        // What lies behind a short value need not be zero.
                        let unused = 96 - 8 * len;
                        *out = (view << unused >> unused).to_le_bytes();
                    } else {
                        let buffer = (view >> 64) as u32 as usize;
                        let offset = (view >> 96) as u32 as usize;
                        data.push(std::slice::from_raw_parts(
                            array.buffer(2 + buffer).add(offset),
                            len as usize,
                        ));
                        *out = u128::from(len).to_le_bytes();
                    }
                }
            }
        });
    }
}

/// Values up to this length stand in their views.
const INLINE: u32 = 12;

/// How many views are looked at together: so many that they are digested where they lie.
const VIEWS: usize = 1 << 12;

/// Whether the values of all views stand in them, with zeros behind.
fn all_inline(views: &[[u8; 16]]) -> bool {
    /// The mask of the bytes that lie behind a value of each length.
    const BEHIND: [u128; INLINE as usize + 1] = {
        let mut behind = [0; INLINE as usize + 1];
        let mut len = 0;
        while len < INLINE as usize {
            behind[len] = u128::MAX << (32 + 8 * len);
            len += 1;
        }
        behind
    };
    let mut found = 0;
    for view in views {
        let view = u128::from_le_bytes(*view);
        let Some(behind) = BEHIND.get(view as u32 as usize) else {
            return false;
        };
        found |= view & behind;
    }
    found == 0
}

/// Calls a function for each run of values that are all under a null or all not.
pub(super) fn each_run(mask: Option<&Mask>, len: usize, mut run: impl FnMut(usize, usize, bool)) {
    match mask {
        None => run(0, len, true),
        Some(mask) => mask.each_run(run),
    }
}

pub(super) fn zeros(stream: &mut Stream, mut count: usize) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let step = count.min(ZEROS.len());
        stream.push(&ZEROS[..step]);
        count -= step;
    }
}
