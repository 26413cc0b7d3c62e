//! The Python front door of tenure: types, conversions and errors around the engine, and no rule
//! of its own.

mod api;
mod attach;
mod awaited;
mod bound;
mod cached;
mod callback;
mod current;
mod encode;
mod errors;
mod events;
mod exit;
mod fingerprint;
mod flat;
mod foreign;
mod host;
mod hosts;
mod identity;
mod info;
mod log;
mod maker;
mod modules;
mod options;
mod passed_on;
mod plan;
mod process;
mod registration;
mod renewed;
mod resource;
mod sessions;
#[cfg(unix)]
mod signals;
mod stale;
mod strands;
mod testing;
mod vectorcall;
mod waiting;
mod worker;

pub use api::_native;
