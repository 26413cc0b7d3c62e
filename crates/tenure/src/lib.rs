//! Tenure keeps expensive things for programs that run the same code again and again: built once,
//! shared safely, checked, and released exactly once.
#![deny(missing_docs)]

mod api;
mod args;
mod bounds;
mod cache;
mod call;
mod clock;
mod context;
pub mod digest;
mod engine;
mod entry;
mod error;
mod fallible;
mod flight;
#[doc(hidden)]
pub mod front;
mod function;
mod host;
mod info;
mod inspect;
mod key;
mod later;
#[cfg(all(test, any(loom, shuttle)))]
mod model;
mod observe;
mod order;
mod program;
mod record;
mod registry;
mod release;
mod session;
mod settings;
mod shown;
pub mod stage;
mod sync;
#[cfg(feature = "terminal")]
mod terminal;
mod timer;
mod ttl;
mod underway;

pub use api::{
    ShutdownOnDrop, clear_all, configure, set_host, shutdown, shutdown_async, shutdown_on_drop,
};
pub use args::CacheKey;
pub use bounds::{Failure, Resource};
pub use clock::ManualClock;
pub use context::{Attached, Entered, carry};
pub use digest::Hasher128;
pub use engine::{Config, Engine};
pub use entry::Lease;
pub use error::{BuildError, Error, Interrupt, SettingError, cycle_text, no_session_text};
pub use fallible::Shared;
pub use function::{Function, Patiently, Waiting};
pub use host::{BuildStart, Host, HostBuild, SessionId};
pub use info::Info;
pub use inspect::Inspection;
pub use key::{Encoder, Key, KeyRef};
pub use later::{ReleaseFuture, set_spawner};
pub use program::ProgramHost;
pub use record::{Observed, Recording};
pub use registry::{Identity, Registered};
pub use release::{Behaviour, Cause, Holding, ReleaseFailed};
pub use session::Session;
pub use settings::{Scope, Settings, Spinner};
pub use stage::Stage;
#[cfg(feature = "macros")]
pub use tenure_macros::{CacheKey, cache_resource};
pub use ttl::{Parsed, TtlError, parse_duration};
