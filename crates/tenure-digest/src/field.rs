//! Arithmetic in the field of 2^128 elements, without help from the processor.
//!
//! Elements are polynomials over GF(2) modulo x^128 + x^7 + x^2 + x + 1; bit `i` of a `u128` is
//! the coefficient of x^i. Addition is exclusive or.

use std::ops::BitXorAssign;

/// A sum of products that is not reduced yet: `low + middle·x^64 + high·x^128`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) low: u128,
    pub(crate) middle: u128,
    pub(crate) high: u128,
}

impl BitXorAssign for Sum {
    #[inline]
    fn bitxor_assign(&mut self, other: Self) {
        self.low ^= other.low;
        self.middle ^= other.middle;
        self.high ^= other.high;
    }
}

impl Sum {
    /// The field element that this sum is.
    #[inline]
    pub(crate) fn reduce(self) -> u128 {
        let low = self.low ^ (self.middle << 64);
        let high = self.high ^ (self.middle >> 64);
        // x^128 = x^7 + x^2 + x + 1: once for the upper half, once for what that pushes over.
        let over = (high >> 127) ^ (high >> 126) ^ (high >> 121);
        low ^ fold(high) ^ fold(over)
    }
}

/// `value · (x^7 + x^2 + x + 1)`, without what goes beyond x^127.
#[inline]
fn fold(value: u128) -> u128 {
    value ^ (value << 1) ^ (value << 2) ^ (value << 7)
}

/// The product of two elements, not reduced.
#[inline]
pub(crate) fn multiply(a: u128, b: u128) -> Sum {
    let (a0, a1) = (a as u64, (a >> 64) as u64);
    let (b0, b1) = (b as u64, (b >> 64) as u64);
    let low = carryless(a0, b0);
    let high = carryless(a1, b1);
    // (a0 + a1)(b0 + b1) holds both outer products beside the two wanted here.
    let middle = carryless(a0 ^ a1, b0 ^ b1) ^ low ^ high;
    Sum { low, middle, high }
}

/// Every fifth bit, from each of the first five on.
const FIFTHS: [u128; 5] = {
    let mut masks = [0; 5];
    let mut bit = 0;
    while bit < 128 {
        masks[bit % 5] |= 1 << bit;
        bit += 1;
    }
    masks
};

/// The product of two polynomials of degree below 64.
///
/// Ordinary multiplication carries; so each operand is cut into five that keep every fifth bit.
/// At most 13 ones meet in a column, and their carries stop short of the next kept one.
#[inline]
fn carryless(a: u64, b: u64) -> u128 {
    let cut = |value: u64| FIFTHS.map(|mask| u128::from(value & mask as u64));
    let (a, b) = (cut(a), cut(b));
    let mut product = 0;
    for (column, mask) in FIFTHS.iter().enumerate() {
        let mut sum = 0;
        for (i, part) in a.iter().enumerate() {
            sum ^= part * b[(column + 5 - i) % 5];
        }
        product ^= sum & mask;
    }
    product
}
