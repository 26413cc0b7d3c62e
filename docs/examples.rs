//! The guide, the README and the macros' examples, whose Rust code runs as tests of this crate. It is never published:
//! what a packed crate tests lies inside it.
#![cfg(doctest)]

#[doc = include_str!("guide/rust.md")]
mod rust {}

#[doc = include_str!("../README.md")]
mod readme {}

#[doc = include_str!("../crates/tenure-macros/src/doc/cache_resource.md")]
mod cache_resource {}

#[doc = include_str!("../crates/tenure-macros/src/doc/cache_key.md")]
mod cache_key {}
