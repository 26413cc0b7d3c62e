//! The words of the interface: exceptions, figures, code in messages, and lines in the log.

pub(crate) mod code;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod explanation;
pub(crate) mod info;
pub(crate) mod log;
pub(crate) mod misspelt;
pub(crate) mod values;
