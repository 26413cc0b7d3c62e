//! Data that is digested in pieces, and data that does not lie in one run.
#![allow(unsafe_code)]

use tenure::Encoder;
use tenure::front::{Digester, Digests};

/// Contents up to this length stand in a frame as they are, so they are kept until the end.
const KEPT: usize = 240;

/// How much is gathered before it is digested.
const ROOM: usize = 1 << 15;

/// A content under construction: written to an encoder it gives the same bytes as the whole
/// would in one frame, however it was cut.
pub(super) struct Stream {
    digests: Digests,
    hasher: Option<Digester>,
    gathered: Vec<u8>,
    len: u64,
}

impl Stream {
    /// An empty content, for an encoder with these digests.
    pub(super) fn new(digests: Digests) -> Self {
        Self {
            digests,
            hasher: None,
            gathered: Vec::new(),
            len: 0,
        }
    }

    /// Adds bytes. Long runs are read where they are.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if bytes.len() >= ROOM / 2 {
            self.flush();
            self.hasher().update(bytes);
            return;
        }
        if self.gathered.len() + bytes.len() > ROOM {
            self.flush();
        }
        self.gathered.extend_from_slice(bytes);
    }

    /// Adds `count` bytes that the function writes.
    #[inline]
    pub(super) fn fill(&mut self, count: usize, write: impl FnOnce(&mut [u8])) {
        self.len += count as u64;
        if self.gathered.len() + count > ROOM {
            self.flush();
        }
        let start = self.gathered.len();
        self.gathered.resize(start + count, 0);
        write(&mut self.gathered[start..]);
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    fn hasher(&mut self) -> &mut Digester {
        let digests = self.digests;
        self.hasher.get_or_insert_with(|| digests.begin())
    }

    fn flush(&mut self) {
        if !self.gathered.is_empty() {
            let gathered = std::mem::take(&mut self.gathered);
            self.hasher().update(&gathered);
            self.gathered = gathered;
            self.gathered.clear();
        }
    }

    /// Writes the whole under a tag.
    pub(super) fn finish(mut self, enc: &mut Encoder, tag: u8) {
        if self.hasher.is_none() && self.len <= KEPT as u64 {
            enc.framed(tag, &self.gathered);
            return;
        }
        self.flush();
        let digest = self.hasher.take();
        let digest = digest.unwrap_or_else(|| self.digests.begin()).finish();
        if self.len <= KEPT as u64 {
            unreachable!("only long contents are digested before they are complete");
        }
        enc.framed_digest(tag, self.len, digest);
    }
}

/// Data of any number of dimensions, in any order in memory.
#[derive(Clone)]
pub(super) struct Strided {
    pub data: *const u8,
    pub item: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
}

// SAFETY: it is an address with a shape; whoever reads keeps the data alive.
unsafe impl Send for Strided {}
// SAFETY: as above.
unsafe impl Sync for Strided {}

impl Strided {
    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    pub(super) fn bytes(&self) -> usize {
        self.count() * self.item
    }

    /// A part of one row of data of two dimensions.
    pub(super) fn part(&self, row: usize, from: usize, len: usize) -> Self {
        assert!(self.shape.len() == 2 && row < self.shape[0] && from + len <= self.shape[1]);
        let offset = row as isize * self.strides[0] + from as isize * self.strides[1];
        Self {
            data: self.data.wrapping_offset(offset),
            item: self.item,
            shape: vec![len],
            strides: vec![self.strides[1]],
        }
    }

