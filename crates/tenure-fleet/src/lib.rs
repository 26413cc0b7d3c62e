//! The bus of a fleet: what one process clears in its cache ends in all others, through Valkey or Redis.
//!
//! A [`Fleet`] is one member. It [raises](Fleet::raise) what has ended in its own cache, and tells its [`Listener`] what
//! has ended elsewhere. A raise is never lost: a member that was cut off catches up when it is back, also where the server
//! has forgotten everything meanwhile. Nothing but [marks](Mark) and numbers reaches the server.
//!
//! ```no_run
//! # use tenure_fleet::{Ending, Fleet, Listener, Purpose, Settings, Topic};
//! # struct Cache;
//! # impl Listener for Cache {
//! #     fn ended(&self, _: Topic, _: Ending) {}
//! #     fn forgot(&self) {}
//! #     fn lost(&self) {}
//! #     fn caught_up(&self) {}
//! #     fn figures(&self) -> String { "{}".into() }
//! # }
//! # fn main() -> Result<(), tenure_fleet::Error> {
//! let settings = Settings::new("redis://cache.internal", "4f1c2a9be07d4c55a7d1");
//! let fleet = Fleet::join(settings, std::sync::Arc::new(Cache))?;
//!
//! let prices = fleet.mark(Purpose::Function, &[b"shop.prices"]);
//! fleet.raise(Topic::Function(prices), Ending::Cleared);
//! # Ok(())
//! # }
//! ```
//!
//! A program that uses [`tenure`](https://docs.rs/tenure) calls [`join`], and has nothing else to do with this crate.
#![deny(missing_docs, missing_debug_implementations)]

mod ear;
mod error;
mod fleet;
#[cfg(all(test, unix))]
mod forked;
mod join;
mod listener;
mod machine;
mod mark;
mod member;
#[cfg(test)]
mod model;
mod number;
mod outbox;
mod parts;
mod permit;
mod random;
mod seal;
mod server;
mod settings;
mod shared;
mod threads;
mod topic;
mod valkey;
mod voice;

pub use error::Error;
pub use fleet::{Fleet, State};
pub use join::{join, join_as, prepare};
pub use listener::Listener;
pub use member::{Member, MembersAsked};
pub use permit::{Asking, Permit, PermitWait};
pub use settings::Settings;
pub use tenure::fleet::{Ending, Mark, Purpose, Topic};
