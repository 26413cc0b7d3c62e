//! The purpose that an encoding is made for.

use super::hash_funcs::HashFuncs;

/// The function that an encoding is made for.
pub(crate) struct Context<'a> {
    /// The function's qualified name, for messages.
    pub function: &'a str,
    /// The user's own rules.
    pub hash_funcs: Option<&'a HashFuncs>,
}
