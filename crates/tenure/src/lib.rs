//! Tenure keeps expensive things for programs that run the same code again and again: built once,
//! shared safely, checked, and released exactly once.
//!
//! Connections, pools, models, indexes, clients: what is slow to make, is used by many, and has to
//! be given back. A cache of values forgets them; Tenure looks after them.
//!
//! # A first example
//!
//! ```
//! use std::io;
//! use tenure::{Lease, cache_resource};
//!
//! # struct Pool { url: String }
//! # impl Pool {
//! #     fn connect(url: &str) -> io::Result<Self> { Ok(Self { url: url.to_owned() }) }
//! #     fn is_alive(&self) -> bool { true }
//! #     fn close(self) {}
//! #     fn query(&self, text: &str) -> usize { text.len() }
//! # }
//! #[cache_resource(ttl = "1h", max_entries = 8, validate = Pool::is_alive, on_release = Pool::close)]
//! fn pool(url: &str) -> io::Result<Pool> {
//!     Pool::connect(url)
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let _released = tenure::shutdown_on_drop();
//!     let one: Lease<Pool> = pool("db://here")?;
//!     one.query("select 1"); // a lease derefs to the resource
//!     let two = pool("db://here")?; // a hit: nothing is built
//!     assert!(two.same_entry(&one));
//!     pool::clear(); // both leases go on: the pool is closed after the last of them
//!     println!("{:?}", pool::info());
//!     Ok(())
//! }
//! ```
//!
//! # What is promised
//!
//! - **Built once.** However many threads and tasks ask for a key at once, one of them builds, and
//!   the others wait. A build that fails gives its error to all who waited, and the next call
//!   builds again; one that panics or is cancelled hands on.
//! - **Released once.** Every resource that was built is passed to `on_release`, or dropped,
//!   exactly once, when its cache has let go of it and the last [`Lease`] is gone. Nobody who holds
//!   a lease ever meets a closed connection.
//! - **Never late.** What has expired is never handed out again, and is released by a background
//!   thread with nobody calling. `max_entries` holds at every moment.
//! - **Keys are exact.** Different arguments never share an entry. Nothing is sampled or truncated,
//!   floats count bit for bit, and whoever controls the arguments cannot make two calls collide. The
//!   one thing that is taken at its word is a `Hash` of another type that was written by hand: what
//!   it leaves out does not count. [`CacheKey`] says what to do with one.
//! - **Nothing foreign under a lock.** A slow or re-entrant build, check, release or `Drop` delays
//!   nobody else.
//!
//! # The guide
//!
//! [Tenure in Rust](https://github.com/tenure-rs/tenure/blob/main/docs/guide/rust.md) shows each part with examples that
//! run: [async](https://github.com/tenure-rs/tenure/blob/main/docs/guide/rust/async.md),
//! [refresh and budgets](https://github.com/tenure-rs/tenure/blob/main/docs/guide/rust/refresh.md),
//! [entries by hand](https://github.com/tenure-rs/tenure/blob/main/docs/guide/rust/entries.md),
//! [sessions](https://github.com/tenure-rs/tenure/blob/main/docs/guide/rust/sessions.md),
//! [the end of the program](https://github.com/tenure-rs/tenure/blob/main/docs/guide/rust/end.md),
//! [tests](https://github.com/tenure-rs/tenure/blob/main/docs/guide/rust/testing.md). `make docs` has it beside this
//! reference on a site of its own.
//!
//! # How the rest is organised
//!
//! | You want to | Look at |
//! |---|---|
//! | set a time to live, a bound, a check, a callback, a spinner | [`cache_resource`] |
//! | pass arguments of your own types | [`CacheKey`] |
//! | handle an error that was shared | [`Shared`] |
//! | keep one resource for each user, connection or job | [`Session`], and the crate `tenure-tower` for axum |
//! | look at what is kept, put in, take out | [`cache_resource`]: `name::peek(…)`, `name::insert(…)`, `name::clear_if(…)` and so on; [`EntryInfo`] |
//! | go without a static, as in a library | [`Cache`] |
//! | clear, configure, shut down | [`clear_all`], [`configure`], [`shutdown`] |
//! | see what happened | `name::info()`, which gives an [`Info`], and the `tracing` span `build` |
//! | show again what a build has shown | [`stage`] |
//! | show builds in your own way | [`Host`], [`set_host`] |
//! | go without the macro | [`Engine`], [`Function`], [`Encoder`] |
//!
//! # Features
//!
//! | Feature | Default | Adds |
//! |---|---|---|
//! | `macros` | yes | [`cache_resource`] and `#[derive(CacheKey)]` |
//! | `metrics` | no | [`Report::record`], which gives the figures to the `metrics` crate |
//! | `terminal` | no | a spinner with text and elapsed time where standard error is a terminal, through indicatif |
//! | `tokio` | yes | async builds belong to no caller on tokio, and async `on_release` runs on the runtime that last built a resource of the function, if there was one |
//!
//! Async functions work on every runtime, with no feature; [`set_spawner`] has another runtime carry builds.
//!
//! # Questions
//!
//! **Why must a resource be `Send`, `Sync` and `'static`?** Any thread may be the one that asks for
//! it next, and any may be the one that drops the last lease. A connection that is only `Send` goes
//! into a `Mutex`.
//!
//! **Why a [`Lease`] and not a reference?** The cache may let go at any time: the entry expires, is
//! evicted or cleared. A lease keeps what it holds until you are done. Do not keep one longer than
//! you use it: call the function again, which costs a few nanoseconds.
//!
//! **What happens to an entry that expires while I hold a lease?** Nobody gets it any more, and the
//! next call builds a new one. Yours stays good until you drop it. With `drain = "30s"` a warning is
//! logged where that takes longer.
//!
//! **My function returns `Result`. Is an error kept?** No. It goes to everyone who waited for that
//! build, as a [`Shared`] that works with `?`, and the next call builds again. That holds for a
//! `Result` under another name too. An `Option` is kept as it is, `None` as well, unless
//! `keep_if = Option::is_some` says otherwise.
//!
//! **My function takes a `&mut`.** What is done through it would happen in a build and not on a hit,
//! so it is refused. One that is left out of the key (`_progress: &mut Bar`) is for the build alone.
//!
//! **What if a function that cannot fail is called in a circle, or without a session?** It panics,
//! with a message that names the circle or says what to do. One that returns `Result` gives an error
//! with [`is_cycle`](Shared::is_cycle) or [`is_no_session`](Shared::is_no_session) instead.
//!
//! **What does the name of the function stand for twice?** `pool(…)` is the function; `pool::clear()`
//! belongs to a type of the same name that holds no value. Both are imported together. For methods
//! the functions are `Type::name_clear()`, `name_clear_entry(…)`, `name_info()` and so on. Where a module or
//! a type has the function's name (`mod config;` beside `fn config()`, or `pub use pool::pool` beside
//! `mod pool`), `#[cache_resource(cache = config_cache)]` gives it another, and
//! `config_cache::clear()`.
//!
//! **May a blocking function wait for an async one?** Both wait for the same builds. But a thread
//! that blocks for a build which only that very thread could poll waits for ever: in async code,
//! call async cached functions.
//!
//! **Where do async callbacks run?** See [`set_spawner`].
//!
//! **What runs at the end of the process?** Statics are not dropped, so say when the program is
//! over: [`shutdown_on_drop`] in `main`.
//!
//! **How does it compare with `moka`, `quick_cache`, `cached`?** They keep values, and are good at
//! it: many small entries, weights, admission by frequency. None of them knows when a value is no
//! longer in use, checks one before it hands it out, or keeps one per session.
#![deny(missing_docs, missing_debug_implementations)]

