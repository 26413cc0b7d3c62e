//! The ground that everything stands on: locks and threads, time, background work, and who is
//! running.

pub(crate) mod clock;
pub(crate) mod counted;
pub(crate) mod latch;
pub(crate) mod strand;
pub(crate) mod sync;
pub(crate) mod timer;
pub(crate) mod underway;
