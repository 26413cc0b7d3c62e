//! How entries grow old: what a resource is asked before it is kept, how long it is fresh, what is looked at
//! when, and who builds its successor.

pub(crate) mod admission;
pub(crate) mod age;
pub(crate) mod agenda;
pub(crate) mod budget;
pub(crate) mod old;
pub(crate) mod refresh;
pub(crate) mod term;
pub(crate) mod warm;
pub(crate) mod workers;
