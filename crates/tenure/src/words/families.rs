//! The figures by the names that monitoring knows them under.

use std::fmt;
use std::time::Duration;

use crate::words::info::Info;

/// A family with one value for each function: its name, its kind, what it says, and the value.
pub(super) type Family = (&'static str, &'static str, &'static str, fn(&Info) -> Value);

/// A value of a family.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Number(u64),
    Seconds(Duration),
}

#[cfg(feature = "metrics")]
impl Value {
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Seconds(time) => time.as_secs(),
        }
    }

    /// The value as a float, where a number this high is not exact, and none is.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Number(number) => number as f64,
            Self::Seconds(time) => time.as_secs_f64(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Seconds(time) => time.as_secs_f64().fmt(f),
        }
    }
}

pub(super) const FAMILIES: [Family; 13] = [
    (
        "tenure_hits_total",
        "counter",
        "Calls that were answered from an entry.",
        |it| Value::Number(it.hits),
    ),
    (
        "tenure_builds_total",
        "counter",
        "Builds that gave a new resource.",
        |it| Value::Number(it.builds),
    ),
    (
        "tenure_build_failures_total",
        "counter",
        "Builds that failed.",
        |it| Value::Number(it.failures),
    ),
    (
        "tenure_release_failures_total",
        "counter",
        "Releases whose callback failed.",
        |it| Value::Number(it.release_failures),
    ),
    (
        "tenure_renewals_total",
        "counter",
        "Refreshes that gave the resource that was kept already.",
        |it| Value::Number(it.renewals),
    ),
    ("tenure_entries", "gauge", "Live entries.", |it| {
        Value::Number(it.entries)
    }),
    (
        "tenure_idle_entries",
        "gauge",
        "Live entries that nobody holds.",
        |it| Value::Number(it.idle),
    ),
    (
        "tenure_stale_entries",
        "gauge",
        "Live entries whose time is over.",
        |it| Value::Number(it.stale),
    ),
    (
        "tenure_inherited_entries",
        "gauge",
        "Live entries of a parent process.",
        |it| Value::Number(it.inherited),
    ),
    (
        "tenure_draining_resources",
        "gauge",
        "Resources that were let go and are still in use.",
        |it| Value::Number(it.draining),
    ),
    (
        "tenure_waiting_callers",
        "gauge",
        "Callers that wait for a build.",
        |it| Value::Number(it.waiting),
    ),
    (
        "tenure_weight",
        "gauge",
        "The weight of the live entries.",
        |it| Value::Number(it.weight),
    ),
    (
        "tenure_oldest_entry_seconds",
        "gauge",
        "The age of the oldest live entry.",
        |it| Value::Seconds(it.ages.iter().max().copied().unwrap_or_default()),
    ),
];

/// A family with a value for each value of a second label: its name, what it says, the label, and the values that there
/// were.
pub(super) type Labelled = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Info, &mut dyn FnMut(&'static str, u64)),
);

pub(super) const LABELLED: [Labelled; 4] = [
    (
        "tenure_misses_total",
        "Calls that found no entry, by the reason.",
        "reason",
        |it, see| those_there_were(it.all_missed().map(|(it, number)| (it.name(), number)), see),
    ),
    (
        "tenure_ends_total",
        "Entries that have ended, by the cause.",
        "cause",
        |it, see| those_there_were(it.ends().map(|(it, number)| (it.name(), number)), see),
    ),
    (
        "tenure_refreshes_total",
        "Refreshes in the background, by what became of them.",
        "result",
        |it, see| those_there_were(it.refreshes().map(|(it, number)| (it.name(), number)), see),
    ),
    (
        "tenure_releases_total",
        "Resources that were released, by the cause.",
        "cause",
        |it, see| those_there_were(it.releases().map(|(it, number)| (it.name(), number)), see),
    ),
];

fn those_there_were(
    numbers: impl Iterator<Item = (&'static str, u64)>,
    see: &mut dyn FnMut(&'static str, u64),
) {
    for (value, number) in numbers.filter(|(_, number)| *number > 0) {
        see(value, number);
    }
}
