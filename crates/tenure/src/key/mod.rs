//! Keys: the canonical encoding of a call's arguments, and the form in which an entry keeps it.

pub(crate) mod args;
mod buffer;
pub(crate) mod digests;
mod encoder;
mod forms;
pub(crate) mod meaning;
pub(crate) mod parts;

pub use encoder::Encoder;
pub use forms::{Key, KeyRef};
pub use parts::Part;
