//! The two threads of a member. A panic has one begin anew.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crate::shared::Shared;
use crate::{ear, threads, voice};

/// One of the threads: its work until the member leaves, and what it does after a panic, before it begins anew.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    run: fn(&Shared),
    failed: fn(&Shared),
}

pub(crate) const EAR: Part = Part {
    name: "tenure-ear",
    run: ear::listen,
    failed: ear::failed,
};
const VOICE: Part = Part {
    name: "tenure-voice",
    run: voice::speak,
    failed: voice::failed,
};
const PARTS: [Part; 2] = [EAR, VOICE];

/// The number of threads of a member.
pub(crate) const THREADS: u32 = PARTS.len() as u32;

impl Part {
    /// A member that no longer hears or speaks would be none without anybody's notice.
    fn run(&self, shared: &Shared) {
        shared.change(|todo| todo.threads.push(thread::current().id()));
        while catch_unwind(AssertUnwindSafe(|| (self.run)(shared))).is_err() {
            tracing::error!(
                "the fleet's thread {} panicked, which is a defect of Tenure: it begins anew",
                self.name
            );
            (self.failed)(shared);
            if shared.is_leaving() {
                break;
            }
            shared.pause(shared.settings.retry.0);
        }
    }
}

/// A thread of a member. Whoever waits for it is told when it ends, in whichever way.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        let unanswered = self.0.change(|todo| {
            todo.ended += 1;
            (
                std::mem::take(&mut todo.asks),
                std::mem::take(&mut todo.questions),
                std::mem::take(&mut todo.withdrawals),
            )
        });
        drop(unanswered);
    }
}

/// Starts the threads of a member.
pub(crate) fn begin(shared: &Arc<Shared>) -> io::Result<()> {
    for part in PARTS {
        let ended = Ended(shared.clone());
        threads::spawn(part.name, move || part.run(&ended.0))?;
    }
    Ok(())
}
