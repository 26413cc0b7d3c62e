//! What stands for long contents in an encoding.
//!
//! | Digest | Of | Means the same |
//! |---|---|---|
//! | keyed, with a [proof](tenure_digest) against whoever chooses the input | arguments | in this process, or in its fleet, whose secret takes the place of the process's |
//! | BLAKE3 under a key of this process | what tells functions from others | in this process |
//! | BLAKE3 | what a class is made of, where its name does not say it | everywhere |
//! | BLAKE3 under a key that was given | arguments in a name that others see | wherever that key was given |
//!
//! Functions are decorated while modules are imported, before a program can say that it is in a fleet. So
//! the two that are needed then leave the secret of the first undrawn.

use std::sync::LazyLock;

use tenure_digest::{Hasher128, keyed, random};

/// The digests that stand for long contents.
///
/// ```
/// use tenure::front::Digests;
///
/// let one = Digests::Fixed.of(b"a class body");
/// let mut pieces = Digests::Fixed.begin();
/// pieces.update(b"a class");
/// pieces.update(b" body");
/// assert_eq!(pieces.finish(), one);
/// assert_ne!(Digests::Keyed.of(b"a class body"), one); // but with a negligible probability
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digests {
    /// Under the secret of this process, or of its fleet.
    #[default]
    Keyed,
    /// Under another secret of this process, which is never another's.
    Own,
    /// Without a secret: the same in every process.
    Fixed,
    /// Under a key that other processes are given too: the same in all of these.
    Given(&'static [u8; 32]),
}

/// The key of [`Digests::Own`].
static OWN: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let halves = [random(), random()].map(u128::to_le_bytes);
    halves.concat().try_into().expect("two halves")
});

impl Digests {
    /// Those under a key that is derived from a secret, for one purpose: whoever has both has the same.
    ///
    /// The key is never forgotten: a program has few secrets.
    ///
    /// ```
    /// use tenure::front::Digests;
    ///
    /// let names = Digests::given("example.com 2026-01-01 names of actors", b"a secret");
    /// let same = Digests::given("example.com 2026-01-01 names of actors", b"a secret");
    /// assert_eq!(names.of(b"a key"), same.of(b"a key"));
    /// let other = Digests::given("example.com 2026-01-01 names of actors", b"another");
    /// assert_ne!(names.of(b"a key"), other.of(b"a key"));
    /// ```
    #[must_use]
    pub fn given(purpose: &str, secret: &[u8]) -> Self {
        Self::Given(Box::leak(Box::new(blake3::derive_key(purpose, secret))))
    }

    /// The digest of bytes that are all there.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> u128 {
        match self {
            Self::Keyed => keyed(bytes),
            Self::Own => half(&blake3::keyed_hash(&OWN, bytes)),
            Self::Fixed => half(&blake3::hash(bytes)),
            Self::Given(key) => half(&blake3::keyed_hash(key, bytes)),
        }
    }

    /// The digest of bytes that come in pieces.
    #[must_use]
    pub fn begin(self) -> Digester {
        Digester(match self {
            Self::Keyed => Pieces::Keyed(Box::default()),
            Self::Own => Pieces::Blake(Box::new(blake3::Hasher::new_keyed(&OWN))),
            Self::Fixed => Pieces::Blake(Box::default()),
            Self::Given(key) => Pieces::Blake(Box::new(blake3::Hasher::new_keyed(key))),
        })
    }

    /// Whether other processes write the same with them.
    #[must_use]
    pub fn are_shared(self) -> bool {
        matches!(self, Self::Fixed | Self::Given(_))
    }
}

/// A digest of bytes that come in pieces: equal to [`Digests::of`] of the whole.
#[derive(Debug)]
pub struct Digester(Pieces);

#[derive(Debug)]
enum Pieces {
    Keyed(Box<Hasher128>),
    Blake(Box<blake3::Hasher>),
}

impl Digester {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Pieces::Keyed(hasher) => hasher.update(bytes),
            Pieces::Blake(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(self) -> u128 {
        match self.0 {
            Pieces::Keyed(hasher) => hasher.finish(),
            Pieces::Blake(hasher) => half(&hasher.finalize()),
        }
    }
}

/// As many bits of a hash as a digest has.
fn half(hash: &blake3::Hash) -> u128 {
    let (low, _) = hash.as_bytes().split_at(16);
    u128::from_le_bytes(low.try_into().expect("sixteen bytes"))
}
