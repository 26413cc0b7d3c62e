//! Which function it is: its identity, the code that decorates it, and what an edit outdates.

pub(crate) mod churn;
mod code;
pub(crate) mod files;
pub(crate) mod fingerprint;
pub(crate) mod identity;
pub(crate) mod maker;
pub(crate) mod provenance;
