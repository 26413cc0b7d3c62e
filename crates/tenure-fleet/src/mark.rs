//! Marks of functions, entries and tags, which stand for them outside of the process: 128 bits under the fleet's secret.

pub(crate) use tenure::fleet::{Mark, Purpose};

/// The mark that is written so, if it is one.
pub(crate) fn parse(text: &str) -> Option<Mark> {
    let digits = text.len() == 32 && text.bytes().all(|sign| sign.is_ascii_hexdigit());
    let whole = u128::from_str_radix(text, 16).ok()?;
    digits.then(|| Mark(whole.to_be_bytes()))
}

/// The keys that are derived from the fleet's secret, one for each purpose.
pub(crate) struct Keys {
    function: [u8; 32],
    entry: [u8; 32],
    tag: [u8; 32],
    permit: [u8; 32],
}

impl Keys {
    pub(crate) fn derive(secret: &[u8]) -> Self {
        Self {
            function: blake3::derive_key("tenure fleet v1 function", secret),
            entry: blake3::derive_key("tenure fleet v1 entry", secret),
            tag: blake3::derive_key("tenure fleet v1 tag", secret),
            permit: blake3::derive_key("tenure fleet v1 permit", secret),
        }
    }

    /// The mark of these parts. Each goes in behind its length, so that no two lists of parts are one text.
    pub(crate) fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark {
        let key = match purpose {
            Purpose::Function => &self.function,
            Purpose::Entry => &self.entry,
            Purpose::Tag => &self.tag,
            Purpose::Permit => &self.permit,
        };
        let mut hasher = blake3::Hasher::new_keyed(key);
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
        assert_eq!(parse(&mark.to_string()), Some(mark));
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
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
