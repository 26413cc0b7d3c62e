//! Tenure beside its Rust peers, in one run: prints one table, and writes the figures as JSON.
//!
//! Every row asserts that the right resource came back; none asserts a time.

mod allocations;
mod counting;
mod hits;
mod loops;
mod misses;
mod peers;
mod table;

use std::path::PathBuf;

fn main() {
    let mut json = None;
    let mut uncounted = None;
    let mut rounds = 7;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .unwrap_or_else(|| panic!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--json" => json = Some(PathBuf::from(value())),
            "--uncounted" => uncounted = Some(PathBuf::from(value())),
            "--rounds" => rounds = value().parse().expect("--rounds needs a number"),
            other => {
                panic!("{other} is not known: --json FILE, --uncounted FILE, --rounds N")
            }
        }
    }
    if cfg!(tenure_uncounted) {
        let path = uncounted.expect("--uncounted FILE says where its figures go");
        return counting::write(&path, rounds);
    }

    let mut rows = vec![
        hits::no_argument(rounds),
        hits::number(rounds),
        hits::text(rounds),
        hits::in_a_task(rounds),
        hits::all_on(rounds),
        hits::stale(rounds),
        hits::two_threads(rounds),
        misses::one_thread(rounds),
        misses::eight_threads(),
    ];
    if let Some(path) = uncounted {
        rows.extend(counting::rows(&path, rounds));
    }
    let machine = machine();
    println!("{machine}");
    println!(
        "Medians of {rounds} interleaved rounds; in brackets how many times better Tenure is.\n"
    );
    table::print(&rows);

    if let Some(path) = json {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("the folder can be made");
        }
        let rows: Vec<_> = rows.iter().map(table::Row::as_json).collect();
        let report = serde_json::json!({"machine": machine, "rounds": rounds, "rows": rows});
        std::fs::write(&path, format!("{report:#}\n")).expect("the report can be written");
    }
}

fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "processor {processor}, cores {cores}, system {} {}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
