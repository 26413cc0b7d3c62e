//! The canonical encoding of a call's arguments.
//!
//! An encoding is a byte string that is built from left to right. Two different sequences of
//! [`Encoder::tag`] and [`Encoder::framed`] calls never give the same bytes (K1), whatever the
//! tags and contents are:
//!
//! | Item | Bytes |
//! |---|---|
//! | a tag below [`ESCAPE`] | the tag |
//! | any other tag | `ESCAPE`, the tag |
//! | the tag of a frame | the same two forms, with the first byte's top bit set |
//! | the content of a frame, up to [`Encoder::FRAME_MAX`] bytes | its length in one byte, the content |
//! | a longer content | [`DIGESTED`], its length in eight bytes, its digest in sixteen |
//!
//! Read from the left, the first byte says whether a bare tag or a frame follows and how long it
//! is, so the sequence can be read back, but for the content of a long frame: there the digest
//! stands for it, and two contents share one only with the negligible probability that
//! `tenure_digest` states.
//!
//! [`Encoder::raw`] adds bytes as they are. It is for callers whose tag fixes how many follow.

use std::fmt;
use std::hash::Hasher;

use crate::key::buffer::Buffer;
use crate::key::digests::Digests;
use crate::key::forms::{Key, KeyRef, View};
use crate::key::meaning::Meaning;

/// The first byte of a tag that does not fit in the seven bits of a short one.
const ESCAPE: u8 = 0x7f;

/// The mark in the place of the length of a frame whose content is digested.
const DIGESTED: u8 = 0xff;

/// The bit that tells the tag of a frame from a bare tag.
const FRAME: u8 = 0x80;

/// A canonical encoding under construction.
///
/// It implements [`Hasher`], so that a type that is `Hash` writes itself. Short encodings need no
/// allocation, and an encoder can be used again after [`clear`](Encoder::clear).
///
/// ```
/// use tenure::Encoder;
///
/// const TEXT: u8 = 1;
/// let key = |texts: &[&str]| {
///     let mut encoder = Encoder::new();
///     for text in texts {
///         encoder.framed(TEXT, text.as_bytes());
///     }
///     encoder.finish().to_key()
/// };
/// assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
/// assert_ne!(key(&["a", "b"]), key(&["ab", ""]));
/// ```
#[derive(Clone)]
pub struct Encoder {
    buffer: Buffer,
    digests: Digests,
    meaning: Meaning,
}

impl Encoder {
    /// The longest content of a frame that is kept as it is; longer ones are digested.
    pub const FRAME_MAX: usize = 240;

