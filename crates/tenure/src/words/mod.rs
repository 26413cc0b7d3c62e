//! The words of the interface: settings, errors, causes, figures.

pub(crate) mod behaviour;
pub(crate) mod bounds;
pub(crate) mod cause;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod explanation;
pub(crate) mod exposition;
pub(crate) mod fallible;
mod families;
pub(crate) mod fleet;
pub(crate) mod histogram;
pub(crate) mod info;
pub(crate) mod inspect;
mod json;
pub(crate) mod listing;
pub(crate) mod miss;
#[cfg(feature = "metrics")]
mod recorded;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod tags;
