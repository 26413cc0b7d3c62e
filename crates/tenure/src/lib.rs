//! Tenure keeps expensive things for programs that run the same code again and again: built once,
//! shared safely, checked, and released exactly once.
#![deny(missing_docs)]

mod bounds;
mod cache;
mod call;
mod clock;
pub mod digest;
mod engine;
mod entry;
mod error;
mod flight;
mod function;
mod host;
mod info;
mod inspect;
mod key;
mod observe;
mod order;
mod record;
mod registry;
mod release;
mod settings;
mod shown;
mod sync;
mod timer;
mod ttl;

pub use bounds::{Failure, Resource};
pub use clock::ManualClock;
pub use digest::Hasher128;
pub use engine::{Config, Engine};
pub use entry::Lease;
pub use error::{BuildError, Error, Interrupt, SettingError, cycle_text, no_session_text};
pub use function::{Function, Patiently, Waiting};
pub use host::{BuildStart, Host, HostBuild, SessionId};
pub use info::Info;
pub use inspect::Inspection;
pub use key::{Encoder, Key, KeyRef};
pub use record::{Observed, Recording};
pub use registry::{Identity, Registered};
pub use release::{Behaviour, Cause, Holding, ReleaseFailed};
pub use settings::{Scope, Settings, Spinner};
pub use ttl::{Parsed, TtlError, parse_duration};
