//! The thread that listens: it carries out what the protocol asks for, and tells the listener.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::machine::{Machine, Notice, Output, Phase, Timing};
use crate::number::Run;
use crate::random::Waits;
use crate::server::{Heard, Server, Trouble};
use crate::shared::{Seen, Shared};

/// Listens until the member leaves.
pub(crate) fn listen(shared: &Shared) {
    let settings = &shared.settings;
    let timing = Timing {
        every: millis(settings.ping),
        bound: millis(settings.answer),
    };
    let mut machine = Machine::new(shared.me, timing);
    let mut waits = Waits::new(settings.retry.0, settings.retry.1);
    let mut said = false;
    loop {
        if shared.is_leaving() {
            break;
        }
        let trouble = match shared.connector.connect() {
            Err(trouble) => trouble,
            Ok((mut server, run)) => {
                shared.change(|todo| todo.closer = Some(server.closer()));
                let mut heard = false;
                let trouble = converse(shared, &mut machine, server.as_mut(), run, &mut || {
                    if std::mem::take(&mut said) {
                        tracing::warn!(
                            "the fleet's server is back, and all that was missed has been told"
                        );
                    }
                    heard = true;
                });
                if heard {
                    waits.reset();
                }
                trouble
            }
        };
        let told = trouble.told();
        shared.change(|todo| {
            todo.closer = None;
            todo.trouble = Some(told.as_str().into());
        });
        if shared.is_leaving() {
            break;
        }
        if !std::mem::replace(&mut said, true) {
            tracing::warn!(
                "{told}. What other members clear is heard when that is over: Tenure tries again until then"
            );
        }
        let outputs = machine.lost();
        publish(shared, &machine, None);
        tell_all(shared, outputs);
        shared.pause(waits.next());
    }
}

/// The thread has panicked: nothing is heard until it has caught up anew, as one that knows nothing yet.
pub(crate) fn failed(shared: &Shared) {
    shared.change(|todo| {
        todo.closer = None;
        todo.seen = Seen {
            phase: Phase::Down,
            lost: true,
            ..todo.seen
        };
    });
    tell_all(shared, vec![Output::Tell(Notice::Lost)]);
}

/// One connection, from its first word to its end.
fn converse(
    shared: &Shared,
    machine: &mut Machine,
    server: &mut dyn Server,
    run: Run,
    caught_up: &mut dyn FnMut(),
) -> Trouble {
    let mut outputs = machine.connected(run, shared.now());
    let (mut pinged, mut lag) = (Instant::now(), None);
    loop {
        let mut told = Vec::new();
        for output in outputs {
            let done = match output {
                Output::Subscribe => server.subscribe(),
                Output::ReadAll(disowned) => server.read_all(disowned),
                Output::Ping => {
                    pinged = Instant::now();
                    server.ping()
                }
                Output::HangUp => Err(Trouble::new("it does not answer")),
                Output::Tell(_) => {
                    told.push(output);
                    Ok(())
                }
            };
            if let Err(trouble) = done {
                return trouble;
            }
        }
        if told.contains(&Output::Tell(Notice::CaughtUp)) {
            // Whoever is told of it, and asks for something at once, waits until it is known.
            if let Some(mut todo) = shared.look() {
                todo.seen.lost = false;
                todo.trouble = None;
            }
            caught_up();
        }
        tell_all(shared, told);
        // After the listener has been told: whoever sees that the member is caught up may rely on it.
        publish(shared, machine, lag);
        if shared.is_leaving() {
            return Trouble::new("this member leaves");
        }
        let due = machine
            .due()
            .map_or(Duration::from_secs(1), Duration::from_millis);
        outputs = match server.hear(shared.joined + due) {
            Err(trouble) => return trouble,
            Ok(None) => machine.tick(shared.now()),
            Ok(Some(heard)) => {
                let now = shared.now();
                let mut outputs = match heard {
                    Heard::Subscribed => machine.subscribed(now),
                    Heard::All(all) => machine.read(all, now),
                    Heard::Told(message) => machine.heard(message, now),
                    Heard::Answered(epoch, head) => {
                        lag = Some(pinged.elapsed());
                        machine.answered(epoch, head, now)
                    }
                };
                // However much there is to hear, what is due is done.
                outputs.extend(machine.tick(now));
                outputs
            }
        };
    }
}

fn publish(shared: &Shared, machine: &Machine, lag: Option<Duration>) {
    let Some(mut todo) = shared.look() else {
        return;
    };
    let before = todo.seen;
    let caught_up = machine.phase() == Phase::CaughtUp && before.phase != Phase::CaughtUp;
    todo.seen = Seen {
        phase: machine.phase(),
        lost: machine.is_lost(),
        times: before.times + u64::from(caught_up),
        head: machine.seen(),
        told_until: machine.told_until(),
        lag,
    };
    let after = todo.seen;
    drop(todo);
    // Whoever waits is woken for what they wait for, and not by every message.
    if before.phase != after.phase || before.lost != after.lost {
        shared.change(|_| {});
    }
}

fn tell_all(shared: &Shared, outputs: Vec<Output>) {
    let listener = &shared.listener;
    for output in outputs {
        let Output::Tell(notice) = output else {
            continue;
        };
        let told = catch_unwind(AssertUnwindSafe(|| match notice {
            Notice::Ended(topic, ending) => listener.ended(topic, ending),
            Notice::Forgot => listener.forgot(),
            Notice::Lost => listener.lost(),
            Notice::CaughtUp => listener.caught_up(),
        }));
        if told.is_err() {
            tracing::error!("whoever listens to the fleet panicked when told of {notice:?}");
        }
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
