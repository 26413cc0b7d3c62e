//! The guide, the README and the macros' examples, whose Rust code runs as tests of this crate. It is never published:
//! what a packed crate tests lies inside it.
#![cfg(doctest)]

#[doc = include_str!("guide/rust.md")]
mod rust {}

#[doc = include_str!("guide/rust/async.md")]
mod rust_async {}

#[doc = include_str!("guide/rust/end.md")]
mod rust_end {}

#[doc = include_str!("guide/rust/entries.md")]
mod rust_entries {}

#[doc = include_str!("guide/rust/fleet.md")]
mod rust_fleet {}

#[doc = include_str!("guide/rust/hosts.md")]
mod rust_hosts {}

#[doc = include_str!("guide/rust/libraries.md")]
mod rust_libraries {}

#[doc = include_str!("guide/rust/refresh.md")]
mod rust_refresh {}

#[doc = include_str!("guide/rust/sessions.md")]
mod rust_sessions {}

#[doc = include_str!("guide/rust/testing.md")]
mod rust_testing {}

#[doc = include_str!("guide/from/rust-caches.md")]
mod from_rust_caches {}

#[doc = include_str!("../README.md")]
mod readme {}

#[doc = include_str!("../crates/tenure-macros/src/doc/cache_resource.md")]
mod cache_resource {}

#[doc = include_str!("../crates/tenure-macros/src/doc/cache_key.md")]
mod cache_key {}
