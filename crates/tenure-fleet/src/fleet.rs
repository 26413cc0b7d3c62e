//! A member of a fleet, for whoever keeps the entries.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::listener::Listener;
use crate::machine::Phase;
use crate::mark::{Mark, Purpose};
use crate::member::Member;
use crate::permit::{self, Asking, Permit, PermitWait};
use crate::settings::Settings;
use crate::shared::{Seen, Shared};
use crate::topic::{Ending, Topic};
use crate::valkey::Valkey;
use crate::{ear, random, voice};

/// For how long a member that is dropped may go on to send what it has raised.
const PARTING: Duration = Duration::from_secs(1);
/// The threads of a member.
const THREADS: u32 = 2;

/// A member of a fleet. It leaves when this is dropped.
///
/// Nothing here waits for the network but what takes a bound: a raise is queued, and stays so while the server is away.
/// In a forked child a `Fleet` of the parent does nothing: it joins one of its own.
pub struct Fleet {
    shared: Arc<Shared>,
}

/// How a member stands with its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been connected so far.
    Connecting,
    /// What others end, it hears. The lag is how long the bus took at most when it was last measured.
    CaughtUp {
        /// None before the first measurement.
        lag: Option<Duration>,
    },
    /// The server cannot be reached, or not all of what was missed has been told so far.
    Lost,
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
            )
        });
        drop(unanswered);
    }
}

impl Fleet {
    /// Joins a fleet, and connects in the background.
    ///
    /// # Errors
    ///
    /// As [`Settings::check`], and where the system gives no thread or no random bytes. Whether the server can be reached
    /// is not looked at: a program starts without it, and says so in its log.
    pub fn join(settings: Settings, listener: Arc<dyn Listener>) -> Result<Arc<Self>, Error> {
        let address = settings.address()?;
        let me = random::draw()
            .map_err(|error| Error::setting(format!("a member has no name to be had: {error}")))?;
        let valkey = Valkey::new(address, &settings.name, &settings.secret, settings.answer);
        let fleet = Arc::new(Self {
            shared: Arc::new(Shared::new(me, settings, Box::new(valkey), listener)),
        });
        let start = |name: &str, run: fn(&Shared)| {
            let ended = Ended(fleet.shared.clone());
            let thread = thread::Builder::new()
                .name(name.into())
                .spawn(move || run(&ended.0));
            thread.map_err(|error| {
                Error::setting(format!("the fleet's thread cannot be started: {error}"))
            })
        };
        start("tenure-ear", ear::listen)?;
        start("tenure-voice", voice::speak)?;
        Ok(fleet)
    }

    /// The mark of these parts in this fleet.
    pub fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark {
        self.shared.keys.mark(purpose, parts)
    }

    /// Tells all other members that this has ended, as soon as the server can be reached.
    pub fn raise(&self, topic: Topic, ending: Ending) {
        self.shared.change(|todo| todo.outbox.raise(topic, ending));
    }

    /// Waits for one of `at_most` permits for this key; None where the build is to go on without one: the server cannot be
    /// reached, the member leaves, or `wait` says stop.
    pub fn permit(&self, key: Mark, at_most: u32, wait: &dyn PermitWait) -> Option<Permit> {
        permit::wait(&self.shared, key, at_most, wait)
    }

    /// Asks for a permit as [`permit`](Self::permit) does, and does not wait: `tell` is called with the answer on the
    /// fleet's thread, and is not called where [`Asking`] was dropped before.
    pub fn ask_permit(
        &self,
        key: Mark,
        at_most: u32,
        tell: impl FnOnce(Option<Permit>) + Send + 'static,
    ) -> Asking {
        permit::ask(&self.shared, key, at_most, tell)
    }

    /// All members, with what they last said of themselves; waits so long at most.
    ///
    /// # Errors
    ///
    /// Where the server cannot be reached, or did not answer in time.
    pub fn members(&self, bound: Duration) -> Result<Vec<Member>, Error> {
        let (tell, told) = channel();
        let asked = self
            .shared
            .change(|todo| (todo.ended == 0 && !todo.leaving).then(|| todo.questions.push(tell)));
        if asked.flatten().is_none() {
            return Err(Error::unanswered(
                "this process has left the fleet: join it again to ask for its members",
            ));
        }
        told.recv_timeout(bound).unwrap_or_else(|_| {
            Err(Error::unanswered(format!(
                "the fleet's server did not name its members within {bound:?}: ask again"
            )))
        })
    }

    /// How this member stands with the server.
    pub fn state(&self) -> State {
        if self.shared.is_elsewhere() {
            return State::Lost;
        }
        match self.shared.look().seen {
            Seen {
                phase: Phase::CaughtUp,
                lag,
                ..
            } => State::CaughtUp { lag },
            Seen {
                lost: false,
                times: 0,
                ..
            } => State::Connecting,
            _ => State::Lost,
        }
    }

    /// This member's name in the fleet, as [`members`](Self::members) has it.
    pub fn id(&self) -> String {
        format!("{:016x}", self.shared.me)
    }

    /// Waits until all that was raised so far has been sent, for so long at most; whether it has. The member stays one.
    pub fn flush(&self, bound: Duration) -> bool {
        if self.shared.is_elsewhere() {
            return true;
        }
        let until = Instant::now() + bound;
        let mut todo = self.shared.look();
        while !todo.outbox.is_empty() && todo.ended == 0 && Instant::now() < until {
            todo = self.shared.wait(todo, Some(until));
        }
        todo.outbox.is_empty()
    }

    /// Leaves: sends what is queued, gives permits back, and closes the connections, for so long at most. True where all
    /// was sent. A second call waits for the same.
    pub fn leave(&self, bound: Duration) -> bool {
        if self.shared.change(|todo| todo.leaving = true).is_none() {
            return true;
        }
        let until = Instant::now() + bound;
        let ours = thread::current()
            .name()
            .is_some_and(|name| name == "tenure-ear" || name == "tenure-voice");
        let mut todo = self.shared.look();
        // Its own threads would wait for themselves.
        while !ours && todo.ended < THREADS && Instant::now() < until {
            todo = self.shared.wait(todo, Some(until));
        }
        todo.outbox.is_empty()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.leave(PARTING);
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("id", &self.id())
            .field("state", &self.state())
            .finish()
    }
}
