//! Keys: the canonical encoding of a call's arguments, and what an entry keeps of it.
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

pub(crate) mod args;
mod buffer;

use std::fmt;
use std::hash::Hasher;
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use tenure_digest::{keyed, random};

use buffer::Buffer;

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
        Self {
            buffer: Buffer::new(),
        }
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
            self.framed_digest(tag, bytes.len() as u64, keyed(bytes));
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
            KeyRef::new(View::Exact(bytes))
        } else {
            KeyRef::digested(bytes)
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
            self.raw(&keyed(bytes).to_le_bytes());
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

/// A finished key, borrowed from its encoder: what a lookup needs. It allocates nothing.
///
/// ```
/// use tenure::Encoder;
///
/// let mut encoder = Encoder::new();
/// encoder.framed(1, b"pool");
/// let key = encoder.finish();
/// assert!(key.matches(&key.to_key()));
/// ```
#[derive(Clone, Copy)]
pub struct KeyRef<'a> {
    view: View<'a>,
    hash: u64,
}

#[derive(Clone, Copy)]
enum View<'a> {
    Exact(&'a [u8]),
    Digest([u64; 2]),
}

impl KeyRef<'static> {
    /// The key of a call without arguments.
    pub const EMPTY: Self = Self {
        view: View::Exact(&[]),
        hash: EMPTY_HASH,
    };
}

impl<'a> KeyRef<'a> {
    #[inline(always)]
    fn new(view: View<'a>) -> Self {
        let hash = view.hash();
        Self { view, hash }
    }

    #[inline(never)]
    fn digested(bytes: &[u8]) -> Self {
        Self::new(View::Digest(split(keyed(bytes))))
    }

    /// Whether nothing was written: a call without arguments.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.view, View::Exact(&[]))
    }

    /// The hash under which tables file this key: keyed per process, and equal to
    /// [`Key::hash`] of an equal key.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, b"pool");
    /// let key = encoder.finish();
    /// assert_eq!(key.hash(), key.to_key().hash());
    /// ```
    #[inline]
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether an owned key is this key.
    ///
    /// ```
    /// # use tenure::{Encoder, KeyRef};
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, b"pool");
    /// let filed = encoder.finish().to_key();
    /// assert!(encoder.finish().matches(&filed));
    /// assert!(!KeyRef::EMPTY.matches(&filed));
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn matches(&self, key: &Key) -> bool {
        self.view == key.view()
    }

    /// The owned key, for the entry that will be filed under it.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, b"pool");
    /// let filed = encoder.finish().to_key();
    /// encoder.clear(); // the key does not need it any more
    /// encoder.framed(1, b"pool");
    /// assert_eq!(encoder.finish().to_key(), filed);
    /// ```
    #[must_use]
    pub fn to_key(self) -> Key {
        Key(match self.view {
            View::Exact(bytes) if bytes.len() <= INLINE_MAX => {
                let mut inline = [0; INLINE_MAX];
                inline[..bytes.len()].copy_from_slice(bytes);
                Repr::Inline(bytes.len() as u8, inline)
            }
            View::Exact(bytes) => Repr::Boxed(bytes.into()),
            View::Digest(digest) => Repr::Digest(digest),
        })
    }
}

impl fmt::Debug for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRef").finish_non_exhaustive()
    }
}

impl View<'_> {
    #[inline(always)]
    fn hash(&self) -> u64 {
        if let View::Exact([]) = self {
            return EMPTY_HASH;
        }
        let mut hasher = TABLE_SEEDS.hasher();
        match self {
            View::Exact(bytes) => hasher.write(bytes),
            View::Digest([low, high]) => {
                hasher.write_u64(*low);
                hasher.write_u64(*high);
            }
        }
        hasher.finish()
    }
}

impl PartialEq for View<'_> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (View::Exact(a), View::Exact(b)) => same(a, b),
            (View::Digest(a), View::Digest(b)) => a == b,
            _ => false,
        }
    }
}

/// A finished key, owned: 24 bytes, and a box where a short encoding does not fit in them.
///
/// Encodings of up to [`EXACT_MAX`](Key::EXACT_MAX) bytes are compared byte for byte, longer ones
/// by a digest of 128 bits whose secret is drawn per process (K15). Nothing of the arguments can be
/// read from its `Debug` form.
///
/// ```
/// use tenure::Encoder;
///
/// let mut encoder = Encoder::new();
/// encoder.framed(1, &[7; 1000]);
/// let key = encoder.finish().to_key();
/// assert_eq!(key, key.clone());
/// assert_eq!(size_of_val(&key), 24); // however long the arguments are
/// ```
#[derive(Clone)]
pub struct Key(Repr);

/// The longest encoding that fits beside the two bytes that say which form this is and how long.
const INLINE_MAX: usize = 22;

#[derive(Clone)]
enum Repr {
    Inline(u8, [u8; INLINE_MAX]),
    Boxed(Box<[u8]>),
    Digest([u64; 2]),
}

const _: () = assert!(size_of::<Key>() == 24);

impl Key {
    /// The longest encoding that a key keeps byte for byte; longer ones are digested.
    pub const EXACT_MAX: usize = 256;

    /// The hash under which tables file this key. It means nothing outside this process.
    ///
    /// ```
    /// # use tenure::Encoder;
    /// # let mut encoder = Encoder::new();
    /// encoder.framed(1, b"pool");
    /// let (key, again) = (encoder.finish().to_key(), encoder.finish().to_key());
    /// assert_eq!(key.hash() % 16, again.hash() % 16); // the same bucket of a table
    /// ```
    #[inline]
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.view().hash()
    }

    /// Whether nothing was written: a call without arguments.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.0, Repr::Inline(0, _))
    }

    /// This key, borrowed.
    #[inline]
    pub(crate) fn as_key(&self) -> KeyRef<'_> {
        KeyRef::new(self.view())
    }

    #[inline(always)]
    fn view(&self) -> View<'_> {
        match &self.0 {
            Repr::Inline(len, bytes) => View::Exact(&bytes[..usize::from(*len)]),
            Repr::Boxed(bytes) => View::Exact(bytes),
            Repr::Digest(digest) => View::Digest(*digest),
        }
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// Whether these bytes are the same; for short ones without a call.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    match a.len() {
        len if len != b.len() => false,
        0 => true,
        8..=16 => ends::<8>(a) == ends::<8>(b),
        17..=32 => ends::<16>(a) == ends::<16>(b),
        _ => a == b,
    }
}

/// The first and the last bytes, which together are all of up to twice as many.
#[inline(always)]
fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    bytes.first_chunk().zip(bytes.last_chunk())
}

/// There is one empty key, so its hash may be known to all.
const EMPTY_HASH: u64 = 0;

/// The secrets of the table hash. It only files keys: two keys of one hash are still two keys.
struct TableSeeds {
    own: u64,
    shared: SharedSeed,
}

static TABLE_SEEDS: LazyLock<TableSeeds> = LazyLock::new(|| {
    let [own, shared] = split(random());
    TableSeeds {
        own,
        shared: SharedSeed::from_u64(shared),
    }
});

impl TableSeeds {
    #[inline]
    fn hasher(&'static self) -> FoldHasher<'static> {
        FoldHasher::with_seed(self.own, &self.shared)
    }
}

#[inline]
fn split(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}