mod directory;
mod engine;
pub mod fleet;
#[doc(hidden)]
pub mod front;
mod function;
mod ground;
mod host;
mod key;
mod life;
#[cfg(test)]
mod model;
mod program;
mod registry;
mod sessions;
mod shutdown;
pub mod testing;
mod words;

// In the order in which one needs them; what only front doors use is in `front`.

// A function and its arguments.
pub use key::args::CacheKey;
#[cfg(feature = "macros")]
pub use tenure_macros::{CacheKey, cache_resource};

// What it gives, and what became of that.
pub use life::cleared::Cleared;
pub use life::lease::Lease;
pub use words::cause::Cause;
pub use words::explanation::Explanation;
pub use words::histogram::Histogram;
pub use words::info::{EntryInfo, Figures, Info};
pub use words::listing::{Event, Happened, ListedDraining, ListedEntry, ListedFunction, Listing};
pub use words::miss::Miss;
pub use words::report::Report;
pub use words::runs::{Refreshed, Runs, Trigger};

// What can go wrong.
pub use words::error::SettingError;
pub use words::fallible::Shared;

// Sessions.
pub use program::context::{Attached, Entered, carry};
pub use program::session::Session;
pub use program::visit::Visit;

// A cache without a static.
#[doc(inline)]
pub use front::{Cache, CacheBuilder, Released, Warming};

// The program as a whole.
pub use life::async_release::{ReleaseFuture, set_spawner};
pub use program::api::{
    ShutdownOnDrop, clear_all, clear_tag, configure, info, shutdown, shutdown_async,
    shutdown_on_drop,
};
pub use words::config::Config;

// Hosts, and what builds show.
pub use host::record::{Observed, Recording};
pub use host::{BuildStart, Host, HostBuild, SessionId};
pub use program::ProgramHost;
pub use program::api::set_host;
pub use program::stage::{self, Stage};
pub use words::error::Interrupt;

// The engine without the macro.
pub use engine::Engine;
pub use function::Function;
pub use ground::clock::{ManualClock, SteeredClock};
pub use ground::timer::Due;
pub use key::{Encoder, Key, KeyRef, Part};
pub use words::behaviour::{Behaviour, ReleaseFailed};
pub use words::bounds::{Failure, Resource};
pub use words::error::{Error, KeptFor};
pub use words::settings::{Fork, Refresh, Scope, Settings, Spinner};
pub use words::tags::Tags;
