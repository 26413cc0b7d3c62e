//! The digest against a reference that follows the definition in `DESIGN.md` step by step, on
//! every arithmetic that this processor has.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::drawn::{Drawn, in_use};
use crate::engine::{Portable, Tree};
use crate::field::{self, Sum};
use crate::keyed;
use crate::path::Path;
use crate::secret::Secret;
use crate::shape::{BLOCK, FAN, LEVELS, STRIPE};
use crate::stream::Hasher128;

/// A secret that is the same in every run.
pub(crate) fn secret(seed: u64) -> Box<Secret> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(Secret::BYTES);
    while bytes.len() < Secret::BYTES {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    Secret::from_bytes(&bytes)
}

/// The secret, with each arithmetic that there is.
pub(crate) fn drawn(seed: u64) -> impl Iterator<Item = Drawn> {
    Path::available().map(move |path| Drawn {
        secret: secret(seed),
        path,
    })
}

/// Bytes without a pattern that a block or a stripe could hide.
pub(crate) fn input(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8)
        .collect()
}

mod reference {
    use super::*;

    /// The product of two elements, bit by bit.
    pub(super) fn multiply(a: u128, mut b: u128) -> u128 {
        let mut product = 0;
        for bit in 0..128 {
            if a >> bit & 1 == 1 {
                product ^= b;
            }
            let over = b >> 127;
            b = (b << 1) ^ (over * 0x87);
        }
        product
    }

    fn block(keys: &[u128; FAN], bytes: &[u8]) -> u128 {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(STRIPE), 0);
        let elements: Vec<u128> = padded
            .chunks(16)
            .map(|bytes| u128::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        let mut sum = 0;
        for (n, stripe) in elements.chunks(8).enumerate() {
            for i in 0..4 {
                sum ^= multiply(
                    stripe[i] ^ keys[8 * n + i],
                    stripe[i + 4] ^ keys[8 * n + i + 4],
                );
            }
        }
        sum
    }

    /// The root over some values: levels are added as long as one was filled.
    pub(super) fn root(secret: &Secret, mut values: Vec<u128>) -> u128 {
        for keys in &secret.keys[1..] {
            let filled = values.len() >= FAN;
            values = values
                .chunks(FAN)
                .map(|node| {
                    let products = node
                        .iter()
                        .zip(keys)
                        .map(|(value, key)| multiply(*key, *value));
                    products.fold(0, |a, b| a ^ b)
                })
                .collect();
            if !filled {
                return values[0];
            }
        }
        unreachable!("{LEVELS} levels are enough")
    }

    pub(super) fn digest(secret: &Secret, bytes: &[u8]) -> u128 {
        let blocks = bytes
            .chunks(BLOCK)
            .map(|bytes| block(&secret.keys[0], bytes));
        let root = if bytes.len() <= BLOCK {
            blocks.fold(0, |_, block| block)
        } else {
            root(secret, blocks.collect())
        };
        root ^ multiply(secret.length, bytes.len() as u128) ^ secret.mask
    }
}

fn in_pieces(path: Path, secret: &Secret, bytes: &[u8], cuts: impl Iterator<Item = usize>) -> u128 {
    let mut hasher = Hasher128::new();
    let mut from = 0;
    for to in cuts {
        hasher.update_on(path, secret, &bytes[from..to]);
        from = to;
    }
    hasher.update_on(path, secret, &bytes[from..]);
    hasher.finish_on(path, secret)
}

fn element() -> impl Strategy<Value = u128> {
    prop_oneof![
        any::<u128>(),
        (0..128u32).prop_map(|bit| 1 << bit),
        Just(u128::MAX),
        Just(0)
    ]
}

proptest! {
    #[test]
    fn k15_products_are_those_of_the_field(a in element(), b in element(), c in element()) {
        let product = |a, b| field::multiply(a, b).reduce();
        prop_assert_eq!(product(a, b), reference::multiply(a, b));
        prop_assert_eq!(product(a, b), product(b, a));
        prop_assert_eq!(product(a, 1), a);
        prop_assert_eq!(product(a ^ b, c), product(a, c) ^ product(b, c));
        prop_assert_eq!(product(product(a, b), c), product(a, product(b, c)));
    }

    #[test]
    fn k15_an_element_that_is_not_zero_has_an_inverse(a in element()) {
        // a^(2^128 - 2), which is the inverse in a field of 2^128 elements and in no other ring.
        let mut inverse = 1;
        let mut square = a;
        for _ in 1..128 {
            square = reference::multiply(square, square);
            inverse = reference::multiply(inverse, square);
        }
        prop_assert_eq!(reference::multiply(a, inverse), u128::from(a != 0));
    }

    #[test]
    fn k15_a_sum_reduces_to_the_element_it_is(low: u128, middle in 0..1u128 << 127, high in 0..1u128 << 127) {
        let sum = Sum { low, middle, high };
        let x64 = 1 << 64;
        let expected = low
            ^ reference::multiply(x64, middle)
            ^ reference::multiply(reference::multiply(x64, x64), high);
        prop_assert_eq!(sum.reduce(), expected);
    }

    #[test]
    fn k15_pieces_of_any_size_give_the_digest_of_the_whole(
        len in 0..5 * BLOCK,
        mut cuts in vec(0..5 * BLOCK, 0..12),
    ) {
        let bytes = input(len);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(len));
        cuts.sort_unstable();
        for Drawn { secret, path } in drawn(1) {
            let whole = path.digest(&secret, &bytes);
            prop_assert_eq!(in_pieces(path, &secret, &bytes, cuts.iter().copied()), whole);
        }
    }

    #[test]
    fn k15_every_bit_counts(len in 1..3 * BLOCK, at: prop::sample::Index, bit in 0..8u32, seed: u64) {
        let bytes = input(len);
        let mut changed = bytes.clone();
        changed[at.index(len)] ^= 1 << bit;
        for Drawn { secret, path } in drawn(seed) {
            let digest = |bytes: &[u8]| path.digest(&secret, bytes);
            prop_assert_ne!(digest(&bytes), digest(&changed));
        }
    }

    #[test]
    fn k15_blocks_cannot_change_places(len in 2usize..6, seed: u64) {
        let bytes = input(len * BLOCK);
        let mut swapped = bytes.clone();
        swapped.rotate_left(BLOCK);
        let secret = secret(seed);
        let path = Path::available().next().unwrap();
        let digest = |bytes: &[u8]| path.digest(&secret, bytes);
        prop_assert_ne!(digest(&bytes), digest(&swapped));
    }
}

