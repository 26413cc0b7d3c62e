//! What a fleet costs its server: `cargo run --release -p tenure-fleet --example capacity -- redis://localhost`.
//!
//! Few and many members on a server of their own are measured: bytes and commands for each clear, member and second, and the
//! processor time that the server took. From these figures the rest is reckoned, up to ten thousand members: everything that
//! is asked of the server grows with the members alone, with the clears alone, or with both, and these shares are taken
//! apart by measuring with few members and with many.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use tenure_fleet::{Ending, Fleet, Listener, Mark, Settings, Topic};

struct Count(Sender<()>);

impl Listener for Count {
    fn ended(&self, _: Topic, _: Ending) {
        let _ = self.0.send(());
    }
    fn forgot(&self) {}
    fn lost(&self) {}
    fn caught_up(&self) {
        let _ = self.0.send(());
    }
    fn figures(&self) -> String {
        // As long as those of a member that is busy.
        r#"{"language": "cpython 3.13", "functions": 42, "entries": 1200, "hits": 123456789, "misses": 1234567, "builds": 1234567, "failures": 12, "weight": 12345678901}"#.into()
    }
}

/// What the server has counted so far.
struct Counted(HashMap<String, f64>);

impl Counted {
    fn now(url: &str) -> Self {
        let place = url.trim_start_matches("redis://");
        let mut stream = TcpStream::connect(place)
            .or_else(|_| TcpStream::connect((place, 6379)))
            .expect("the server is there");
        stream
            .write_all(b"INFO everything\r\n")
            .expect("it listens");
        stream.shutdown(Shutdown::Write).expect("it is connected");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Self(
            lines
                .filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?)))
                .collect(),
        )
    }

    fn since(&self, before: &Self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0) - before.0.get(name).copied().unwrap_or(0.0)
    }

    /// Seconds of the processor, bytes that came and that went.
    fn costs(&self, before: &Self) -> [f64; 3] {
        [
            self.since(before, "used_cpu_user") + self.since(before, "used_cpu_sys"),
            self.since(before, "total_net_input_bytes"),
            self.since(before, "total_net_output_bytes"),
        ]
    }
}

/// What so many members cost in a second without a clear, and what one clear costs.
fn measure(url: &str, members: usize, clears: u32, quiet: Duration) -> ([f64; 3], [f64; 3]) {
    let joined: Vec<_> = (0..members)
        .map(|_| {
            let (tell, told) = channel();
            let settings = Settings::new(url, "only for the simulation").name("capacity");
            let fleet =
                Fleet::join(settings, Arc::new(Count(tell))).expect("the settings are right");
            told.recv_timeout(Duration::from_secs(5))
                .expect("the server can be reached");
            (fleet, told)
        })
        .collect();
    let (before, begun) = (Counted::now(url), Instant::now());
    std::thread::sleep(quiet);
    let each_second = Counted::now(url)
        .costs(&before)
        .map(|cost| cost / begun.elapsed().as_secs_f64());
    let (before, begun) = (Counted::now(url), Instant::now());
    for clear in 0..clears {
        let mut mark = [0; 16];
        mark[..4].copy_from_slice(&clear.to_le_bytes());
        joined[0].0.raise(
            Topic::Entry {
                function: Mark([1; 16]),
                entry: Mark(mark),
            },
            Ending::Cleared,
        );
        for (_, told) in &joined[1..] {
            told.recv_timeout(Duration::from_secs(5))
                .expect("no clear is lost");
        }
    }
    let (after, took) = (Counted::now(url), begun.elapsed().as_secs_f64());
    let mut each_clear = after.costs(&before);
    for (cost, idle) in each_clear.iter_mut().zip(each_second) {
        *cost = (*cost - idle * took).max(0.0) / f64::from(clears);
    }
    (each_second, each_clear)
}

fn main() {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "redis://localhost".into());
    let quiet = Duration::from_secs(20);
    let (few, many) = (4, 64);
    let small = measure(&url, few, 2_000, quiet);
    let large = measure(&url, many, 2_000, quiet);
    // A cost is a line over the members: what each adds, and what there is without them.
    let line = |small: f64, large: f64| {
        let each = ((large - small) / (many - few) as f64).max(0.0);
        (each, (small - each * few as f64).max(0.0))
    };
    let names = [
        "server's processor, µs",
        "bytes to the server",
        "bytes from the server",
    ];
    let scales = [1e6, 1.0, 1.0];
    println!("measured with {few} and {many} members:");
    let mut lines = Vec::new();
    for at in 0..3 {
        let (second, clear) = (
            line(small.0[at], large.0[at]),
            line(small.1[at], large.1[at]),
        );
        println!(
            "  {}: {:.1} for each member and second; {:.1} for each clear, and {:.2} more for each member that hears it",
            names[at],
            second.0 * scales[at],
            clear.1 * scales[at],
            clear.0 * scales[at],
        );
        lines.push((second.0, clear));
    }
    println!("\nreckoned from these:\n");
    println!(
        "| Members | Clears a second | Server's processor | To the server | From the server |"
    );
    println!("|---:|---:|---:|---:|---:|");
    for members in [8.0, 100.0, 1_000.0, 10_000.0] {
        for clears in [0.1, 1.0, 10.0, 100.0] {
            let cost = |at: usize| {
                let (second, (each, alone)) = lines[at];
                members * second + clears * (alone + each * members)
            };
            println!(
                "| {members} | {clears} | {:.2} % of a core | {:.1} kB/s | {:.1} kB/s |",
                cost(0) * 100.0,
                cost(1) / 1e3,
                cost(2) / 1e3,
            );
        }
    }
}
