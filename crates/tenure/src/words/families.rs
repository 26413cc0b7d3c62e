//! The figures by the names that monitoring knows them under.

use std::time::Duration;

use crate::words::info::Info;

/// A family with one value for each function: its name, its kind, what it says, and the value.
pub(super) type Family = (&'static str, &'static str, &'static str, fn(&Info) -> u64);

pub(super) const FAMILIES: [Family; 13] = [
    (
        "tenure_hits_total",
        "counter",
        "Calls that were answered from an entry.",
        |it| it.hits,
    ),
    (
        "tenure_builds_total",
        "counter",
        "Builds that gave a new resource.",
        |it| it.builds,
    ),
    (
        "tenure_build_failures_total",
        "counter",
        "Builds that failed.",
        |it| it.failures,
    ),
    (
        "tenure_release_failures_total",
        "counter",
        "Releases whose callback failed.",
        |it| it.release_failures,
    ),
    (
        "tenure_renewals_total",
        "counter",
        "Refreshes that gave the resource that was kept already.",
        |it| it.renewals,
    ),
    ("tenure_entries", "gauge", "Live entries.", |it| it.entries),
    (
        "tenure_idle_entries",
        "gauge",
        "Live entries that nobody holds.",
        |it| it.idle,
    ),
    (
        "tenure_stale_entries",
        "gauge",
        "Live entries whose time is over.",
        |it| it.stale,
    ),
    (
        "tenure_inherited_entries",
        "gauge",
        "Live entries of a parent process.",
        |it| it.inherited,
    ),
    (
        "tenure_draining_resources",
        "gauge",
        "Resources that were let go and are still in use.",
        |it| it.draining,
    ),
    (
        "tenure_waiting_callers",
        "gauge",
        "Callers that wait for a build.",
        |it| it.waiting,
    ),
    (
        "tenure_weight",
        "gauge",
        "The weight of the live entries.",
        |it| it.weight,
    ),
    (
        "tenure_oldest_entry_seconds",
        "gauge",
        "The age of the oldest live entry.",
        |it| it.ages.iter().max().map_or(0, Duration::as_secs),
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
