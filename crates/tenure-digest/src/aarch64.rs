//! The digest's arithmetic with the carry-less multiplication of 64-bit Arm processors.
//!
//! A value of [`Pmull`] is the proof that this processor has the instructions: `detect` is the
//! only way to get one. Every `unsafe` call of a function with target features rests on that.

#![allow(unsafe_code)]

use std::arch::aarch64::*;

use crate::engine::native_engine;
use crate::field::Sum;
use crate::shape::{FAN, STRIPE};

/// Processors with PMULL.
#[derive(Clone, Copy)]
pub(crate) struct Pmull(());

impl Pmull {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("aes").then_some(Self(()))
    }
}

native_engine!(Pmull, "neon,aes", block);

#[inline]
#[target_feature(enable = "neon,aes")]
fn multiply(a: u128, b: u128) -> Sum {
    let (a0, a1) = (a as u64, (a >> 64) as u64);
    let (b0, b1) = (b as u64, (b >> 64) as u64);
    Sum {
        low: vmull_p64(a0, b0),
        middle: vmull_p64(a0, b1) ^ vmull_p64(a1, b0),
        high: vmull_p64(a1, b1),
    }
}

/// The same as [`Sum::reduce`]: the upper half comes down in two steps of 64 bits.
#[inline]
#[target_feature(enable = "neon,aes")]
fn reduce(sum: Sum) -> u128 {
    const MODULUS: u64 = 0x87;
    let low = sum.low ^ (sum.middle << 64);
    let high = sum.high ^ (sum.middle >> 64);
    let upper = vmull_p64((high >> 64) as u64, MODULUS);
    let low = low ^ (upper << 64);
    let high = high ^ (upper >> 64);
    low ^ vmull_p64(high as u64, MODULUS)
}

#[inline]
#[target_feature(enable = "neon,aes")]
fn block(keys: &[u128; FAN], bytes: &[u8]) -> Sum {
    let mut sums = [vdupq_n_u64(0); 3];
    let (stripes, rest) = bytes.as_chunks::<STRIPE>();
    let (key_stripes, _) = keys.as_chunks::<{ STRIPE / 16 }>();
    for (bytes, keys) in stripes.iter().zip(key_stripes) {
        stripe(&mut sums, bytes, keys);
    }
    if !rest.is_empty() {
        let mut padded = [0; STRIPE];
        padded[..rest.len()].copy_from_slice(rest);
        stripe(&mut sums, &padded, &key_stripes[stripes.len()]);
    }
    let [low, middle, high] = sums.map(|sum| vreinterpretq_p128_u64(sum));
    Sum { low, middle, high }
}

#[inline]
#[target_feature(enable = "neon,aes")]
fn stripe(sums: &mut [uint64x2_t; 3], bytes: &[u8; STRIPE], keys: &[u128; STRIPE / 16]) {
    let (bytes, keys) = (bytes.as_ptr(), keys.as_ptr().cast::<u8>());
    for i in 0..4 {
        let (i, j) = (16 * i, 16 * (i + 4));
        // SAFETY: both arrays hold eight vectors, and these loads need no alignment.
        let (a, b, key_a, key_b) = unsafe {
            (
                vld1q_u8(bytes.add(i)),
                vld1q_u8(bytes.add(j)),
                vld1q_u8(keys.add(i)),
                vld1q_u8(keys.add(j)),
            )
        };
        let a = vreinterpretq_u64_u8(veorq_u8(a, key_a));
        let b = vreinterpretq_u64_u8(veorq_u8(b, key_b));
        let crossed = vextq_u64::<1>(b, b);
        sums[0] = veorq_u64(sums[0], low_product(a, b));
        sums[1] = veorq_u64(sums[1], low_product(a, crossed));
        sums[1] = veorq_u64(sums[1], high_product(a, crossed));
        sums[2] = veorq_u64(sums[2], high_product(a, b));
    }
}

#[inline]
#[target_feature(enable = "neon,aes")]
fn low_product(a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
    vreinterpretq_u64_p128(vmull_p64(vgetq_lane_u64::<0>(a), vgetq_lane_u64::<0>(b)))
}

#[inline]
#[target_feature(enable = "neon,aes")]
fn high_product(a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
    let (a, b) = (vreinterpretq_p64_u64(a), vreinterpretq_p64_u64(b));
    vreinterpretq_u64_p128(vmull_high_p64(a, b))
}
