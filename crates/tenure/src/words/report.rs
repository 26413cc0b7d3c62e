//! The figures of all functions, to be read by people and by programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use crate::words::explanation::span;
use crate::words::histogram::Histogram;
use crate::words::info::{Figures, Info};
use crate::words::json;
use crate::words::runs::Trigger;

/// The figures of each function that is alive, by its name.
///
/// ```
/// #[tenure::cache_resource]
/// fn pool() -> u32 {
///     7
/// }
///
/// drop(pool());
/// let report = tenure::info();
/// assert_eq!(report.sum().entries, 1);
/// assert!(report.to_string().contains("pool"));
/// assert!(report.to_json().contains("\"entries\": 1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The names and the figures, in the order of the names. Versions of one function, and methods for several types,
    /// have one name.
    pub functions: Vec<(Arc<str>, Arc<Info>)>,
    in_full: BTreeMap<Arc<str>, Arc<Info>>,
}

impl Report {
    pub(crate) fn new(
        mut functions: Vec<(Arc<str>, Arc<Info>)>,
        in_full: BTreeMap<Arc<str>, Arc<Info>>,
    ) -> Self {
        functions.sort_by(|one, other| one.0.cmp(&other.0));
        Self { functions, in_full }
    }

    /// The figures by the name of the function with its module, as monitoring is given them: functions of one name are
    /// summed, and what those have counted that have gone is among it, so that no count ever falls.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
    /// drop(pools.get_or_build(&KeyRef::EMPTY, || Ok(7)));
    /// drop(pools);
    /// let report = engine.info();
    /// assert!(report.functions.is_empty());
    /// assert_eq!(report.in_full()["pool"].builds, 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn in_full(&self) -> &BTreeMap<Arc<str>, Arc<Info>> {
        &self.in_full
    }

    /// The figures of all of them together.
    #[must_use]
    pub fn sum(&self) -> Figures {
        let mut all = Figures {
            functions: self.functions.len() as u64,
            ..Figures::default()
        };
        for (_, info) in &self.functions {
            all.entries += info.entries;
            all.hits += info.hits;
            all.misses += info.misses;
            all.builds += info.builds;
            all.failures += info.failures;
            all.weight = all.weight.saturating_add(info.weight);
        }
        all
    }

    /// All of it as JSON, times in seconds: an object with a list, `functions`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let functions = self.functions.iter().map(|(name, info)| {
            let own = info.to_json();
            format!("{{\"function\": {}, {}", json::text(name), &own[1..])
        });
        format!("{{\"functions\": {}}}", json::list(functions))
    }
}

/// So many characters of a name stand in a table.
const WIDEST: usize = 80;

/// A name in one line of a table, whatever stands in it. Of a longer one its end says more.
fn one_line(name: &str) -> String {
    let shown = name.chars().map(|char| match moves_others(char) {
        true => char.escape_debug().to_string(),
        false => char.to_string(),
    });
    let shown = shown.collect::<String>();
    match shown.char_indices().nth_back(WIDEST - 1) {
        Some((at, _)) if at > 0 => {
            let end = shown[at..].chars().skip(1);
            std::iter::once('…').chain(end).collect()
        }
        _ => shown,
    }
}

/// Whether a terminal would not show it, and would begin a line or turn the direction of what follows.
fn moves_others(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Info {
    /// The figures as a JSON object, times in seconds. `build_times` has each bound with the number of builds that
    /// took no longer, and `null` for the last bound, which is none; `runs` has such lists by the trigger.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop(pool());
    /// assert!(pool::info().to_json().starts_with("{\"hits\": 0, \"misses\": 1, "));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let times = |times: &Histogram| {
            json::list(times.buckets().map(|(bound, count)| {
                format!("[{}, {count}]", json::maybe(bound.map(json::seconds)))
            }))
        };
        let runs = Trigger::ALL.map(|trigger| {
            let runs = self.runs(trigger);
            format!(
                "\"{}\": {{\"time\": {}, \"times\": {}}}",
                trigger.name(),
                json::seconds(runs.time),
                times(&runs.times)
            )
        });
        format!(
            "{{{}, \"hit_rate\": {}, \"misses_by_reason\": {{{}}}, \"build_time\": {}, \"build_times\": {}, \"runs\": {{{}}}, \
             \"refreshes_itself\": {}, \"refreshes\": {{{}}}, \"ends\": {{{}}}, \"releases\": {{{}}}, {}, \"ages\": {}}}",
            json::members([
                ("hits", self.hits),
                ("misses", self.misses),
                ("builds", self.builds),
                ("failures", self.failures),
            ]),
            json::maybe(self.hit_rate().map(json::part)),
            json::members(self.all_missed().map(|(it, number)| (it.name(), number))),
            json::seconds(self.build_time),
            times(&self.build_times),
            runs.join(", "),
            self.refreshes_itself,
            json::members(self.refreshes().map(|(it, number)| (it.name(), number))),
            json::members(self.ends().map(|(it, number)| (it.name(), number))),
            json::members(self.releases().map(|(it, number)| (it.name(), number))),
            json::members([
                ("release_failures", self.release_failures),
                ("entries", self.entries),
                ("idle", self.idle),
                ("stale", self.stale),
                ("inherited", self.inherited),
                ("draining", self.draining),
                ("renewals", self.renewals),
                ("weight", self.weight),
                ("waiting", self.waiting),
            ]),
            json::list(self.ages.iter().copied().map(json::seconds)),
        )
    }

    /// The part of the calls that were hits; nothing where there was no call.
    pub(super) fn hit_rate(&self) -> Option<f64> {
        let calls = self.hits + self.misses;
        #[allow(clippy::cast_precision_loss)] // to be shown
        (calls > 0).then(|| self.hits as f64 / calls as f64)
    }

    /// How long a build took on average; nothing where there was none.
    pub(super) fn build_mean(&self) -> Option<Duration> {
        #[allow(clippy::cast_precision_loss)] // to be shown
        (self.builds > 0).then(|| self.build_time.div_f64(self.builds as f64))
    }
}

