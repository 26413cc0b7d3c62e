//! The two forms of a finished key: borrowed, for a lookup, and owned, as an entry keeps it.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher;
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use tenure_digest::{keyed, random};

use crate::key::meaning::Meaning;

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
    pub(super) view: View<'a>,
    hash: u64,
    meaning: Meaning,
}

#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Exact(&'a [u8]),
    Digest([u64; 2]),
}

impl KeyRef<'static> {
    /// The key of a call without arguments.
    pub const EMPTY: Self = Self {
        view: View::Exact(&[]),
        hash: EMPTY_HASH,
        meaning: Meaning::Everywhere,
    };
}

impl<'a> KeyRef<'a> {
    #[inline(always)]
    pub(super) fn new(view: View<'a>, meaning: Meaning) -> Self {
        let hash = view.hash();
        Self {
            view,
            hash,
            meaning,
        }
    }

    #[inline(never)]
    pub(super) fn digested(bytes: &[u8], meaning: Meaning) -> Self {
        Self::new(View::Digest(split(keyed(bytes))), meaning)
    }

    /// How far the key means the same.
    pub(crate) fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// The key in bytes, for a mark that leaves the process: a digest is told from bytes by what comes first.
    pub(crate) fn told(&self) -> ([u8; 1], Cow<'a, [u8]>) {
        match self.view {
            View::Exact(bytes) => ([0], Cow::Borrowed(bytes)),
            View::Digest(digest) => {
                let bytes = digest.map(u64::to_le_bytes);
                ([1], Cow::Owned(bytes.concat()))
            }
        }
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
                Repr::Inline(bytes.len() as u8 | (self.meaning as u8) << MEANING, inline)
            }
            View::Exact(bytes) => Repr::Boxed(bytes.into(), self.meaning),
            View::Digest(digest) => Repr::Digest(digest, self.meaning),
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

/// The longest encoding that fits beside the two bytes that say which form this is, and how long.
const INLINE_MAX: usize = 22;

/// Where the meaning of an inline key stands, above its length.
const MEANING: u32 = 6;

#[derive(Clone)]
enum Repr {
    /// The length, with the meaning above it.
    Inline(u8, [u8; INLINE_MAX]),
    Boxed(Box<[u8]>, Meaning),
    Digest([u64; 2], Meaning),
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
        self.view() == View::Exact(&[])
    }

    /// This key, borrowed.
    #[inline]
    pub(crate) fn as_key(&self) -> KeyRef<'_> {
        let meaning = match &self.0 {
            Repr::Inline(len, _) => Meaning::from_bits(len >> MEANING),
            Repr::Boxed(_, meaning) | Repr::Digest(_, meaning) => *meaning,
        };
        KeyRef::new(self.view(), meaning)
    }

    #[inline(always)]
    fn view(&self) -> View<'_> {
        match &self.0 {
            Repr::Inline(len, bytes) => {
                View::Exact(&bytes[..usize::from(*len & ((1 << MEANING) - 1))])
            }
            Repr::Boxed(bytes, _) => View::Exact(bytes),
            Repr::Digest(digest, _) => View::Digest(*digest),
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
