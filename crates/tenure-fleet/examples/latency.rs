//! How long a clear takes to reach eight members: `cargo run --release -p tenure-fleet --example latency -- redis://localhost`.
//!
//! Prints microseconds as JSON: until each member has heard, and until the last one has, with nothing else going on and with a
//! thousand clears a second.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tenure_fleet::{Ending, Fleet, Listener, Mark, Settings, Topic};

const MEMBERS: usize = 8;

struct Watch(Sender<Instant>, Sender<()>);

impl Listener for Watch {
    fn ended(&self, _: Topic, _: Ending) {
        let _ = self.0.send(Instant::now());
    }
    fn forgot(&self) {}
    fn lost(&self) {}
    fn caught_up(&self) {
        let _ = self.1.send(());
    }
    fn figures(&self) -> String {
        "{}".into()
    }
}

fn main() {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "redis://localhost".into());
    let many = std::env::args()
        .nth(2)
        .map_or(2_000, |many| many.parse().expect("a number of clears"));
    let join = || {
        let ((tell, told), (tell_ready, ready)) = (channel(), channel());
        let settings = Settings::new(&url, "only for the benchmark").name("latency");
        let fleet = Fleet::join(settings, Arc::new(Watch(tell, tell_ready)))
            .expect("the settings are right");
        ready
            .recv_timeout(Duration::from_secs(5))
            .expect("the server can be reached");
        (fleet, told)
    };
    let (raiser, _own) = join();
    let members: Vec<_> = (0..MEMBERS).map(|_| join()).collect();
    let heard: Vec<_> = members.iter().map(|(_, heard)| heard).collect();
    // Each after the last was heard by all; then one every millisecond, heard or not.
    let quiet = measure(&raiser, &heard, many, None);
    let busy = measure(&raiser, &heard, many, Some(Duration::from_millis(1)));
    println!(
        "{{\"members\": {MEMBERS}, \"clears\": {many}, \"quiet\": {quiet}, \"thousand_a_second\": {busy}}}"
    );
}

fn measure(
    raiser: &Fleet,
    heard: &[&Receiver<Instant>],
    many: u32,
    every: Option<Duration>,
) -> String {
    let (mut raised, mut each, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let mut hear = |raised: Instant| {
        let mut latest = Duration::ZERO;
        for member in heard {
            let at = member
                .recv_timeout(Duration::from_secs(5))
                .expect("no clear is lost");
            each.push(at.saturating_duration_since(raised));
            latest = latest.max(at.saturating_duration_since(raised));
        }
        last.push(latest);
    };
    let begun = Instant::now();
    for clear in 0..many {
        if let Some(every) = every {
            std::thread::sleep((every * clear).saturating_sub(begun.elapsed()));
        }
        let now = Instant::now();
        let mut mark = [0; 16];
        mark[..4].copy_from_slice(&clear.to_le_bytes());
        raiser.raise(
            Topic::Entry {
                function: Mark([1; 16]),
                entry: Mark(mark),
            },
            Ending::Cleared,
        );
        match every {
            Some(_) => raised.push(now),
            None => hear(now),
        }
    }
    raised.into_iter().for_each(&mut hear);
    format!(
        "{{\"each\": {}, \"last\": {}}}",
        figures(each),
        figures(last)
    )
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_micros();
    format!(
        "{{\"median\": {}, \"p99\": {}, \"most\": {}}}",
        at(0.5),
        at(0.99),
        at(1.0)
    )
}
