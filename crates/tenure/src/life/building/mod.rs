//! Builds and those who wait for them: who asks, who leads, who carries, and how long a caller waits.

pub(crate) mod again;
pub(crate) mod asked;
pub(crate) mod asker;
pub(crate) mod build;
pub(crate) mod carry;
pub(crate) mod checking;
pub(crate) mod detached;
pub(crate) mod details;
pub(crate) mod hearer;
pub(crate) mod hearing;
pub(crate) mod hold;
pub(crate) mod leader;
pub(crate) mod led;
pub(crate) mod patience;
pub(crate) mod polled;
pub(crate) mod stalled;
pub(crate) mod waiter;
pub(crate) mod waiting;
