//! The figures in the text format of Prometheus.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use crate::words::families::{FAMILIES, LABELLED};
use crate::words::histogram::Histogram;
use crate::words::report::Report;
use crate::words::runs::Trigger;

/// The bytes that a function takes, about: room that is not used is never touched.
const ROOM: usize = 4096;

impl Report {
    /// The figures in the text format of Prometheus, version 0.0.4: what an endpoint answers with, as
    /// `text/plain; version=0.0.4`. Functions of one name are summed, those that have gone too. Of reasons and causes those
    /// stand there that there were; neither keys nor arguments ever do.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop((pool(), pool()));
    /// let text = tenure::info().to_prometheus();
    /// let function = concat!("function=\"", module_path!(), "::pool\"");
    /// assert!(text.contains(&format!("tenure_hits_total{{{function}}} 1\n")));
    /// assert!(text.contains(&format!("tenure_misses_total{{{function},reason=\"absent\"}} 1\n")));
    /// ```
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let functions = self.in_full().iter();
        let functions: Vec<_> = functions.map(|(name, info)| (label(name), info)).collect();
        let mut text = String::with_capacity(functions.len() * ROOM);
        // All at once: a family asks every function for one number, and the figures of a function lie far from the next one's.
        let values: Vec<_> = functions
            .iter()
            .map(|(_, info)| FAMILIES.map(|(.., value)| value(info)))
            .collect();
        for (at, (name, kind, help, _)) in FAMILIES.into_iter().enumerate() {
            head(&mut text, name, kind, help);
            let before = format!("{name}{{");
            for ((function, _), values) in functions.iter().zip(&values) {
                sample(&mut text, [&before, function, "}"], values[at]);
            }
        }
        for (name, help, label, numbers) in LABELLED {
            head(&mut text, name, "counter", help);
            let (before, between) = (format!("{name}{{"), format!(",{label}=\""));
            for (function, info) in &functions {
                numbers(info, &mut |value, number| {
                    sample(
                        &mut text,
                        [&before, function, &between, value, "\"}"],
                        number,
                    );
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
}

/// Writes a family that has one value and no labels, for figures that stand beside the engine's.
///
/// ```
/// let mut text = tenure::info().to_prometheus();
/// tenure::front::metric(&mut text, "up", "gauge", "Whether it runs.", 1);
/// assert!(text.ends_with("# HELP up Whether it runs.\n# TYPE up gauge\nup 1\n"));
/// ```
pub fn metric(text: &mut String, name: &str, kind: &str, help: &str, value: impl Display) {
    head(text, name, kind, help);
    sample(text, [name], value);
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

/// The bounds of all histograms, with what stands behind them in a line.
struct Bounds(Vec<String>);

impl Bounds {
    fn new() -> Self {
        let buckets = Histogram::default();
        let bounds = buckets
            .buckets()
            .map(|(bound, _)| bound.map_or("+Inf".to_owned(), |it| it.as_secs_f64().to_string()));
        Self(bounds.map(|bound| format!("{bound}\"}} ")).collect())
    }

    fn histogram(
        &self,
        text: &mut String,
        name: &str,
        labels: &str,
        sum: Duration,
        times: &Histogram,
    ) {
        // Most bounds have the number of the one before.
        let before = format!("{name}_bucket{{{labels},le=\"");
        let (mut last, mut written) = (0, "0\n".to_owned());
        for (bound, (_, number)) in self.0.iter().zip(times.buckets()) {
            if number != last {
                (last, written) = (number, format!("{number}\n"));
            }
            for part in [&before, bound, &written] {
                text.push_str(part);
            }
        }
        sample(text, [name, "_sum{", labels, "}"], sum.as_secs_f64());
        sample(text, [name, "_count{", labels, "}"], times.count());
    }
}

/// The label with the name of a function.
fn label(name: &str) -> String {
    let mut label = String::with_capacity(name.len() + 16);
    label.push_str("function=\"");
    for char in name.chars() {
        match char {
            '\\' | '"' => label.extend(['\\', char]),
            '\n' => label.push_str("\\n"),
            other => label.push(other),
        }
    }
    label.push('"');
    label
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::words::info::Info;

    #[test]
    fn v3_functions_of_one_name_are_one_line_and_names_with_markup_stay_values() {
        let mut one = Info::default();
        (one.hits, one.entries, one.weight) = (2, 1, u64::MAX);
        let odd: Arc<str> = "a\"} 1\nb\\".into();
        let mut two = one.clone();
        two.add(&one);
        let in_full = BTreeMap::from([("pool".into(), two.into()), (odd, one.into())]);
        let text = Report::new(Vec::new(), in_full).to_prometheus();
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
        // A sum that no number holds is the greatest that there is.
        assert!(text.contains(&format!(
            "tenure_weight{{function=\"pool\"}} {}\n",
            u64::MAX
        )));
        // What nothing was built of has no times.
        assert!(!text.contains("tenure_build_duration_seconds_bucket"));
    }
}
