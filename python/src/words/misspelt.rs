//! Settings that there are not, and what their writers may have meant.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// What other caches call a setting.
const ELSEWHERE: [(&str, &str); 11] = [
    ("maxsize", "max_entries"),
    ("max_size", "max_entries"),
    ("capacity", "max_entries"),
    ("timeout", "ttl"),
    ("ttl_secs", "ttl"),
    ("ttl_seconds", "ttl"),
    ("expire", "ttl"),
    ("time_to_live", "ttl"),
    ("time_to_idle", "max_idle"),
    ("on_evict", "on_release"),
    ("eviction_listener", "on_release"),
];

/// The error for a keyword that a function does not have, with what to write instead.
#[pyfunction]
pub(crate) fn unknown_setting(
    py: Python<'_>,
    of: &str,
    name: &str,
    known: Vec<String>,
) -> Py<PyAny> {
    let is_known = |name: &str| known.iter().any(|it| it == name);
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(other, own)| *other == name && is_known(own));
    let advice = match (elsewhere, nearest(name, &known)) {
        (Some((_, own)), _) => format!("write {own}"),
        (None, Some(near)) => format!("did you mean {near}?"),
        (None, None) => format!("there are {}", listed(&known)),
    };
    PyTypeError::new_err(format!("{of} has no setting '{name}'; {advice}"))
        .into_value(py)
        .into_any()
}

/// The name that this one is a slip away from: of the letters of a short one half have to be right at least.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let near = known
        .iter()
        .map(|it| (strsim::osa_distance(name, it), it.as_str()))
        .min()?;
    (near.0 <= 2 && near.0 * 2 < name.chars().count()).then_some(near.1)
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [name] => name.clone(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}
