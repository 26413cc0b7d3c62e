//! How an argument's way into the key is chosen: [`CacheKey`] first, [`Hash`] where there is none.
//!
//! The macro writes `(&&Arg(&value)).encode(key)`. Method look-up tries the receiver as it is, then
//! takes off one reference at a time, so the traits below are tried in their order. The last one
//! applies to everything and asks for `CacheKey`, so that the error names what is missing.

use std::hash::Hash;

use crate::key::Encoder;
use crate::key::args::cache_key::CacheKey;
use crate::key::meaning::Meaning;

/// An argument about to be written to a key. The expansion alone makes one.
#[allow(missing_debug_implementations)]
pub struct Arg<'a, T: ?Sized>(pub &'a T);

/// Arguments that are `CacheKey`.
pub trait ByKey {
    /// Writes the argument.
    fn encode(&self, key: &mut Encoder);
}

impl<T: CacheKey + ?Sized> ByKey for &Arg<'_, T> {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        self.0.encode(key);
    }
}

/// Arguments that are `Hash`.
pub trait ByHash {
    /// Writes the argument.
    fn encode(&self, key: &mut Encoder);
}

impl<T: Hash + ?Sized> ByHash for Arg<'_, T> {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        // What a type writes depends on its crate's version, and on the processor.
        key.narrow(Meaning::Version);
        self.0.hash(key);
    }
}

/// Arguments that are neither.
pub trait ByNothing {
    /// The type that the argument must be.
    type Needs: ?Sized;

    /// Does not compile.
    fn encode(self, key: &mut Encoder)
    where
        Self::Needs: CacheKey;
}

impl<T: ?Sized> ByNothing for Arg<'_, T> {
    type Needs = T;

    fn encode(self, key: &mut Encoder)
    where
        T: CacheKey,
    {
        self.0.encode(key);
    }
}
