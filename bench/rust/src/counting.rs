//! What it costs that hits are counted: the same hits in a build of Tenure that does not count them.
//!
//! That build is another program. It writes its figures to a file, which this one reads.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use crate::loops::{peer, per_call};
use crate::peers;
use crate::table::{Goal, Row};

/// Beyond what is found without a lock.
const KEYS: u64 = 1000;

/// The cases, with the nanoseconds of a hit.
pub fn hits(rounds: usize) -> Vec<(&'static str, f64)> {
    let mut all = per_call(
        rounds,
        vec![peer("counted hit, one key", 1, || {
            peers::tenure_number(1).number
        })],
    );
    let turn = Cell::new(0);
    let in_turn = || {
        turn.set((turn.get() + 1) % KEYS);
        let key = turn.get();
        peers::tenure_number(key).number ^ key
    };
    for _ in 0..KEYS {
        in_turn();
    }
    all.extend(per_call(
        rounds,
        vec![peer("counted hit, 1,000 keys in turn", 0, in_turn)],
    ));
    all
}

/// Writes the figures of a build that does not count.
pub fn write(path: &Path, rounds: usize) {
    assert_eq!(
        peers::tenure_number::info().hits,
        0,
        "this build counts its hits: it needs --cfg tenure_uncounted"
    );
    let figures: serde_json::Map<_, _> = hits(rounds)
        .into_iter()
        .map(|(case, figure)| (case.to_owned(), figure.into()))
        .collect();
    assert_eq!(peers::tenure_number::info().hits, 0);
    fs::write(path, serde_json::Value::from(figures).to_string())
        .expect("the figures can be written");
}

/// The rows, beside the figures that [`write`] has left.
pub fn rows(path: &Path, rounds: usize) -> Vec<Row> {
    let text = fs::read_to_string(path).expect("the figures of the other build are there");
    let uncounted: serde_json::Value = serde_json::from_str(&text).expect("as it wrote them");
    hits(rounds)
        .into_iter()
        .map(|(case, counted)| {
            let without = uncounted[case].as_f64().expect("it has the same cases");
            Row::nanoseconds(
                case,
                vec![Goal::Above(2.0, "uncounted")],
                vec![("tenure", counted), ("uncounted", without)],
            )
        })
        .collect()
}
