//! Digests that are written down, of lengths around every boundary.
//!
//! The reference of `tests.rs` gave them. An interpreter that follows every pointer is too slow for
//! the reference itself, and for inputs as long as those there.

use std::sync::LazyLock;

use crate::drawn::Drawn;
use crate::engine::{Portable, Tree};
use crate::shape::{BLOCK, FAN, STRIPE};
use crate::stream::Hasher128;
use crate::tests::{drawn, input};

/// The digests of [`input`] under the secret of [`SEED`].
#[rustfmt::skip]
const DIGESTS: [(usize, u128); 21] = [
    (0, 0x6dcc742d_7eb93d84_da1c2ab8_390788f5),
    (1, 0xa7841043_759d1dc0_feb44910_d361750c),
    (15, 0xdc90b933_3c517dcc_abe20d65_7528aeaa),
    (16, 0xe5a9a5a6_20af6a10_2d63e62c_3aaf85cc),
    (17, 0x46bab80f_f380f710_7ef57bc8_769abc57),
    (63, 0x93775287_f921edbc_ca0305d2_7a0d07b8),
    (64, 0x628d8797_85ac4383_dd448846_9ed2f2a0),
    (65, 0xca0e81d9_01c68307_8a5b7adc_0936b056),
    (127, 0x556c6943_997f3850_86efba49_54878341),
    (128, 0x610fc91d_88e9af65_fbbc1dfc_b20a1d3f),
    (129, 0x5847dac1_5376024a_edfc0183_371a87c2),
    (255, 0xc4bdb43b_e4137969_a3e348c4_e23a4df4),
    (256, 0x1aabb5b2_5e357604_911e90ed_65fc8610),
    (257, 0xa0b76643_110e656d_b98a63e6_3023c4a8),
    (3968, 0x5ec76611_8be9639f_9828e896_495d8bc5),
    (4095, 0xca3dc35a_6063b4e2_9b3d7d76_71a8a5eb),
    (4096, 0xc2931197_fd39f083_c5d09895_77703e2d),
    (4097, 0x428a294e_c9c445fa_3c83a9cc_049c17c0),
    (8191, 0x30e5b453_c23bd75f_7f1e9ad2_7f53bee6),
    (8192, 0x1b70b62b_5491fdfb_b7acc8dd_26ebbd2d),
    (8193, 0xd62146d3_1b364237_37e562f3_c510a924),
];

/// The roots over the first whole numbers, as so many blocks could have them for values.
const ROOTS: [(usize, u128); 4] = [
    (1, 0xcede7420_fd7164b2_b1a5b626_81bfa084),
    (255, 0xff04b88e_bed5f3d0_bd2e3b9f_f4ed46b1),
    (256, 0xe2ebf479_257aaa48_405c3bbd_e95bf388),
    (257, 0xf7fb12b6_5183ffeb_9ec8c2e8_85783c8c),
];

const SEED: u64 = 8;

/// For every arithmetic of this processor; for an interpreter, the fastest that it was told of.
static DRAWN: LazyLock<Vec<Drawn>> = LazyLock::new(|| {
    let most = if cfg!(miri) { 1 } else { usize::MAX };
    drawn(SEED).take(most).collect()
});

/// The digests, those of long inputs but for one left out where each byte takes milliseconds.
fn digests() -> impl Iterator<Item = (usize, u128)> {
    let long = |len| cfg!(miri) && len > 2 * STRIPE + 1 && len != BLOCK + 1;
    DIGESTS.into_iter().filter(move |(len, _)| !long(*len))
}

#[test]
fn k15_lengths_around_every_boundary_are_as_written_down() {
    for Drawn { secret, path } in &*DRAWN {
        for (len, expected) in digests() {
            // As long as it is, so that nothing lies behind it.
            let bytes = input(len).into_boxed_slice();
            assert_eq!(path.digest(secret, &bytes), expected, "{len} bytes");
        }
    }
}

#[test]
fn k15_pieces_are_as_written_down() {
    for Drawn { secret, path } in &*DRAWN {
        for (len, expected) in digests() {
            let bytes = input(len);
            let (head, tail) = bytes.split_at(len / 2);
            let mut hasher = Hasher128::new();
            for piece in [head, tail] {
                let piece: Box<[u8]> = piece.into();
                hasher.update_on(*path, secret, &piece);
            }
            assert_eq!(hasher.finish_on(*path, secret), expected, "{len} bytes");
        }
    }
}

#[test]
fn k15_a_full_node_is_closed_as_written_down() {
    let secret = &DRAWN[0].secret;
    let mut tree = Tree::new();
    for value in 1..=FAN as u128 + 1 {
        tree.push(Portable, secret, value);
        if let Some((blocks, expected)) = ROOTS.iter().find(|it| it.0 as u128 == value) {
            let root = tree.clone().root(Portable, secret).reduce();
            assert_eq!(root, *expected, "{blocks} blocks");
        }
    }
}
