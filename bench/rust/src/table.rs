//! The rows, printed as a Markdown table and written as JSON.

use serde_json::{Value, json};

/// A case with one figure per peer, all in one unit.
pub struct Row {
    pub case: &'static str,
    pub unit: &'static str,
    pub figures: Vec<(&'static str, f64)>,
    pub goals: Vec<Goal>,
    pub more_is_better: bool,
}

/// What is asked of Tenure's figure. It is printed with whether it was reached, and asserts nothing.
pub enum Goal {
    /// At most this, in the row's unit.
    AtMost(f64),
    /// At most this above a peer's.
    Above(f64, &'static str),
    /// At most so many times a peer's.
    Within(f64, &'static str),
    /// At least so many times better than a peer's.
    Better(f64, &'static str),
}

impl Row {
    /// A row of nanoseconds.
    pub fn nanoseconds(
        case: &'static str,
        goals: Vec<Goal>,
        figures: Vec<(&'static str, f64)>,
    ) -> Self {
        Self {
            case,
            unit: "ns",
            figures,
            goals,
            more_is_better: false,
        }
    }

    fn figure(&self, peer: &str) -> Option<f64> {
        self.figures
            .iter()
            .find(|(name, _)| *name == peer)
            .map(|(_, figure)| *figure)
    }

    /// How many times better Tenure's figure is than the peer's.
    fn ratio(&self, peer: &str) -> Option<f64> {
        let (ours, theirs) = (self.figure("tenure")?, self.figure(peer)?);
        Some(if self.more_is_better {
            ours / theirs
        } else {
            theirs / ours
        })
    }

    /// Whether a goal is reached; `None` where a figure is missing.
    fn reaches(&self, goal: &Goal) -> Option<bool> {
        let ours = self.figure("tenure")?;
        Some(match goal {
            Goal::AtMost(most) => ours <= *most,
            Goal::Above(most, peer) => ours <= self.figure(peer)? + most,
            Goal::Within(times, peer) => ours <= self.figure(peer)? * times,
            Goal::Better(times, peer) => self.ratio(peer)? >= *times,
        })
    }

    fn text(&self, goal: &Goal) -> String {
        match goal {
            Goal::AtMost(most) => format!("≤ {most} {}", self.unit),
            Goal::Above(most, peer) => format!("≤ {peer} + {most} {}", self.unit),
            Goal::Within(times, peer) => format!("≤ {times} × {peer}"),
            Goal::Better(times, peer) => format!("≥ {times} × {peer}"),
        }
    }

    /// The row for the report.
    pub fn as_json(&self) -> Value {
        let figures: serde_json::Map<_, _> = self
            .figures
            .iter()
            .map(|(name, figure)| ((*name).to_owned(), json!(figure)))
            .collect();
        let goals: Vec<_> = self
            .goals
            .iter()
            .map(|goal| json!({"goal": self.text(goal), "reached": self.reaches(goal)}))
            .collect();
        json!({
            "case": self.case,
            "unit": self.unit,
            "figures": figures,
            "goals": goals,
            "more_is_better": self.more_is_better,
        })
    }
}

fn three(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// All rows: figures, and in brackets how many times better Tenure is.
pub fn print(rows: &[Row]) {
    let mut peers: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|row| &row.figures) {
        if !peers.contains(name) {
            peers.push(name);
        }
    }
    println!("| Case | {} | Goals |", peers.join(" | "));
    println!("{}|", "|---".repeat(peers.len() + 2));
    for row in rows {
        let cells: Vec<String> = peers
            .iter()
            .map(|peer| match (row.figure(peer), row.ratio(peer)) {
                (None, _) => "–".to_owned(),
                (Some(figure), Some(ratio)) if *peer != "tenure" => {
                    format!("{} {} ({} ×)", three(figure), row.unit, three(ratio))
                }
                (Some(figure), _) => format!("{} {}", three(figure), row.unit),
            })
            .collect();
        let goals: Vec<String> = row
            .goals
            .iter()
            .map(|goal| match row.reaches(goal) {
                Some(true) => format!("{}: yes", row.text(goal)),
                Some(false) => format!("{}: no", row.text(goal)),
                None => row.text(goal),
            })
            .collect();
        let (cells, goals) = (cells.join(" | "), goals.join("; "));
        println!("| {} | {cells} | {goals} |", row.case);
    }
}
