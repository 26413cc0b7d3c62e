//! The life of a resource: who builds it, who holds it, and every way out.

pub(crate) mod asker;
pub(crate) mod async_release;
pub(crate) mod build;
pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod carry;
pub(crate) mod checking;
pub(crate) mod circle;
pub(crate) mod cleared;
mod contents;
pub(crate) mod core;
pub(crate) mod detached;
pub(crate) mod drain;
pub(crate) mod entry;
pub(crate) mod flight;
pub(crate) mod hot;
pub(crate) mod late_release;
pub(crate) mod lease;
pub(crate) mod led;
pub(crate) mod order;
pub(crate) mod release;
pub(crate) mod removal;
pub(crate) mod services;
pub(crate) mod stalled;
pub(crate) mod succession;
pub(crate) mod waiter;
pub(crate) mod waiting;
