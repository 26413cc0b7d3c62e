//! Processes that are given one secret; each test binary is a process of its own.
#![allow(missing_docs)]

use tenure_digest::{Hasher128, SEED_BYTES, SecretInUse, keyed, seed};

/// What some bytes are to every process with the secret below.
const DIGEST: u128 = 107949163261490644775906095947465870545;

#[test]
fn d2_a_given_secret_digests_alike_in_every_process_and_comes_before_any_other() {
    let mut bytes = [0; SEED_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (at * 31 + at / 256) as u8;
    }
    assert_eq!(seed(&bytes), Ok(()));
    assert_eq!(keyed(b"what a member digests"), DIGEST);
    let mut pieces = Hasher128::new();
    pieces.update(b"what a member");
    pieces.update(b" digests");
    assert_eq!(pieces.finish(), DIGEST);
    // The same again is no other one.
    assert_eq!(seed(&bytes), Ok(()));
    bytes[SEED_BYTES - 1] ^= 1;
    assert_eq!(seed(&bytes), Err(SecretInUse));
    assert_eq!(keyed(b"what a member digests"), DIGEST);
}
