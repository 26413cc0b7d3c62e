//! The program around: its host, its sessions, and who shares an entry.

pub(crate) mod host;
pub(crate) mod hosts;
pub(crate) mod modules;
pub(crate) mod scope;
pub(crate) mod secret;
pub(crate) mod sessions;
