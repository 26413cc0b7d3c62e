//! Sessions of [`tenure`] for tower and axum.
//!
//! A cached function with `scope = "session"` keeps one resource for each session. Two things of a
//! web service are sessions:
//!
//! - **A user**, known by the cookie of [tower-sessions]: put a [`SessionLayer`] inside the
//!   `SessionManagerLayer`. What the user's requests have built is released when the cookie's
//!   session expires, or as soon as a handler flushes it.
//! - **A connection**, such as a WebSocket: run its task through [`per_connection`]. What it has
//!   built is released when the task ends or is dropped, which the loss of the connection brings
//!   about.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tenure::cache_resource;
//! use tenure_tower::SessionLayer;
//! use tower_sessions::{MemoryStore, SessionManagerLayer};
//!
//! #[cache_resource(scope = "session")]
//! async fn basket() -> std::sync::Mutex<Vec<String>> {
//!     Default::default()
//! }
//!
//! let app: Router = Router::new()
//!     .route("/", get(async || format!("{} things", basket().await.lock().unwrap().len())))
//!     .layer(SessionLayer::new())
//!     .layer(SessionManagerLayer::new(MemoryStore::default()));
//! ```
//!
//! Spawned tasks do not inherit the session; [`tenure::carry`] hands it on. A body that is streamed
//! after the handler has returned is outside the session: lease what it needs before.
//!
//! [tower-sessions]: https://docs.rs/tower-sessions
#![deny(missing_docs)]

mod connection;
mod layer;
mod live;

pub use connection::{PerConnection, per_connection};
pub use layer::{SessionLayer, SessionService};
