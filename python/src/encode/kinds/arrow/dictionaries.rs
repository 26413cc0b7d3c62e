//! Dictionary-encoded columns: numbers that refer to values.
//!
//! Values are numbered anew in the order in which they are first met, so that it makes no
//! difference how the dictionaries of the chunks number them.
#![allow(unsafe_code)]

use super::bits::Mask;
use super::c_data::{Array, Schema};
use super::runs::{STEP, each_run, zeros};
use crate::encode::stream::Stream;
use crate::encode::tags;
use std::collections::HashMap;
use tenure::Encoder;
use tenure::front::Digests;

/// How the numbers of a dictionary-encoded column are stored.
#[derive(Clone, Copy)]
pub(super) struct Index {
    pub(super) size: usize,
    pub(super) signed: bool,
}

/// The values that the numbers of one chunk refer to.
pub(super) struct Dictionary<'a> {
    pub(super) schema: &'a Schema,
    pub(super) values: &'a Array,
    /// Writes some of an array's values, from one on, as a column of their own. `whole`: the values
    /// of dictionaries inside it that do not occur count too.
    pub(super) write: unsafe fn(&mut Encoder, &Schema, &Array, usize, usize, bool),
}

impl Dictionary<'_> {
    fn len(&self) -> usize {
        self.values.length as usize
    }

    unsafe fn write(&self, enc: &mut Encoder, from: usize, len: usize, whole: bool) {
        // SAFETY: the caller vouches that schema and values belong together.
        unsafe { (self.write)(enc, self.schema, self.values, from, len, whole) }
    }
}

/// The values of dictionaries, numbered as they are first met.
pub(super) struct Known {
    numbers: HashMap<Box<[u8]>, u32>,
    codes: Stream,
    values: Stream,
    /// Where it counts, every value of each dictionary in its order.
    whole: Option<Encoder>,
    digests: Digests,
}

impl Known {
    /// No values yet. `whole`: values that do not occur count too.
    pub(super) fn new(whole: bool, digests: Digests) -> Self {
        Self {
            numbers: HashMap::new(),
            codes: Stream::new(digests),
            values: Stream::new(digests),
            whole: whole.then(|| Encoder::with(digests)),
            digests,
        }
    }

    /// Writes the numbers and the values. Gives the number of bytes.
    pub(super) fn finish(self, enc: &mut Encoder) -> u64 {
        let read = self.codes.len() + self.values.len();
        self.codes.finish(enc, tags::DATA);
        self.values.finish(enc, tags::DATA);
        match self.whole {
            Some(whole) => enc.framed(tags::DATA, whole.as_bytes()),
            None => enc.tag(tags::ABSENT),
        }
        read
    }

    /// Adds the values that numbers from `start` on refer to.
    pub(super) unsafe fn extend(
        &mut self,
        index: Index,
        dictionary: Dictionary<'_>,
        numbers: *const u8,
        start: usize,
        len: usize,
        mask: Option<&Mask>,
    ) {
        // SAFETY: the caller vouches for the arrays; numbers under no null are within the values.
        unsafe {
            if let Some(whole) = &mut self.whole {
                let before = whole.as_bytes().to_vec();
                whole.clear();
                dictionary.write(whole, 0, dictionary.len(), true);
                // Chunks mostly share one dictionary, which counts once.
                if !before.is_empty() && !before.ends_with(whole.as_bytes()) {
                    let now = whole.as_bytes().to_vec();
                    whole.clear();
                    whole.raw(&before);
                    whole.raw(&now);
                } else if !before.is_empty() {
                    whole.clear();
                    whole.raw(&before);
                }
            }
            let mut seen = vec![UNSEEN; dictionary.len()];
            let Self {
                numbers: by_value,
                codes,
                values: met,
                digests,
                ..
            } = self;
            let mut meet = |at: usize| {
                let mut value = Encoder::with(*digests);
                dictionary.write(&mut value, at, 1, false);
                let next = by_value.len() as u32;
                *by_value.entry(value.as_bytes().into()).or_insert_with(|| {
                    met.push(&(value.len() as u64).to_le_bytes());
                    met.push(value.as_bytes());
                    next
                })
            };
            each_run(mask, len, |from, count, valid| {
                if !valid {
                    zeros(codes, count * 4);
                    return;
                }
                let end = from + count;
                for from in (from..end).step_by(STEP) {
                    let count = STEP.min(end - from);
                    codes.fill(count * 4, |room| {
                        let (room, _) = room.as_chunks_mut::<4>();
                        index.each(numbers, start + from, room, |at| {
                            // No sound array has a number that refers to nothing.
                            let Some(code) = seen.get_mut(at) else {
                                return [0; 4];
                            };
                            if *code == UNSEEN {
                                *code = meet(at);
                            }
                            code.to_le_bytes()
                        });
                    });
                }
            });
        }
    }
}

/// A value of a dictionary that was not met yet.
const UNSEEN: u32 = u32::MAX;

impl Index {
    /// Puts what a function makes of each number from `start` on into a room.
    // The lint does not see a comment inside a macro.
    #[allow(clippy::undocumented_unsafe_blocks)]
    unsafe fn each(
        self,
        numbers: *const u8,
        start: usize,
        room: &mut [[u8; 4]],
        mut code: impl FnMut(usize) -> [u8; 4],
    ) {
        macro_rules! each {
            ($number:ty) => {
                for (i, out) in room.iter_mut().enumerate() {
                    // SAFETY: the caller vouches that there is a number for each place.
                    let number =
                        unsafe { numbers.cast::<$number>().add(start + i).read_unaligned() };
                    *out = code(number as usize);
                }
            };
        }
        match (self.size, self.signed) {
            (1, true) => each!(i8),
            (1, false) => each!(u8),
            (2, true) => each!(i16),
            (2, false) => each!(u16),
            (4, true) => each!(i32),
            (4, false) => each!(u32),
            _ => each!(u64),
        }
    }
}
