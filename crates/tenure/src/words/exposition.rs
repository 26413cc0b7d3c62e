//! The figures in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use crate::words::histogram::Histogram;
use crate::words::info::Info;
use crate::words::report::Report;
use crate::words::runs::Trigger;

/// A family with one value for each function: its name, its kind, what it says, and the value.
type Family = (&'static str, &'static str, &'static str, fn(&Info) -> u64);

const FAMILIES: [Family; 13] = [
    (
        "tenure_hits_total",
        "counter",
        "Calls that were answered from an entry.",
        |it| it.hits,
    ),
    (
        "tenure_builds_total",
        "counter",
        "Builds that gave a resource.",
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
type Labelled = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Info, &mut dyn FnMut(&'static str, u64)),
);

const LABELLED: [Labelled; 4] = [
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

/// The bytes that a function takes, about: room that is not used is never touched.
const ROOM: usize = 4096;

impl Report {
    /// The figures in the text format of Prometheus, version 0.0.4: what an endpoint answers with, as
    /// `text/plain; version=0.0.4`. Functions of one name are summed. Of reasons and causes those stand there that there
    /// were; neither keys nor arguments ever do.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop((pool(), pool()));
    /// let text = tenure::info().to_prometheus();
    /// assert!(text.contains("tenure_hits_total{function=\"pool\"} 1\n"));
    /// assert!(text.contains("tenure_misses_total{function=\"pool\",reason=\"absent\"} 1\n"));
    /// ```
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let functions = self.by_label();
        let mut text = String::with_capacity(functions.len() * ROOM);
        for (name, kind, help, value) in FAMILIES {
            head(&mut text, name, kind, help);
            for (function, info) in &functions {
                sample(&mut text, [name, "{", function, "}"], value(info));
            }
        }
        for (name, help, label, numbers) in LABELLED {
            head(&mut text, name, "counter", help);
            for (function, info) in &functions {
                numbers(info, &mut |value, number| {
                    let labels = [name, "{", function, ",", label, "=\"", value, "\"}"];
                    sample(&mut text, labels, number);
                });
            }
        }
        let bounds = Bounds::new();
        let name = "tenure_build_duration_seconds";
        let help = "How long builds took, also those that failed, by what had them run.";
        head(&mut text, name, "histogram", help);
        for (function, info) in &functions {
            for trigger in Trigger::ALL {
                let runs = info.runs(trigger);
                if runs.times.count() > 0 {
                    let labels = format!("{function},trigger=\"{}\"", trigger.name());
                    bounds.histogram(&mut text, name, &labels, runs.time, &runs.times);
                }
            }
        }
        text
    }

    /// The figures of each name, as a label has it.
    fn by_label(&self) -> BTreeMap<String, Info> {
        let mut functions: BTreeMap<String, Info> = BTreeMap::new();
        for (name, info) in &self.functions {
            functions.entry(label(name)).or_default().add(info);
        }
        functions
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

/// A line: the name with its labels, in parts, and the value.
fn sample<const N: usize>(text: &mut String, parts: [&str; N], value: impl Display) {
    for part in parts {
        text.push_str(part);
    }
    let _ = writeln!(text, " {value}");
}

/// The bounds of all histograms as labels have them.
struct Bounds(Vec<String>);

impl Bounds {
    fn new() -> Self {
        let buckets = Histogram::default();
        let bounds = buckets
            .buckets()
            .map(|(bound, _)| bound.map_or("+Inf".to_owned(), |it| it.as_secs_f64().to_string()));
        Self(bounds.collect())
    }

    fn histogram(
        &self,
        text: &mut String,
        name: &str,
        labels: &str,
        sum: Duration,
        times: &Histogram,
    ) {
        for (bound, (_, number)) in self.0.iter().zip(times.buckets()) {
            sample(
                text,
                [name, "_bucket{", labels, ",le=\"", bound, "\"}"],
                number,
            );
        }
        sample(text, [name, "_sum{", labels, "}"], sum.as_secs_f64());
        sample(text, [name, "_count{", labels, "}"], times.count());
    }
}

/// The label with the name of a function.
fn label(name: &str) -> String {
    let name = name.replace('\\', r"\\").replace('"', "\\\"");
    format!("function=\"{}\"", name.replace('\n', "\\n"))
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn v3_functions_of_one_name_are_one_line_and_names_with_markup_stay_values() {
        let mut one = Info::default();
        (one.hits, one.entries) = (2, 1);
        let odd: Arc<str> = "a\"} 1\nb\\".into();
        let functions = vec![
            ("pool".into(), one.clone()),
            (odd, one.clone()),
            ("pool".into(), one),
        ];
        let text = Report::new(functions).to_prometheus();
        let hits: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("tenure_hits_total{"))
            .collect();
        assert_eq!(
            hits,
            [
                r#"tenure_hits_total{function="a\"} 1\nb\\"} 2"#,
                r#"tenure_hits_total{function="pool"} 4"#,
            ]
        );
        // What nothing was built of has no times.
        assert!(!text.contains("tenure_build_duration_seconds_bucket"));
    }
}