    /// Whether the items lie one after the other in the order of the indices, the last one
    /// fastest.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = self.item as isize;
        for (&len, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if len == 0 {
                return true;
            }
            if len > 1 && stride != expected {
                return false;
            }
            expected *= len as isize;
        }
        true
    }

    /// The items in one run, if they lie in one.
    ///
    /// # Safety
    ///
    /// The data is alive, and outlives the slice.
    pub(super) unsafe fn as_slice<'a>(&self) -> Option<&'a [u8]> {
        if !self.is_contiguous() {
            return None;
        }
        if self.bytes() == 0 {
            return Some(&[]);
        }
        // SAFETY: the caller's promise; the items lie in one run.
        Some(unsafe { std::slice::from_raw_parts(self.data, self.bytes()) })
    }

    /// Adds all items to a stream in the order of the indices, the first `used` bytes of each.
    ///
    /// # Safety
    ///
    /// The data is alive while this runs, and `used` is not above the size of an item.
    pub(super) unsafe fn push_all(&self, stream: &mut Stream, used: usize) {
        if self.bytes() == 0 {
            return;
        }
        // SAFETY: the caller's promise, for all of these.
        unsafe {
            if used == self.item
                && let Some(run) = self.as_slice()
            {
                stream.push(run);
            } else if self.shape.len() >= 2
                && self.strides[0].unsigned_abs()
                    < self.strides[self.shape.len() - 1].unsigned_abs()
                && self.bytes() > ROOM
                && self.bytes() / self.shape[0] <= 1 << 20
            {
                self.push_tiles(stream, used);
            } else {
                self.push_rows(stream, used, self.data, 0);
            }
        }
    }

    /// Goes through the dimensions from the first to the last.
    unsafe fn push_rows(&self, stream: &mut Stream, used: usize, data: *const u8, dim: usize) {
        let Some(&len) = self.shape.get(dim) else {
            // SAFETY: `data` is the address of an item.
            stream.push(unsafe { std::slice::from_raw_parts(data, used) });
            return;
        };
        let stride = self.strides[dim];
        if dim + 1 < self.shape.len() {
            for at in 0..len {
                // SAFETY: the index is within the shape.
                unsafe {
                    self.push_rows(stream, used, data.offset(at as isize * stride), dim + 1);
                }
            }
            return;
        }
        if stride == self.item as isize && used == self.item {
            // SAFETY: a row whose items lie one after the other.
            stream.push(unsafe { std::slice::from_raw_parts(data, len * used) });
            return;
        }
        let step = (ROOM / 4 / used.max(1)).max(1);
        let mut from = 0;
        while from < len {
            let count = step.min(len - from);
            stream.fill(count * used, |room| {
                // SAFETY: the indices are within the row, and the room has the size of what is
                // copied into it.
                unsafe {
                    copy_row(
                        data.offset(from as isize * stride),
                        stride,
                        used,
                        count,
                        room.as_mut_ptr(),
                        used,
                    );
                }
            });
            from += count;
        }
    }

    /// Goes through data whose first index is the fastest in memory in tiles, so that each line
    /// of memory is fetched once.
    unsafe fn push_tiles(&self, stream: &mut Stream, used: usize) {
        let rows = self.shape[0];
        let inner = Self {
            shape: self.shape[1..].to_vec(),
            strides: self.strides[1..].to_vec(),
            ..self.clone()
        };
        let width = inner.count();
        let tile = ((1 << 20) / (width * used)).clamp(1, rows);
        let mut room = vec![0; tile * width * used];
        let mut from = 0;
        while from < rows {
            let count = tile.min(rows - from);
            let mut index = vec![0usize; inner.shape.len()];
            for column in 0..width {
                let offset: isize = index
                    .iter()
                    .zip(&inner.strides)
                    .map(|(&at, &stride)| at as isize * stride)
                    .sum();
                // SAFETY: the indices are within the shape, and the tile has room for `count`
                // rows of `width` items.
                unsafe {
                    copy_row(
                        self.data.offset(from as isize * self.strides[0] + offset),
                        self.strides[0],
                        used,
                        count,
                        room.as_mut_ptr().add(column * used),
                        width * used,
                    );
                }
                for dim in (0..index.len()).rev() {
                    index[dim] += 1;
                    if index[dim] < inner.shape[dim] {
                        break;
                    }
                    index[dim] = 0;
                }
            }
            stream.push(&room[..count * width * used]);
            from += count;
        }
    }
}

/// Copies `count` items of `used` bytes between two rows with steps of their own.
///
/// # Safety
///
/// Both rows have that many items, and they do not overlap.
unsafe fn copy_row(
    from: *const u8,
    from_step: isize,
    used: usize,
    count: usize,
    to: *mut u8,
    to_step: usize,
) {
    // SAFETY: the caller's promise; reads and writes need no alignment.
    unsafe {
        macro_rules! each {
            ($t:ty) => {
                for at in 0..count {
                    let item = from
                        .offset(at as isize * from_step)
                        .cast::<$t>()
                        .read_unaligned();
                    to.add(at * to_step).cast::<$t>().write_unaligned(item);
                }
            };
        }
        match used {
            1 => each!(u8),
            2 => each!(u16),
            4 => each!(u32),
            8 => each!(u64),
            16 => each!(u128),
            _ => {
                for at in 0..count {
                    std::ptr::copy_nonoverlapping(
                        from.offset(at as isize * from_step),
                        to.add(at * to_step),
                        used,
                    );
                }
            }
        }
    }
}
