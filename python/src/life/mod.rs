//! A Python object as a resource: how it is made, checked, watched and released.

pub(crate) mod arity;
pub(crate) mod awaitables;
pub(crate) mod callback;
pub(crate) mod claims;
pub(crate) mod failure;
pub(crate) mod interrupts;
pub(crate) mod measures;
pub(crate) mod raised;
pub(crate) mod resource;
pub(crate) mod traces;
