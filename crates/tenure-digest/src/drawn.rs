//! The secret of this process, and the arithmetic of its processor: drawn or given, and found out once.

use std::fmt;
use std::sync::OnceLock;

use crate::path::Path;
use crate::secret::Secret;

/// A secret, and the arithmetic that digests under it.
pub(crate) struct Drawn {
    pub(crate) secret: Box<Secret>,
    pub(crate) path: Path,
}

impl Drawn {
    fn of(secret: Box<Secret>) -> Self {
        let path = Path::available().next().expect("one needs nothing");
        Self { secret, path }
    }
}

static DRAWN: OnceLock<Drawn> = OnceLock::new();

/// Those of this process, drawn by the first who asks.
#[inline]
pub(crate) fn in_use() -> &'static Drawn {
    DRAWN.get_or_init(|| Drawn::of(Secret::draw()))
}

/// How many bytes [`seed`] takes.
pub const SEED_BYTES: usize = Secret::BYTES;

/// Gives this process its secret, before one is drawn: processes that are given the same bytes digest alike.
/// They must be as good as random to whoever chooses inputs, and nobody else may know them.
///
/// ```
/// use tenure_digest::{SEED_BYTES, keyed, seed};
///
/// let mut bytes = [0; SEED_BYTES];
/// bytes[0] = 7; // from a key derivation, in earnest
/// seed(&bytes).unwrap();
/// let digest = keyed(b"an input");
/// seed(&bytes).unwrap(); // the same again changes nothing
/// bytes[0] = 8;
/// assert!(seed(&bytes).is_err()); // there are digests under the other one
/// assert_eq!(digest, keyed(b"an input"));
/// ```
///
/// # Errors
/// [`SecretInUse`] where something was digested under another secret before.
pub fn seed(bytes: &[u8; SEED_BYTES]) -> Result<(), SecretInUse> {
    let mut given = Some(Secret::from_bytes(bytes));
    let there = DRAWN.get_or_init(|| Drawn::of(given.take().expect("asked once")));
    match given {
        None => Ok(()),
        Some(given) if given.is(&there.secret) => Ok(()),
        Some(_) => Err(SecretInUse),
    }
}

/// The refusal of a secret that comes too late: something was digested under another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretInUse;

impl fmt::Display for SecretInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the secret comes too late: something was digested under another one")
    }
}

impl std::error::Error for SecretInUse {}
