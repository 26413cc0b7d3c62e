//! What `#[cache_resource]` expands to, and [`Cache`]: signatures and conversions around the engine's
//! calls.
//!
//! But for what the crate re-exports it is public for the expansion alone; nothing of it is promised.
#![allow(missing_debug_implementations)]

mod cached;
mod carrying;
mod definition;
mod family;
mod given;
mod owned;
mod probe;
mod refused;
mod returned;
mod rules;
mod slot;

pub use crate::key::args::{Arg, ByHash, ByKey, ByNothing};
pub use crate::key::{Encoder, KeyRef};
pub use crate::life::carry::Start;
pub use crate::life::entry::Built;
pub use crate::words::bounds::SharedFailure;
pub use crate::words::fallible::{Failed, Outcome, Shared};
pub use cached::Cached;
pub use carrying::{Arguments, Carrying, Given, GivenOnce, NotCarried, Owned};
pub use definition::{Definition, Made};
pub use family::{All, Family, Member, Members, Types};
pub use given::{OnRelease, Time, give, time};
pub use owned::{Cache, CacheBuilder};
pub use probe::{
    Done, DoneLater, DoneWrong, NoSource, Probe, Released, Said, SaidLater, SaidWrong, Source,
    Verdict, future, resource, shared_failure, shown, with,
};
pub use refused::{NotKept, Nothing};
pub use returned::{NotAResult, Plain, Returned};
pub use rules::{Rules, Settled};
pub use slot::Slot;
