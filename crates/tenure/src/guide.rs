//! The guide and the README, whose Rust code runs as tests.

#[doc = include_str!("../../../docs/guide/rust.md")]
mod rust {}

#[doc = include_str!("../../../README.md")]
mod readme {}
