//! The digest's arithmetic with the carry-less multiplication of x86-64 processors: sixteen bytes
//! at a time, thirty-two, or sixty-four.
//!
//! A value of [`Narrow`], [`Middle`] or [`Wide`] is the proof that this processor has the instructions:
//! `detect` is the only way to get one. Every `unsafe` call of a function with target features
//! rests on that.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use crate::engine::native_engine;
use crate::field::Sum;
use crate::shape::{BLOCK, FAN, STRIPE};

/// How far ahead a long input is asked for. Where an input is not aligned to cache lines, each
/// load waits for two of them, and the processor's own foresight falls behind.
const AHEAD: usize = 384;

/// Processors with PCLMULQDQ.
#[derive(Clone, Copy)]
pub(crate) struct Narrow(());

/// Processors with VPCLMULQDQ and AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Middle(());

/// Processors with VPCLMULQDQ and AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Wide(());

impl Narrow {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("sse4.1"))
            .then_some(Self(()))
    }
}

impl Middle {
    pub(crate) fn detect() -> Option<Self> {
        (Narrow::detect().is_some()
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("vpclmulqdq"))
        .then_some(Self(()))
    }
}

impl Wide {
    pub(crate) fn detect() -> Option<Self> {
        (Middle::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl"))
        .then_some(Self(()))
    }
}

native_engine!(Narrow, "pclmulqdq,sse4.1", block_narrow);
native_engine!(Middle, "pclmulqdq,vpclmulqdq,avx2", block_middle);
native_engine!(
    Wide,
    "pclmulqdq,vpclmulqdq,avx512f,avx512bw,avx512vl",
    block_wide
);

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn load(value: u128) -> __m128i {
    _mm_set_epi64x((value >> 64) as i64, value as i64)
}

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn store(value: __m128i) -> u128 {
    let (low, high) = (
        _mm_cvtsi128_si64(value) as u64,
        _mm_extract_epi64::<1>(value) as u64,
    );
    u128::from(low) | u128::from(high) << 64
}

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn multiply(a: u128, b: u128) -> Sum {
    let (a, b) = (load(a), load(b));
    let middle = _mm_xor_si128(
        _mm_clmulepi64_si128::<0x01>(a, b),
        _mm_clmulepi64_si128::<0x10>(a, b),
    );
    Sum {
        low: store(_mm_clmulepi64_si128::<0x00>(a, b)),
        middle: store(middle),
        high: store(_mm_clmulepi64_si128::<0x11>(a, b)),
    }
}

/// The same as [`Sum::reduce`]: the upper half comes down in two steps of 64 bits.
#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn reduce(sum: Sum) -> u128 {
    let (low, middle, high) = (load(sum.low), load(sum.middle), load(sum.high));
    let low = _mm_xor_si128(low, _mm_slli_si128::<8>(middle));
    let high = _mm_xor_si128(high, _mm_srli_si128::<8>(middle));
    let modulus = _mm_set_epi64x(0, 0x87);
    let upper = _mm_clmulepi64_si128::<0x01>(high, modulus);
    let low = _mm_xor_si128(low, _mm_slli_si128::<8>(upper));
    let high = _mm_xor_si128(high, _mm_srli_si128::<8>(upper));
    store(_mm_xor_si128(
        low,
        _mm_clmulepi64_si128::<0x00>(high, modulus),
    ))
}

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn block_narrow(keys: &[u128; FAN], bytes: &[u8]) -> Sum {
    let zero = _mm_setzero_si128();
    let mut sums = [zero; 3];
    let (stripes, rest) = bytes.as_chunks::<STRIPE>();
    let (key_stripes, _) = keys.as_chunks::<{ STRIPE / 16 }>();
    for (stripe, keys) in stripes.iter().zip(key_stripes) {
        stripe_narrow(&mut sums, stripe, keys);
    }
    if !rest.is_empty() {
        let mut padded = [0; STRIPE];
        padded[..rest.len()].copy_from_slice(rest);
        stripe_narrow(&mut sums, &padded, &key_stripes[stripes.len()]);
    }
    let [low, middle, high] = sums;
    Sum {
        low: store(low),
        middle: store(middle),
        high: store(high),
    }
}

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.1")]
fn stripe_narrow(sums: &mut [__m128i; 3], stripe: &[u8; STRIPE], keys: &[u128; STRIPE / 16]) {
    let (stripe, keys) = (
        stripe.as_ptr().cast::<__m128i>(),
        keys.as_ptr().cast::<__m128i>(),
    );
    for i in 0..4 {
        // SAFETY: both arrays hold eight vectors, and these loads need no alignment.
        let (a, b, key_a, key_b) = unsafe {
            (
                _mm_loadu_si128(stripe.add(i)),
                _mm_loadu_si128(stripe.add(i + 4)),
                _mm_loadu_si128(keys.add(i)),
                _mm_loadu_si128(keys.add(i + 4)),
            )
        };
        let (a, b) = (_mm_xor_si128(a, key_a), _mm_xor_si128(b, key_b));
        let middle = _mm_xor_si128(
            _mm_clmulepi64_si128::<0x01>(a, b),
            _mm_clmulepi64_si128::<0x10>(a, b),
        );
        sums[0] = _mm_xor_si128(sums[0], _mm_clmulepi64_si128::<0x00>(a, b));
        sums[1] = _mm_xor_si128(sums[1], middle);
        sums[2] = _mm_xor_si128(sums[2], _mm_clmulepi64_si128::<0x11>(a, b));
    }
}

