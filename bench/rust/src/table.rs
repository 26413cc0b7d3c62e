//! The rows, printed as a Markdown table and written as JSON.

use serde_json::{Value, json};

/// A case with one figure per peer, all in one unit.
pub struct Row {
    pub case: &'static str,
    pub unit: &'static str,
    pub figures: Vec<(&'static str, f64)>,
    pub goal: &'static str,
    pub more_is_better: bool,
}

impl Row {
    /// A row of nanoseconds.
    pub fn nanoseconds(
        case: &'static str,
        goal: &'static str,
        figures: Vec<(&'static str, f64)>,
    ) -> Self {
        Self {
            case,
            unit: "ns",
            figures,
            goal,
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

    /// The row for the report.
    pub fn as_json(&self) -> Value {
        let figures: serde_json::Map<_, _> = self
            .figures
            .iter()
            .map(|(name, figure)| ((*name).to_owned(), json!(figure)))
            .collect();
        json!({"case": self.case, "unit": self.unit, "goal": self.goal, "figures": figures})
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
    println!("| Case | {} | Goal |", peers.join(" | "));
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
        println!("| {} | {} | {} |", row.case, cells.join(" | "), row.goal);
    }
}
