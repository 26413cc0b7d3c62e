//! What an engine's caches have to do with the fleet that it is a member of.

pub(super) mod marks;
pub(crate) mod membership;
mod told;
