//! The digest of an input that is all there.

use crate::drawn::in_use;

/// The digest of some bytes under the secret of this process: equal for equal bytes.
///
/// ```
/// use tenure_digest::keyed;
///
/// assert_eq!(keyed(b"a long argument"), keyed("a long argument".as_bytes()));
/// assert_ne!(keyed(b"a long argument"), keyed(b"another argument"));
/// ```
#[inline]
#[must_use]
pub fn keyed(bytes: &[u8]) -> u128 {
    let drawn = in_use();
    drawn.path.digest(&drawn.secret, bytes)
}
