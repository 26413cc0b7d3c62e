//! Models: small programs of which a checker runs every interleaving, or many at random.
//!
//! What each one covers, and within what bounds, stands in `docs/design/0004-models.md`.

#[cfg(loom)]
mod model_loom;
#[cfg(loom)]
mod model_loom_hot;
#[cfg(shuttle)]
mod model_shuttle;
#[allow(dead_code)] // each checker uses a part of it
mod world;
