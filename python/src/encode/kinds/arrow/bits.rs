//! Bits of columns, which may begin anywhere in a byte, lined up anew.
#![allow(unsafe_code)]

use crate::encode::stream::Stream;
use tenure::Encoder;
use tenure::front::Digests;

/// Which of some values are there; bit 0 of the first word is the first.
#[derive(Clone)]
pub(super) struct Mask {
    words: Vec<u64>,
    len: usize,
}

impl Mask {
    /// The bits of a bitmap from `start` on; `None` if there is none.
    ///
    /// # Safety
    ///
    /// `bits` is NULL, or a bitmap of at least `start + len` bits.
    pub(super) unsafe fn of_bits(bits: *const u8, start: usize, len: usize) -> Option<Self> {
        if bits.is_null() {
            return None;
        }
        let words = (0..len)
            .step_by(64)
            // SAFETY: the caller's promise.
            .map(|at| unsafe { word(bits, start + at, (len - at).min(64)) })
            .collect();
        Some(Self { words, len })
    }

    pub(super) fn and(mut self, other: &Self) -> Self {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
        self
    }

    /// Whether all are there.
    pub(super) fn is_full(&self) -> bool {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum::<usize>()
            == self.len
    }

    /// Each bit `times` times.
    pub(super) fn spread(&self, times: usize) -> Self {
        let len = self.len * times;
        let mut words = vec![0u64; len.div_ceil(64)];
        for at in (0..len).filter(|at| self.get(at / times)) {
            words[at / 64] |= 1 << (at % 64);
        }
        Self { words, len }
    }

    /// The words with the number of the value that each begins at.
    pub(super) fn words(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.words
            .iter()
            .enumerate()
            .map(|(at, &word)| (at * 64, word))
    }

    pub(super) fn get(&self, at: usize) -> bool {
        self.words[at / 64] >> (at % 64) & 1 == 1
    }

    /// Calls a function for each run of equal bits.
    pub(super) fn each_run(&self, mut run: impl FnMut(usize, usize, bool)) {
        let mut at = 0;
        while at < self.len {
            let valid = self.get(at);
            let mut end = at;
            // To the end of the run, a word at a time.
            loop {
                let word = self.words[end / 64] >> (end % 64);
                let same = if valid {
                    word.trailing_ones()
                } else {
                    word.trailing_zeros()
                } as usize;
                let room = 64 - end % 64;
                end += same.min(room);
                if same < room || end >= self.len {
                    break;
                }
            }
            let end = end.min(self.len);
            run(at, end - at, valid);
            at = end;
        }
    }
}

/// `count` bits, at most 64, from `start` on.
unsafe fn word(bits: *const u8, start: usize, count: usize) -> u64 {
    let shift = start % 8;
    let mut bytes = [0; 16];
    let used = (shift + count).div_ceil(8);
    // SAFETY: the caller vouches for the bits, and no byte without one of them is read.
    unsafe { std::ptr::copy_nonoverlapping(bits.add(start / 8), bytes.as_mut_ptr(), used) };
    let word = (u128::from_le_bytes(bytes) >> shift) as u64;
    if count == 64 {
        word
    } else {
        word & ((1 << count) - 1)
    }
}

/// Bits one after the other.
pub(super) struct Bits {
    stream: Stream,
    /// The last bits, which do not fill a word yet.
    rest: u64,
    count: usize,
    /// The bits at the beginning that are all ones and were not written yet.
    ones: u64,
    full: bool,
}

impl Bits {
    pub(super) fn new(digests: Digests) -> Self {
        Self {
            stream: Stream::new(digests),
            rest: 0,
            count: 0,
            ones: 0,
            full: true,
        }
    }

    /// Whether all bits are ones, so that none need be written.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Adds ones, which are written once something else comes.
    pub(super) fn push_ones(&mut self, count: usize) {
        if self.full {
            self.ones += count as u64;
            return;
        }
        for at in (0..count).step_by(64) {
            self.push(u64::MAX, (count - at).min(64));
        }
    }

    pub(super) fn push_mask(&mut self, mask: &Mask) {
        self.begin();
        for (at, &word) in mask.words.iter().enumerate() {
            self.push(word, (mask.len - at * 64).min(64));
        }
    }

    /// Adds the bits of a bitmap, with zeros where the mask has them.
    ///
    /// # Safety
    ///
    /// `bits` is a bitmap of at least `start + len` bits.
    pub(super) unsafe fn push_bits(
        &mut self,
        bits: *const u8,
        start: usize,
        len: usize,
        mask: Option<&Mask>,
    ) {
        self.begin();
        for at in (0..len).step_by(64) {
            let count = (len - at).min(64);
            // SAFETY: the caller's promise.
            let mut word = unsafe { word(bits, start + at, count) };
            if let Some(mask) = mask {
                word &= mask.words[at / 64];
            }
            self.push(word, count);
        }
    }

    /// Writes the ones that were put off.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.full, false) {
            return;
        }
        let mut ones = std::mem::take(&mut self.ones);
        while ones > 0 {
            let count = ones.min(64);
            self.push(u64::MAX, count as usize);
            ones -= count;
        }
    }

    fn push(&mut self, word: u64, count: usize) {
        let word = if count == 64 {
            word
        } else {
            word & ((1 << count) - 1)
        };
        self.rest |= word << self.count;
        let room = 64 - self.count;
        if count < room {
            self.count += count;
            return;
        }
        self.stream.push(&self.rest.to_le_bytes());
        self.rest = if room == 64 { 0 } else { word >> room };
        self.count = count - room;
    }

    /// Writes all bits under a tag. Gives the number of bytes.
    pub(super) fn finish(mut self, enc: &mut Encoder, tag: u8) -> u64 {
        self.begin();
        if self.count > 0 {
            self.stream.push(&self.rest.to_le_bytes());
        }
        let len = self.stream.len();
        self.stream.finish(enc, tag);
        len
    }
}