#[inline]
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx2")]
fn block_middle(keys: &[u128; FAN], bytes: &[u8]) -> Sum {
    let mut sums = [_mm256_setzero_si256(); 3];
    let (stripes, rest) = bytes.as_chunks::<STRIPE>();
    let (key_stripes, _) = keys.as_chunks::<{ STRIPE / 16 }>();
    for (stripe, keys) in stripes.iter().zip(key_stripes) {
        for line in [AHEAD, AHEAD + 64] {
            // SAFETY: a prefetch may name any address.
            #[allow(unused_unsafe, reason = "newer compilers take it for safe")]
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(stripe.as_ptr().wrapping_add(line).cast())
            };
        }
        stripe_middle(&mut sums, stripe, keys);
    }
    if !rest.is_empty() {
        let mut padded = [0; STRIPE];
        padded[..rest.len()].copy_from_slice(rest);
        stripe_middle(&mut sums, &padded, &key_stripes[stripes.len()]);
    }
    let fold = |sum| {
        _mm_xor_si128(
            _mm256_castsi256_si128(sum),
            _mm256_extracti128_si256::<1>(sum),
        )
    };
    let [low, all, high] = sums;
    let middle = _mm256_xor_si256(all, _mm256_xor_si256(low, high));
    Sum {
        low: store(fold(low)),
        middle: store(fold(middle)),
        high: store(fold(high)),
    }
}

/// Three products instead of four, after Karatsuba, because these processors are slow at them: the
/// product of the sums of the halves is all three parts together.
#[inline]
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx2")]
fn stripe_middle(sums: &mut [__m256i; 3], stripe: &[u8; STRIPE], keys: &[u128; STRIPE / 16]) {
    let (stripe, keys) = (
        stripe.as_ptr().cast::<__m256i>(),
        keys.as_ptr().cast::<__m256i>(),
    );
    for i in 0..2 {
        // SAFETY: both arrays hold four vectors, and these loads need no alignment.
        let (a, b, key_a, key_b) = unsafe {
            (
                _mm256_loadu_si256(stripe.add(i)),
                _mm256_loadu_si256(stripe.add(i + 2)),
                _mm256_loadu_si256(keys.add(i)),
                _mm256_loadu_si256(keys.add(i + 2)),
            )
        };
        let (a, b) = (_mm256_xor_si256(a, key_a), _mm256_xor_si256(b, key_b));
        let halves = _mm256_xor_si256(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
        let all = _mm256_clmulepi64_epi128::<0x01>(halves, halves);
        sums[0] = _mm256_xor_si256(sums[0], _mm256_clmulepi64_epi128::<0x00>(a, b));
        sums[1] = _mm256_xor_si256(sums[1], all);
        sums[2] = _mm256_xor_si256(sums[2], _mm256_clmulepi64_epi128::<0x11>(a, b));
    }
}

#[inline]
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx512f,avx512bw,avx512vl")]
fn block_wide(keys: &[u128; FAN], bytes: &[u8]) -> Sum {
    assert!(bytes.len() <= BLOCK, "a block is {BLOCK} bytes at most");
    if let Ok(block) = bytes.try_into() {
        let shift = bytes.as_ptr().addr() % 64;
        if shift > 0 && shift.is_multiple_of(16) {
            return block_shifted(keys, block, shift);
        }
    }
    let keys = keys.as_ptr().cast::<__m512i>();
    let mut sums = [_mm512_setzero_si512(); 3];
    let (stripes, rest) = bytes.as_chunks::<STRIPE>();
    for (i, stripe) in stripes.iter().enumerate() {
        let stripe = stripe.as_ptr().cast::<__m512i>();
        for line in [AHEAD, AHEAD + 64] {
            // SAFETY: a prefetch may name any address.
            #[allow(unused_unsafe, reason = "newer compilers take it for safe")]
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(stripe.wrapping_byte_add(line).cast())
            };
        }
        // SAFETY: a stripe is two vectors; a block has at most as many as there are keys; the
        // loads need no alignment.
        let (a, b, key_a, key_b) = unsafe {
            (
                _mm512_loadu_si512(stripe),
                _mm512_loadu_si512(stripe.add(1)),
                _mm512_loadu_si512(keys.add(2 * i)),
                _mm512_loadu_si512(keys.add(2 * i + 1)),
            )
        };
        accumulate_wide(
            &mut sums,
            _mm512_xor_si512(a, key_a),
            _mm512_xor_si512(b, key_b),
        );
    }
    if !rest.is_empty() {
        let i = stripes.len();
        let mask_a = u64::MAX >> (64 - rest.len().min(64));
        let mask_b = if rest.len() > 64 {
            u64::MAX >> (128 - rest.len())
        } else {
            0
        };
        // SAFETY: bytes outside the masks are not read, nor do they fault; a rest leaves room for
        // its keys.
        let (a, b, key_a, key_b) = unsafe {
            let rest = rest.as_ptr();
            (
                _mm512_maskz_loadu_epi8(mask_a, rest.cast()),
                _mm512_maskz_loadu_epi8(mask_b, rest.wrapping_add(64).cast()),
                _mm512_loadu_si512(keys.add(2 * i)),
                _mm512_loadu_si512(keys.add(2 * i + 1)),
            )
        };
        accumulate_wide(
            &mut sums,
            _mm512_xor_si512(a, key_a),
            _mm512_xor_si512(b, key_b),
        );
    }
    finish_wide(sums)
}

