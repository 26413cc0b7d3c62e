//! Numbers, and slices of them, which are written in one piece.
#![allow(unsafe_code)]

use std::num::{NonZero, Saturating, Wrapping};

use crate::key::Encoder;
use crate::key::args::cache_key::{BYTES, CacheKey};

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl CacheKey for $number {
            #[inline]
            fn encode(&self, key: &mut Encoder) {
                key.raw(&self.to_ne_bytes());
            }

            #[inline]
            fn encode_slice(values: &[Self], key: &mut Encoder) {
                // SAFETY: a number has no padding, and any of its bytes may be read as a `u8`;
                // length and lifetime are the slice's own.
                let bytes = unsafe {
                    std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values))
                };
                key.framed(BYTES, bytes);
            }
        }
    )*};
}

numbers!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64
);

macro_rules! wrapped {
    ($($number:ty),*) => {$(
        impl CacheKey for NonZero<$number> {
            #[inline]
            fn encode(&self, key: &mut Encoder) {
                self.get().encode(key);
            }
        }
    )*};
}

wrapped!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

impl<T: CacheKey> CacheKey for Wrapping<T> {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        self.0.encode(key);
    }
}

impl<T: CacheKey> CacheKey for Saturating<T> {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        self.0.encode(key);
    }
}

impl CacheKey for bool {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        key.raw(&[u8::from(*self)]);
    }
}

impl CacheKey for char {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        u32::from(*self).encode(key);
    }
}
