//! Models: small programs of which a checker runs every interleaving, or many at random.
//!
//! Those of hits without a lock run on the system's threads too, where miri follows every pointer.
//!
//! What each one covers, and within what bounds, stands in `docs/design/0004-models.md`.

#[cfg(shuttle)]
mod carried;
#[cfg(not(shuttle))]
mod model_hot;
#[cfg(loom)]
mod model_loom;
#[cfg(shuttle)]
mod model_shuttle;
#[cfg(not(shuttle))]
mod threads;
#[allow(dead_code)] // each checker uses a part of it
mod world;