/// The sum over a whole block that begins `shift` bytes behind a border of cache lines.
///
/// Loads that cross lines are slow where memory is the limit; so here they lie on lines, and hold
/// the last elements of one half of a stripe before the first of the next half. Those in front
/// pair with the vector before the last, the others with the last one: each with what is four
/// elements away, as everywhere.
#[inline]
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx512f,avx512bw,avx512vl")]
fn block_shifted(keys: &[u128; FAN], bytes: &[u8; BLOCK], shift: usize) -> Sum {
    const VECTORS: usize = BLOCK / 64;
    const ALL: __mmask8 = !0;
    let front: __mmask8 = (1 << (shift / 8)) - 1;
    // Both begin `shift` bytes early, so that each element is loaded beside its key.
    let bytes = bytes.as_ptr().wrapping_sub(shift).cast::<__m512i>();
    let keys = keys.as_ptr().wrapping_byte_sub(shift).cast::<__m512i>();
    let masked = |i: usize, mask: __mmask8| {
        let (bytes, keys) = (bytes.wrapping_add(i), keys.wrapping_add(i));
        // SAFETY: the masks leave out what lies before and behind the block and its keys, and
        // what is left out is not read, nor does it fault.
        unsafe {
            _mm512_xor_si512(
                _mm512_maskz_loadu_epi64(mask, bytes.cast()),
                _mm512_maskz_loadu_epi64(mask, keys.cast()),
            )
        }
    };
    let mut sums = [_mm512_setzero_si512(); 3];
    let mut first = masked(0, !front);
    let mut before = _mm512_setzero_si512();
    for i in (1..VECTORS).step_by(2) {
        let second = masked(i, ALL);
        accumulate_wide(
            &mut sums,
            first,
            _mm512_mask_blend_epi64(front, second, before),
        );
        before = second;
        first = if i + 1 < VECTORS {
            masked(i + 1, ALL)
        } else {
            masked(i + 1, front)
        };
    }
    accumulate_wide(&mut sums, first, before);
    finish_wide(sums)
}

#[inline]
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx512f,avx512bw,avx512vl")]
fn finish_wide([low, middle, high]: [__m512i; 3]) -> Sum {
    Sum {
        low: store(fold(low)),
        middle: store(fold(middle)),
        high: store(fold(high)),
    }
}

#[inline]
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx512f,avx512bw,avx512vl")]
fn accumulate_wide(sums: &mut [__m512i; 3], a: __m512i, b: __m512i) {
    const XOR3: i32 = 0x96;
    sums[0] = _mm512_xor_si512(sums[0], _mm512_clmulepi64_epi128::<0x00>(a, b));
    sums[1] = _mm512_ternarylogic_epi64::<XOR3>(
        sums[1],
        _mm512_clmulepi64_epi128::<0x01>(a, b),
        _mm512_clmulepi64_epi128::<0x10>(a, b),
    );
    sums[2] = _mm512_xor_si512(sums[2], _mm512_clmulepi64_epi128::<0x11>(a, b));
}

/// The sum of the four elements of a vector.
#[inline]
#[target_feature(enable = "pclmulqdq,vpclmulqdq,avx512f,avx512bw,avx512vl")]
fn fold(value: __m512i) -> __m128i {
    let half = _mm256_xor_si256(
        _mm512_castsi512_si256(value),
        _mm512_extracti64x4_epi64::<1>(value),
    );
    _mm_xor_si128(
        _mm256_castsi256_si128(half),
        _mm256_extracti128_si256::<1>(half),
    )
}
