//! Arguments as parts of a key.
//!
//! A call's key is what its arguments write, one after the other. Types are known when the program
//! is compiled, so that a value need not carry its type; but it must carry its extent: no encoding
//! of a type may be the beginning of another one of the same type. Then two calls write the same
//! bytes only if their arguments are equal (K1).

mod cache_key;
mod numbers;
mod select;
mod standard;

pub use cache_key::CacheKey;
pub use select::{Arg, ByHash, ByKey, ByNothing};