    /// An empty encoding: that of a call without arguments.
    ///
    /// ```
    /// # use tenure::{Encoder, KeyRef};
    /// assert_eq!(Encoder::new().finish().to_key(), KeyRef::EMPTY.to_key());
    /// ```
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self::with(Digests::Keyed)
    }

    /// An empty encoding with these digests in the place of long contents.
    ///
    /// ```
    /// # use tenure::front::Digests;
    /// # use tenure::Encoder;
    /// let mut code = Encoder::with(Digests::Fixed);
    /// code.framed(1, &[7; 1000]); // the same bytes in every process
    /// assert_eq!(code.digests(), Digests::Fixed);
    /// ```
    #[inline]
    #[must_use]
    pub fn with(digests: Digests) -> Self {
        Self {
            buffer: Buffer::new(),
            digests,
            meaning: Meaning::Everywhere,
        }
    }

    /// The digests that it has in the place of long contents.
    #[inline]
    #[must_use]
    pub fn digests(&self) -> Digests {
        self.digests
    }

    /// Has other digests in the place of long contents from here on, and gives those that it had: for a part
    /// that is itself replaced by its digest.
    #[inline]
    pub fn set_digests(&mut self, digests: Digests) -> Digests {
        std::mem::replace(&mut self.digests, digests)
    }

    /// How far what was written means the same.
    #[inline]
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// Forgets how far what was written means the same, and gives it: for a part whose own meaning is asked.
    #[inline]
    pub fn take_meaning(&mut self) -> Meaning {
        std::mem::take(&mut self.meaning)
    }

    /// Notes that something is written which means the same no further than that.
    #[inline]
    pub fn narrow(&mut self, meaning: Meaning) {
        self.meaning = self.meaning.max(meaning);
    }

    /// Forgets what was written, for the next key.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, b"the first call");
    /// encoder.clear();
    /// encoder.tag(2);
    /// assert_eq!(encoder.as_bytes(), [2]);
    /// ```
    #[inline]
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.meaning = Meaning::Everywhere;
    }

    /// The number of bytes written so far.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, b"pool");
    /// assert_eq!(encoder.len(), 6); // the tag, the length, the content
    /// ```
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing was written yet.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// let mut encoder = Encoder::new();
    /// assert!(encoder.is_empty());
    /// encoder.framed(1, b"");
    /// assert!(!encoder.is_empty()); // an empty content is something
    /// ```
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes written so far.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.tag(1);
    /// encoder.raw(b"ab");
    /// assert_eq!(encoder.as_bytes(), b"\x01ab");
    /// ```
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Forgets all but the first `len` bytes, for callers that sort encodings of members. Does
    /// nothing where there are no more than these.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.tag(1);
    /// let start = encoder.len();
    /// encoder.framed(2, b"member");
    /// let member = encoder.as_bytes()[start..].to_vec(); // to be sorted among others
    /// encoder.truncate(start);
    /// assert_eq!((encoder.as_bytes(), member.len()), (&[1][..], 8));
    /// ```
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.buffer.truncate(len);
    }

    /// Adds bytes as they are. The caller's tag must fix how many there are.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// const INTEGER: u8 = 1; // eight bytes follow
    /// encoder.tag(INTEGER);
    /// encoder.raw(&7u64.to_le_bytes());
    /// assert_eq!(encoder.len(), 9);
    /// ```
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    /// Adds a tag that stands alone.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// const NONE: u8 = 1;
    /// let (mut alone, mut empty) = (Encoder::new(), Encoder::new());
    /// alone.tag(NONE);
    /// empty.framed(NONE, b"");
    /// assert_ne!(alone.as_bytes(), empty.as_bytes());
    /// ```
    #[inline]
    pub fn tag(&mut self, tag: u8) {
        self.put_tag(tag, 0);
    }

    /// Adds a tag with a content of any length. One above [`FRAME_MAX`](Self::FRAME_MAX) is
    /// digested.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, &[7; 1_000_000]);
    /// assert_eq!(encoder.len(), 26);
    /// ```
    #[inline]
    pub fn framed(&mut self, tag: u8, bytes: &[u8]) {
        if bytes.len() <= Self::FRAME_MAX {
            let len = bytes.len() as u8;
            if tag < ESCAPE {
                self.buffer.extend_with_head([tag | FRAME, len], bytes);
            } else {
                self.raw(&[ESCAPE | FRAME, tag, len]);
                self.raw(bytes);
            }
        } else {
            self.framed_digest(tag, bytes.len() as u64, self.digests.of(bytes));
        }
    }

    /// Adds a tag with a content that was digested before: the same bytes as
    /// [`framed`](Encoder::framed) gives for a content of `len` bytes with this digest.
    ///
    /// For callers that digest elsewhere: without a lock that they hold otherwise, in pieces, or
    /// once for an object that cannot change. `len` must be above [`FRAME_MAX`](Self::FRAME_MAX);
    /// shorter contents have no digested form.
    ///
    /// ```
    /// # use tenure::front::Hasher128;
    /// # use tenure::Encoder;
    /// let content = [7; 1000];
    /// let mut hasher = Hasher128::new();
    /// content.chunks(100).for_each(|piece| hasher.update(piece));
    /// let (mut pieces, mut whole) = (Encoder::new(), Encoder::new());
    /// pieces.framed_digest(1, 1000, hasher.finish());
    /// whole.framed(1, &content);
    /// assert_eq!(pieces.as_bytes(), whole.as_bytes());
    /// ```
    ///
    /// # Panics
    ///
    /// If `len` is not above [`FRAME_MAX`](Self::FRAME_MAX).
    pub fn framed_digest(&mut self, tag: u8, len: u64, digest: u128) {
        assert!(
            len > Self::FRAME_MAX as u64,
            "a content of {len} bytes has no digested form"
        );
        self.put_tag(tag, FRAME);
        self.buffer.push(DIGESTED);
        self.raw(&len.to_le_bytes());
        self.raw(&digest.to_le_bytes());
    }

    /// Adds a key that was finished before, as one part of a greater one.
    pub(crate) fn key(&mut self, key: &KeyRef<'_>) {
        self.narrow(key.meaning());
        match key.view {
            View::Exact(bytes) => self.framed(0, bytes),
            View::Digest([low, high]) => {
                self.tag(1);
                self.raw(&low.to_le_bytes());
                self.raw(&high.to_le_bytes());
            }
        }
    }

    /// The key that these bytes are. The encoder keeps them.
    ///
    /// ```
    /// # use tenure::{Encoder, Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, b"shard 7");
    /// pools.get_or_build(&encoder.finish(), || Ok(7)).unwrap();
    /// assert_eq!(pools.peek(&encoder.finish(), |pool| *pool), Some(7));
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn finish(&self) -> KeyRef<'_> {
        let bytes = self.as_bytes();
        if bytes.len() <= Key::EXACT_MAX {
            KeyRef::new(View::Exact(bytes), self.meaning)
        } else {
            KeyRef::digested(bytes, self.meaning)
        }
    }

    #[inline]
    fn put_tag(&mut self, tag: u8, frame: u8) {
        if tag < ESCAPE {
            self.buffer.push(tag | frame);
        } else {
            self.raw(&[ESCAPE | frame, tag]);
        }
    }
}

/// An encoder takes what `Hash` types write as it is, but for long pieces, whose length and digest
/// it takes instead, so that a large argument does not pass through the buffer.
impl Hasher for Encoder {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if bytes.len() <= Self::FRAME_MAX {
            self.raw(bytes);
        } else {
            self.raw(&(bytes.len() as u64).to_le_bytes());
            self.raw(&self.digests.of(bytes).to_le_bytes());
        }
    }

    fn finish(&self) -> u64 {
        Encoder::finish(self).hash()
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