/// The figures as a person reads them, a line for each kind; what there was none of is left out.
impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |pairs: Vec<(&'static str, u64)>| {
            let there = pairs.into_iter().filter(|(_, number)| *number > 0);
            let there = there.map(|(name, number)| format!("{number} {}", name.replace('_', " ")));
            there.collect::<Vec<_>>().join(", ")
        };
        let more = |what: String| {
            if what.is_empty() {
                what
            } else {
                format!(" ({what})")
            }
        };
        let rate = self
            .hit_rate()
            .map(|rate| format!("{:.1} % of calls", rate * 100.0));
        writeln!(
            f,
            "hits      {}{}",
            self.hits,
            more(rate.unwrap_or_default())
        )?;
        let misses = self.all_missed().map(|(it, number)| (it.name(), number));
        writeln!(
            f,
            "misses    {}{}",
            self.misses,
            more(counted(misses.collect()))
        )?;
        let mut builds = Vec::new();
        builds.extend(
            self.build_times
                .quantile(0.5)
                .map(|it| format!("half within {}", span(it))),
        );
        builds.extend(
            self.build_times
                .quantile(0.95)
                .map(|it| format!("95 % within {}", span(it))),
        );
        builds.extend((self.failures > 0).then(|| format!("{} failed", self.failures)));
        writeln!(f, "builds    {}{}", self.builds, more(builds.join(", ")))?;
        let refreshes = self.refreshes().map(|(it, number)| (it.name(), number));
        let refreshes = counted(refreshes.collect());
        if !refreshes.is_empty() {
            writeln!(f, "refreshes {refreshes}")?;
        }
        let mut entries = vec![counted(vec![
            ("idle", self.idle),
            ("stale", self.stale),
            ("inherited", self.inherited),
        ])];
        entries.extend((self.weight > 0).then(|| format!("weight {}", self.weight)));
        entries.extend(
            self.ages
                .iter()
                .max()
                .map(|age| format!("oldest {}", span(*age))),
        );
        entries.retain(|it| !it.is_empty());
        writeln!(f, "entries   {}{}", self.entries, more(entries.join(", ")))?;
        let releases = self.releases().map(|(it, number)| (it.name(), number));
        let mut releases = vec![counted(releases.collect())];
        releases.extend(
            (self.release_failures > 0).then(|| format!("{} failed", self.release_failures)),
        );
        releases.retain(|it| !it.is_empty());
        writeln!(
            f,
            "releases  {}{}",
            self.all_released(),
            more(releases.join(", "))
        )?;
        write!(
            f,
            "now       {} draining, {} waiting for a build",
            self.draining, self.waiting
        )
    }
}

/// A table, with a line for each function.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "function", "entries", "hits", "misses", "hit rate", "builds", "median", "failures",
            "draining", "weight",
        ];
        let row = |(name, info): &(Arc<str>, Arc<Info>)| {
            let rate = info.hit_rate().map(|rate| format!("{:.1} %", rate * 100.0));
            let median = info.build_times.quantile(0.5);
            [
                one_line(name),
                info.entries.to_string(),
                info.hits.to_string(),
                info.misses.to_string(),
                rate.unwrap_or_default(),
                info.builds.to_string(),
                median.map_or(String::new(), |it| format!("≤ {}", span(it))),
                info.failures.to_string(),
                info.draining.to_string(),
                info.weight.to_string(),
            ]
        };
        let rows: Vec<_> = std::iter::once(head.map(str::to_owned))
            .chain(self.functions.iter().map(row))
            .collect();
        let widths: Vec<_> = (0..head.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max())
            .collect();
        for (number, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let width = width.unwrap_or_default();
                // Names to the left, numbers to the right.
                let _ = match column {
                    0 => write!(line, "{cell:<width$}"),
                    _ => write!(line, "  {cell:>width$}"),
                };
            }
            let end = if number + 1 < rows.len() { "\n" } else { "" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn v1_of_a_long_name_a_table_has_the_end() {
        assert_eq!(one_line(&"a".repeat(WIDEST)), "a".repeat(WIDEST));
        let long = "m".repeat(70_000) + ".pool";
        let shown = one_line(&long);
        assert_eq!(shown.chars().count(), WIDEST);
        assert!(
            shown.starts_with('…') && shown.ends_with("m.pool"),
            "{shown}"
        );
        let report = Report::new(vec![(long.into(), Arc::default())], BTreeMap::new());
        assert!(report.to_string().contains("m.pool"));
    }

    #[test]
    fn v1_a_name_stays_in_its_line_and_its_place() {
        assert_eq!(one_line("a\nb\u{1b}[31m"), r"a\nb\u{1b}[31m");
        assert_eq!(one_line("a\u{2028}b\u{202e}c"), r"a\u{2028}b\u{202e}c");
        assert_eq!(one_line("naïve <λ>"), "naïve <λ>");
    }

    #[test]
    fn v1_a_table_has_a_line_for_each_function_and_numbers_below_each_other() {
        let mut info = Info::default();
        (info.hits, info.misses, info.entries) = (3, 1, 12);
        let report = Report::new(
            vec![
                ("shop.pool".into(), info.into()),
                ("a".into(), Arc::default()),
            ],
            BTreeMap::new(),
        );
        let table = report.to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("a        "));
        assert!(lines[2].starts_with("shop.pool       12     3       1    75.0 %"));
        assert_eq!(report.sum().hits, 3);
    }
}
