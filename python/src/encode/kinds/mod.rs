//! The kinds of arguments, each in a file of its own, and the table of them.
//!
//! A new kind is a file here with a [`Form`] and its place in the table.

pub(super) mod stand_in;

mod arrow;
mod buffers;
mod builtin;
mod callables;
mod containers;
mod files;
mod images;
mod numpy;
mod pandas;
mod parts;
mod stdlib;
mod waited_for;

use super::walk::Form;

/// How a kind is found by the fully-qualified name of a class.
type Find = fn(&str) -> Option<&'static dyn Form>;

const TABLE: [Find; 12] = [
    builtin::find,
    containers::find,
    stdlib::find,
    parts::find,
    callables::find,
    buffers::find,
    numpy::find,
    arrow::find,
    pandas::find,
    images::find,
    files::find,
    waited_for::find,
];

/// The form of a class's instances and of those that derive from it, if the class has one.
pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    TABLE.iter().find_map(|find| find(name))
}
