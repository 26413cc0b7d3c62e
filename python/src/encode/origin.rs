//! Where a class comes from, which says whether its name tells it from others.

use super::class::is_made_in_python;
use super::names;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// Where a class comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Its module has it under its name, or it is compiled: it goes by the name.
    Named,
    /// The script's, whose module is another one with each run, and in each session.
    Script,
    /// Its module has another class under the name, as after it was loaded again.
    Replaced,
    /// Its module has something else under the name, such as what a decorator made of it.
    Covered,
    /// A function's, or one that nothing leads to.
    Made,
}

impl Origin {
    pub(super) fn of(class: &Bound<'_, PyType>) -> Self {
        if !is_made_in_python(class) {
            return Self::Named;
        }
        let text = |name: &str| -> Option<String> {
            let text = class.getattr(name).ok()?;
            Some(text.cast::<PyString>().ok()?.to_string_lossy().into_owned())
        };
        if text("__qualname__").is_none_or(|name| name.contains("<locals>")) {
            Self::Made
        } else if text("__module__").is_some_and(|module| module == "__main__") {
            Self::Script
        } else {
            match names::found(class).ok().flatten() {
                Some(found) if found.is(class) => Self::Named,
                Some(found) if found.is_instance_of::<PyType>() => Self::Replaced,
                Some(_) => Self::Covered,
                None => Self::Made,
            }
        }
    }

    /// Whether members without a key are passed over. A script makes them anew with each run, so
    /// which object it is would say nothing; where a function makes the class, it says which one.
    pub(super) fn passes_over(self) -> bool {
        !matches!(self, Self::Named | Self::Made)
    }
}
