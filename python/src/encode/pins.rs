//! The objects of a callable that its identity rests on.

use super::first_content::First;
use pyo3::prelude::*;
use std::sync::Arc;

/// The part that a callable has for the function that is decorated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The function itself: what it holds counts as arguments do.
    Function,
    /// One of its settings: what it holds counts as it was when it was [first met](super::first_content).
    Callback,
}

/// The objects of a callable that must be kept alive for what was written of it to mean it.
#[derive(Default)]
pub(crate) struct Holds {
    /// Those that have no key.
    pub(crate) pins: Vec<Pin>,
    /// Those that count as they were when they were first met.
    pub(crate) firsts: Vec<Arc<First>>,
    /// The variables that functions close over, and their defaults, with the digest of each.
    pub(crate) captured: Vec<(String, u128)>,
}

/// Something without a key in what a function is made of; in a callback, one that was not met
/// before.
pub(crate) struct Pin {
    /// The object, which must stay alive as long as its address counts.
    pub(crate) value: Py<PyAny>,
    /// The variable or attribute that held it.
    pub(crate) name: String,
    /// A text that says what it is and why it has no key.
    pub(crate) reason: String,
    /// Whether it is what a parameter has where a call leaves it out.
    pub(crate) is_default: bool,
    /// Whether it is a variable that has no value yet.
    pub(crate) is_unbound: bool,
}
