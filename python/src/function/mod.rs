//! A cached function: how it is decorated and called, and what Python can ask of it.

pub(crate) mod actor_settings;
pub(crate) mod again;
pub(crate) mod argument_array;
pub(crate) mod bound;
pub(crate) mod building;
mod by_hand;
pub(crate) mod cached;
pub(crate) mod decorator;
pub(crate) mod details;
pub(crate) mod heirs;
pub(crate) mod leased;
pub(crate) mod methods;
pub(crate) mod naming;
pub(crate) mod options;
pub(crate) mod plan;
pub(crate) mod registration;
pub(crate) mod remote;
pub(crate) mod shape;
pub(crate) mod shown;
pub(crate) mod stand_in;
pub(crate) mod tags;
pub(crate) mod vectorcall;
