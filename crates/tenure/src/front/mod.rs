//! The parts that only front doors use: the expansion of `#[cache_resource]`, the Python binding, and
//! [`Cache`].
//!
//! Public for them alone; nothing of it is promised. What a Rust program uses stands at the crate's root.
#![allow(missing_debug_implementations)]

mod builder;
mod cached;
mod carrying;
mod definition;
mod family;
mod given;
mod leaving;
mod owned;
mod probe;
mod refused;
mod returned;
mod rules;
mod slot;
mod sort;
mod warming;

// For the expansion.
pub use crate::key::args::{Arg, ByHash, ByKey, ByNothing};
pub use crate::key::{Encoder, KeyRef, Part};
pub use crate::life::building::carry::Start;
pub use crate::life::ended_by::EndedBy;
pub use crate::life::entry::Built;
pub use crate::words::bounds::SharedFailure;
pub use crate::words::fallible::{Failed, Outcome, Shared, Telling};
pub use cached::Cached;
pub use carrying::{Arguments, Carrying, Given, GivenAgain, GivenOnce, NotCarried, Owned};
pub use definition::Definition;
pub use family::{All, Family, Member, Members, Types};
pub use given::{
    Fixed, Lifetime, Lives, OnRelease, Tagging, Time, Ttl, Weight, give, tags, time, ttl,
};
pub use leaving::{Keep, Keeping, Kept, Leaves, NotKeeping, keep, leaves};
pub use probe::{
    Done, DoneLater, DoneWrong, Probe, Released, Said, SaidLater, SaidWrong, TellingNothing,
    TellingOwn, Verdict, future, resource, shared_failure, shown, with,
};
pub use refused::{NotKept, Nothing};
pub use returned::{NotAResult, Plain, Returned};
pub use rules::{Rules, Settled};
pub use slot::Slot;

// For code that is run again and again.
pub use crate::registry::identity::{Identity, Origin, Stamp};
pub use crate::registry::registered::Registered;

// For callers that are not threads, that wait in ways of their own, or hold resources without leases.
pub use crate::ground::strand::{Ancestry, Layers, Strand, tell_strands};
pub use crate::ground::underway::{after_releases, is_releasing};
pub use crate::life::aging::warm::Warmed;
pub use crate::life::building::again::Again;
pub use crate::life::building::asked::Asked;
pub use crate::life::building::detached::{Awaiting, BuildPlace, Detached, InBuild, Landed, Next};
pub use crate::life::building::details::Details;
pub use crate::life::building::waiting::{Awaited, Patiently, Waiting};
pub use crate::life::circle::{InSession, enter_session};
pub use crate::life::heirloom::{Heirloom, Legacy};
pub use crate::life::late_release::{LateRelease, Later};
pub use crate::words::behaviour::Holding;
pub use crate::words::error::BuildError;

// The engine's sentences, digests and durations, for another language.
pub use crate::key::digests::{Digester, Digests};
pub use crate::key::meaning::Meaning;
pub use crate::words::error::{cycle_text, no_session_text, shared_build_text, timed_out_text};
pub use crate::words::exposition::metric;
pub use tenure_digest::{Hasher128, SEED_BYTES, SecretInUse, keyed, seed};
pub use tenure_duration::{Parsed, TtlError, parse_duration};

// For tests.
pub use crate::words::inspect::Inspection;

pub use builder::CacheBuilder;
pub use owned::Cache;
pub use warming::Warming;