#[test]
fn k15_every_length_is_what_the_reference_gives() {
    let bytes = input(2048);
    for Drawn { secret, path } in drawn(2) {
        for len in 0..=bytes.len() {
            assert_eq!(
                path.digest(&secret, &bytes[..len]),
                reference::digest(&secret, &bytes[..len]),
                "{len} bytes"
            );
        }
    }
}

#[test]
fn k15_lengths_around_blocks_and_nodes_are_what_the_reference_gives() {
    let node = BLOCK * FAN;
    let bytes = input(node + 2 * BLOCK);
    for around in [
        BLOCK,
        2 * BLOCK,
        3 * BLOCK,
        node - BLOCK,
        node,
        node + BLOCK,
    ] {
        for len in [
            around - STRIPE,
            around - 1,
            around,
            around + 1,
            around + STRIPE + 1,
        ] {
            let bytes = &bytes[..len];
            for Drawn { secret, path } in drawn(3) {
                let expected = reference::digest(&secret, bytes);
                assert_eq!(path.digest(&secret, bytes), expected, "{len} bytes");
                let halves = in_pieces(path, &secret, bytes, [len / 2].into_iter());
                assert_eq!(halves, expected, "{len} bytes in halves");
                let blocks = in_pieces(path, &secret, bytes, (0..len).step_by(BLOCK));
                assert_eq!(blocks, expected, "{len} bytes in blocks");
            }
        }
    }
}

#[test]
fn k15_where_an_input_lies_does_not_count() {
    let bytes = input(3 * BLOCK + 100);
    let mut room = vec![0; bytes.len() + 64];
    for Drawn { secret, path } in drawn(4) {
        for len in [1, 15, 16, 64, 65, 127, 300, BLOCK, bytes.len()] {
            let expected = reference::digest(&secret, &bytes[..len]);
            for offset in 0..64 {
                let there = &mut room[offset..offset + len];
                there.copy_from_slice(&bytes[..len]);
                assert_eq!(path.digest(&secret, there), expected, "{len} at {offset}");
            }
        }
    }
}

#[test]
fn k15_the_tree_is_what_the_reference_gives_through_four_levels() {
    let secret = secret(5);
    let mut values: Vec<u128> = Vec::new();
    let mut tree = Tree::new();
    for n in 1..=FAN * FAN + FAN + 1 {
        let value = (n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834);
        values.push(value);
        tree.push(Portable, &secret, value);
        let border = n % FAN <= 1 || n % FAN == FAN - 1;
        if border && !(3 * FAN..=FAN * FAN - 2 * FAN).contains(&n) {
            let root = tree.clone().root(Portable, &secret).reduce();
            assert_eq!(root, reference::root(&secret, values.clone()), "{n} blocks");
        }
    }
}

#[test]
fn k15_zeros_of_different_length_differ() {
    let zeros = vec![0; 2 * BLOCK];
    for Drawn { secret, path } in drawn(6) {
        let mut digests: Vec<u128> = (0..=zeros.len())
            .map(|len| path.digest(&secret, &zeros[..len]))
            .collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), zeros.len() + 1);
    }
}

#[test]
fn k15_a_digest_depends_on_all_of_the_secret() {
    let bytes = input(2 * BLOCK);
    let path = Path::available().next().unwrap();
    let digest = |secret: &Secret| path.digest(secret, &bytes);
    let expected = digest(&secret(7));
    for key in 0..FAN {
        let mut changed = secret(7);
        changed.keys[0][key] ^= 1 << 77;
        assert_ne!(digest(&changed), expected, "key {key} of a block");
    }
    for change in [
        |secret: &mut Secret| secret.keys[1][0] ^= 1,
        |secret: &mut Secret| secret.keys[1][1] ^= 1,
        |secret: &mut Secret| secret.length ^= 1,
        |secret: &mut Secret| secret.mask ^= 1,
    ] {
        let mut changed = secret(7);
        change(&mut changed);
        assert_ne!(digest(&changed), expected);
    }
}

#[test]
fn k15_the_secret_of_the_process_is_random() {
    let process = &in_use().secret;
    let mut keys: Vec<u128> = process.keys.as_flattened().to_vec();
    keys.extend([process.length, process.mask]);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), FAN * LEVELS + 2, "no key twice");
    assert!(!keys.contains(&0), "no key left out");
    let bytes = input(1000);
    assert_eq!(keyed(&bytes), reference::digest(process, &bytes));
    let mut hasher = Hasher128::new();
    bytes.chunks(7).for_each(|piece| hasher.update(piece));
    assert_eq!(hasher.finish(), keyed(&bytes));
}
