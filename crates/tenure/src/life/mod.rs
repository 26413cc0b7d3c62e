//! The life of a resource: who builds it, who holds it, and every way out.

pub(crate) mod aging;
pub(crate) mod async_release;
pub(crate) mod building;
pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod circle;
pub(crate) mod cleared;
mod contents;
pub(crate) mod core;
pub(crate) mod drain;
pub(crate) mod ended_by;
pub(crate) mod entry;
pub(crate) mod fleet;
pub(crate) mod flight;
pub(crate) mod heirloom;
pub(crate) mod history;
pub(crate) mod hot;
pub(crate) mod late_release;
pub(crate) mod lease;
pub(crate) mod order;
pub(crate) mod release;
pub(crate) mod removal;
pub(crate) mod services;
pub(crate) mod succession;
pub(crate) mod tagged;
pub(crate) mod turn;
