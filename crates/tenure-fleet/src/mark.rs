//! What stands for a function, an entry or a tag outside of the process: 128 bits under the fleet's secret.

use std::fmt;

/// A keyed digest of 128 bits: what crosses the wire in place of a name, an argument or a tag.
///
/// Whoever does not know the fleet's secret learns nothing from a mark, but that two of them are the same.
///
/// ```
/// assert_eq!(tenure_fleet::Mark([0xab; 16]).to_string(), "abababababababababababababababab");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub [u8; 16]);

impl Mark {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|sign| sign.is_ascii_hexdigit());
        let whole = u128::from_str_radix(text, 16).ok()?;
        digits.then(|| Self(whole.to_be_bytes()))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({self})")
    }
}

/// The kind of thing that a mark stands for; each has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A function: its name.
    Function,
    /// An entry: the function's mark and the bytes of its key.
    Entry,
    /// A tag.
    Tag,
    /// What builds at most so many times at once.
    Permit,
}

/// The keys that are derived from the fleet's secret, one for each purpose.
pub(crate) struct Keys([[u8; 32]; 4]);

impl Keys {
    pub(crate) fn derive(secret: &[u8]) -> Self {
        Self(
            [
                "tenure fleet v1 function",
                "tenure fleet v1 entry",
                "tenure fleet v1 tag",
                "tenure fleet v1 permit",
            ]
            .map(|context| blake3::derive_key(context, secret)),
        )
    }

    /// The mark of these parts. Each goes in behind its length, so that no two lists of parts are one text.
    pub(crate) fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark {
        let mut hasher = blake3::Hasher::new_keyed(&self.0[purpose as usize]);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut mark = [0; 16];
        mark.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Mark(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_members_of_one_secret_mark_alike_and_others_do_not() {
        let (one, same, other) = (Keys::derive(b"a"), Keys::derive(b"a"), Keys::derive(b"b"));
        let parts: &[&[u8]] = &[b"app.load", b"v1"];
        let mark = one.mark(Purpose::Function, parts);
        assert_eq!(mark, same.mark(Purpose::Function, parts));
        assert_ne!(mark, other.mark(Purpose::Function, parts));
        assert_ne!(mark, one.mark(Purpose::Tag, parts));
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
    }

    #[test]
    fn d2_the_parts_of_a_mark_do_not_run_together() {
        let keys = Keys::derive(b"a");
        let mark = |parts: &[&[u8]]| keys.mark(Purpose::Entry, parts);
        assert_ne!(mark(&[b"ab", b"c"]), mark(&[b"a", b"bc"]));
        assert_ne!(mark(&[b"a"]), mark(&[b"a", b""]));
    }

    #[test]
    fn what_is_no_mark_is_not_read_as_one() {
        for text in [
            "",
            "ab",
            "+0000000000000000000000000000001",
            &"g".repeat(32),
            &"0".repeat(33),
        ] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
    }
}
