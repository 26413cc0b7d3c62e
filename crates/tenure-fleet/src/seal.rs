//! The seal on what members tell each other of themselves, so that the server cannot read it.
//!
//! A stream of bytes that BLAKE3 draws from a key and a nonce hides the text, and a digest under another key over nonce
//! and hidden text shows that nobody has changed it.

use crate::random::draw;

const NONCE: usize = 16;
const PROOF: usize = 16;

/// The two keys, derived from the fleet's secret.
pub(crate) struct Seal {
    hide: [u8; 32],
    prove: [u8; 32],
}

impl Seal {
    pub(crate) fn derive(secret: &[u8]) -> Self {
        Self {
            hide: blake3::derive_key("tenure fleet v1 card hidden", secret),
            prove: blake3::derive_key("tenure fleet v1 card proof", secret),
        }
    }

    /// The text, hidden; None where the system has no random bytes to give.
    pub(crate) fn close(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = [draw().ok()?.to_le_bytes(), draw().ok()?.to_le_bytes()].concat();
        sealed.extend_from_slice(text);
        self.hide(&mut sealed);
        let proof = self.proof(&sealed);
        sealed.extend_from_slice(&proof);
        Some(sealed)
    }

    /// The text that was hidden; None where it was not by a member of this fleet.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let hidden = sealed
            .len()
            .checked_sub(PROOF)
            .filter(|hidden| *hidden >= NONCE)?;
        let (hidden, proof) = sealed.split_at(hidden);
        // Compared in the same time for all.
        if blake3::Hash::from(widened(proof)) != blake3::Hash::from(widened(&self.proof(hidden))) {
            return None;
        }
        let mut text = hidden.to_vec();
        self.hide(&mut text);
        text.drain(..NONCE);
        Some(text)
    }

    fn hide(&self, sealed: &mut [u8]) {
        let (nonce, text) = sealed.split_at_mut(NONCE);
        let mut stream = vec![0; text.len()];
        blake3::Hasher::new_keyed(&self.hide)
            .update(nonce)
            .finalize_xof()
            .fill(&mut stream);
        text.iter_mut()
            .zip(stream)
            .for_each(|(byte, other)| *byte ^= other);
    }

    fn proof(&self, hidden: &[u8]) -> [u8; PROOF] {
        let mut proof = [0; PROOF];
        proof.copy_from_slice(&blake3::keyed_hash(&self.prove, hidden).as_bytes()[..PROOF]);
        proof
    }
}

fn widened(proof: &[u8]) -> [u8; 32] {
    let mut wide = [0; 32];
    wide[..PROOF].copy_from_slice(proof);
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_what_members_say_of_themselves_is_read_by_members_alone() {
        let (seal, other) = (Seal::derive(b"a"), Seal::derive(b"b"));
        for text in [&b""[..], b"app.load: 3 entries", &[7; 300]] {
            let sealed = seal.close(text).unwrap();
            assert_eq!(seal.open(&sealed).as_deref(), Some(text));
            assert_eq!(other.open(&sealed), None);
            assert!(text.is_empty() || !sealed.windows(text.len()).any(|part| part == text));
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(seal.open(&changed), None, "{at}");
            }
        }
        assert_eq!(seal.open(&[0; 31]), None);
    }
}
