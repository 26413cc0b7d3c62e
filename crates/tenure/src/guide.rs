//! The guide, the README and the examples of the macros, whose Rust code runs as tests.

#[doc = include_str!("../../../docs/guide/rust.md")]
mod rust {}

#[doc = include_str!("../../../README.md")]
mod readme {}

#[doc = include_str!("../../tenure-macros/src/doc/cache_resource.md")]
mod cache_resource {}

#[doc = include_str!("../../tenure-macros/src/doc/cache_key.md")]
mod cache_key {}
