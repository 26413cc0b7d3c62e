//! A member of a fleet, for whoever keeps the entries.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use tenure::front::metric;

use crate::error::Error;
use crate::listener::Listener;
use crate::machine::Phase;
use crate::mark::{Mark, Purpose};
use crate::member::{Member, MembersAsked};
use crate::parts::THREADS;
use crate::permit::{self, Asking, Permit, PermitWait};
use crate::server::Connector;
use crate::settings::Settings;
use crate::shared::{Seen, Shared};
use crate::topic::{Ending, Topic};
use crate::valkey::Valkey;
use crate::{parts, random};

/// For how long a member that is dropped may go on to send what it has raised.
const PARTING: Duration = Duration::from_secs(1);

/// A member of a fleet. It leaves when this is dropped, or [at once](Self::leave).
///
/// Nothing here waits for the network but what takes a bound: a raise is queued, and stays so while the server is away.
/// In a forked child a `Fleet` of the parent does nothing: it joins one of its own.
pub struct Fleet {
    pub(crate) shared: Arc<Shared>,
}

/// The standing of a member with its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been connected so far.
    Connecting,
    /// It hears what others end. The lag is the time that the bus took at most when it was last measured.
    CaughtUp {
        /// None before the first measurement.
        lag: Option<Duration>,
    },
    /// The server cannot be reached, or not all of what was missed has been told so far.
    Lost,
}

impl State {
    fn of(seen: Seen) -> Self {
        match seen {
            Seen {
                phase: Phase::CaughtUp,
                lag,
                ..
            } => Self::CaughtUp { lag },
            Seen {
                lost: false,
                times: 0,
                ..
            } => Self::Connecting,
            _ => Self::Lost,
        }
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
        let valkey = Valkey::new(address, &settings.name, &settings.secret, settings.answer);
        Self::join_by(settings, Box::new(valkey), listener)
    }

    fn join_by(
        settings: Settings,
        connector: Box<dyn Connector>,
        listener: Arc<dyn Listener>,
    ) -> Result<Arc<Self>, Error> {
        let me = random::draw()
            .map_err(|error| Error::setting(format!("a member has no name to be had: {error}")))?;
        let fleet = Arc::new(Self {
            shared: Arc::new(Shared::new(me, settings, connector, listener)),
        });
        parts::begin(&fleet.shared).map_err(|error| {
            Error::setting(format!("the fleet's thread cannot be started: {error}"))
        })?;
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
    /// fleet's thread. Where [`Asking`] is dropped before it mostly is not, and may be: an answer can be under way.
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
        let asked = self.ask_members()?;
        let answer = asked.within(bound);
        answer.unwrap_or_else(|| Err(asked.give_up(bound)))
    }

    /// Asks for all members as [`members`](Self::members) does, and does not wait: for whoever has something to look
    /// after meanwhile, or is not to keep this member until there is an answer.
    ///
    /// # Errors
    ///
    /// Where this member has left.
    pub fn ask_members(&self) -> Result<MembersAsked, Error> {
        let (tell, told) = channel();
        let asked = self
            .shared
            .change(|todo| (todo.ended == 0 && !todo.leaving).then(|| todo.questions.push(tell)));
        asked.flatten().ok_or_else(MembersAsked::left)?;
        Ok(MembersAsked::new(told))
    }

    /// The standing of this member in the text format of Prometheus: for an endpoint that shows the engine's figures too. Each
    /// member shows itself; the server is not asked.
    pub fn to_prometheus(&self) -> String {
        let state = self.state();
        let hears = u8::from(matches!(state, State::CaughtUp { .. }));
        let mut text = String::new();
        metric(
            &mut text,
            "tenure_fleet_caught_up",
            "gauge",
            "Whether what other members end is heard: 1 or 0.",
            hears,
        );
        metric(
            &mut text,
            "tenure_fleet_catch_ups_total",
            "counter",
            "How often all that others had ended was read anew.",
            self.shared.look().map_or(0, |todo| todo.seen.times),
        );
        if let State::CaughtUp { lag: Some(lag) } = state {
            metric(
                &mut text,
                "tenure_fleet_lag_seconds",
                "gauge",
                "How long the bus took at most to bring what was raised.",
                lag.as_secs_f64(),
            );
        }
        text
    }

    /// The standing of this member with the server.
    pub fn state(&self) -> State {
        (self.shared.look()).map_or(State::Lost, |todo| State::of(todo.seen))
    }

    /// The reason why what others end is not heard, as the log has it too; None while it is heard, and before the first
    /// attempt.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure_fleet::{Settings, State};
    /// # let engine = tenure::Engine::new();
    /// let settings = Settings::new("redis://127.0.0.1:1", "4f1c2a9be07d4c55a7d1");
    /// let fleet = tenure_fleet::join(&engine, settings, Default::default())?;
    /// if fleet.await_contact(Duration::from_secs(5)) == State::Lost {
    ///     eprintln!("{}", fleet.trouble().unwrap_or_default());
    /// }
    /// # assert!(fleet.trouble().unwrap().contains("127.0.0.1:1"));
    /// # Ok::<(), tenure_fleet::Error>(())
    /// ```
    pub fn trouble(&self) -> Option<String> {
        let todo = self.shared.look()?;
        todo.trouble.as_deref().map(str::to_owned)
    }

    /// Waits until this member has caught up for the first time, or has found that the server is out of reach, for so
    /// long at most. What is built before may have to be built once more: what others ended in a life of the server
    /// that nobody remembers cannot be known.
    pub fn await_contact(&self, bound: Duration) -> State {
        let until = Instant::now() + bound;
        let Some(mut todo) = self.shared.look() else {
            return State::Lost;
        };
        while State::of(todo.seen) == State::Connecting && todo.ended == 0 && Instant::now() < until
        {
            todo = self.shared.wait(todo, Some(until));
        }
        State::of(todo.seen)
    }

    /// Until when this member has heard all that others have ended, in this process; None where it has heard nothing so
    /// far. A member that takes over its entries is told the rest, with [`Settings::since`]. It lies back by as long as a
    /// ping takes to come round, and further where the server does not answer.
    pub fn heard_until(&self) -> Option<Instant> {
        let told_until = self.shared.look()?.seen.told_until?;
        Some(self.shared.joined + Duration::from_millis(told_until))
    }

    /// This member's name in the fleet, as [`members`](Self::members) has it.
    pub fn id(&self) -> String {
        format!("{:016x}", self.shared.me)
    }

    /// Waits until all that was raised so far has been sent, for so long at most; whether it has. The member stays one.
    pub fn flush(&self, bound: Duration) -> bool {
        let until = Instant::now() + bound;
        let Some(mut todo) = self.shared.look() else {
            return true;
        };
        while !todo.outbox.is_empty() && todo.ended == 0 && Instant::now() < until {
            todo = self.shared.wait(todo, Some(until));
        }
        todo.outbox.is_empty()
    }

    /// Takes this member out of those that [`members`](Self::members) names, until it next says of itself what
    /// it has: its process may end. Waits so long at most, and not at all while the server is away, where it runs out.
    pub(crate) fn withdraw(&self, bound: Duration) {
        let (tell, told) = channel::<()>();
        self.shared.change(|todo| {
            if todo.ended == 0 && todo.seen.phase == Phase::CaughtUp {
                todo.withdrawals.push(tell);
            }
        });
        // It is dropped when it was done, and also where it cannot be.
        let _ = told.recv_timeout(bound);
    }

    /// Leaves: sends what is queued, gives permits back, and closes the connections, for so long at most. True where all
    /// was sent. A second call waits for the same.
    pub fn leave(&self, bound: Duration) -> bool {
        self.shared.change(|todo| todo.leaving = true);
        let until = Instant::now() + bound;
        let Some(mut todo) = self.shared.look() else {
            return true;
        };
        let ours = todo.threads.contains(&thread::current().id());
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::{Receiver, Sender};

    use super::*;
    use crate::number::{Epoch, Number, Run, Snapshot};
    use crate::parts::EAR;
    use crate::server::{Answer, Desk, Heard, Raised, Server, Trouble};
    use crate::topic::Field;

    const BOUND: Duration = Duration::from_secs(20);
    const EPOCH: Epoch = Epoch { drawn: 1, at: 0 };

    /// A server on which each first connection of a thread panics.
    struct Trap {
        connections: AtomicU32,
        told: Sender<&'static str>,
    }

    struct Line {
        heard: VecDeque<Heard>,
        told: Sender<&'static str>,
    }

    impl Connector for Trap {
        fn connect(&self) -> Result<(Box<dyn Server>, Run), Trouble> {
            let at = self.connections.fetch_add(1, Ordering::Relaxed);
            assert!(at % 2 == 1, "it panics each other time");
            let run = Run {
                id: "a".into(),
                up: 1 << 40,
            };
            let line = Line {
                heard: VecDeque::new(),
                told: self.told.clone(),
            };
            Ok((Box::new(line), run))
        }
    }

    impl Server for Line {
        fn subscribe(&mut self) -> Result<(), Trouble> {
            self.heard.push_back(Heard::Subscribed);
            Ok(())
        }
        fn read_all(&mut self, _: Option<Epoch>) -> Result<(), Trouble> {
            self.heard.push_back(Heard::All(Snapshot {
                epoch: EPOCH,
                head: 0,
                now: 1 << 40,
                numbers: BTreeMap::new(),
            }));
            Ok(())
        }
        fn ping(&mut self) -> Result<(), Trouble> {
            self.heard.push_back(Heard::Answered(Some(EPOCH), 0));
            Ok(())
        }
        fn raise(&mut self, raises: &[(Field, Number)]) -> (usize, Result<Raised, Trouble>) {
            let _ = self.told.send("raised");
            (raises.len(), Ok(Raised::default()))
        }
        fn hear(&mut self, _: Instant) -> Result<Option<Heard>, Trouble> {
            thread::yield_now();
            Ok(self.heard.pop_front())
        }
        fn closer(&self) -> Box<dyn Fn() + Send> {
            Box::new(|| {})
        }
    }

    impl Desk for Line {
        fn fold(&mut self, _: Number, _: Duration, _: usize) -> Result<bool, Trouble> {
            Ok(false)
        }
        fn permit(&mut self, _: Mark, _: Number, _: u32, _: Duration) -> Result<Answer, Trouble> {
            let _ = self.told.send("taken");
            Ok(Answer::Taken(BOUND))
        }
        fn renew(&mut self, _: Mark, _: Number, _: Duration) -> Result<bool, Trouble> {
            Ok(true)
        }
        fn give_back(&mut self, _: Mark, _: Number) -> Result<(), Trouble> {
            Ok(())
        }
        fn announce(&mut self, _: u64, _: &[u8], _: Duration) -> Result<u64, Trouble> {
            let _ = self.told.send("announced");
            Ok(0)
        }
        fn withdraw(&mut self, _: u64) -> Result<(), Trouble> {
            Ok(())
        }
        fn members(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Trouble> {
            Ok(Vec::new())
        }
    }

    struct Notes(Mutex<Sender<&'static str>>);

    impl Notes {
        fn note(&self, what: &'static str) {
            let _ = self.0.lock().unwrap().send(what);
        }
    }

    impl Listener for Notes {
        fn ended(&self, _: Topic, _: Ending) {}
        fn forgot(&self) {
            self.note("forgot");
        }
        fn lost(&self) {
            self.note("lost");
        }
        fn caught_up(&self) {
            self.note("caught up");
        }
        fn figures(&self) -> String {
            String::new()
        }
    }

    /// A member of a fleet on a [`Trap`], and what it does.
    fn trapped() -> (Arc<Fleet>, Receiver<&'static str>) {
        let (told, notes) = channel();
        let brief = Duration::from_millis(1);
        let settings = Settings::new("redis://h", [7; 16]).retry(brief, brief);
        let trap = Trap {
            connections: AtomicU32::new(0),
            told: told.clone(),
        };
        let listener = Arc::new(Notes(Mutex::new(told)));
        let fleet = Fleet::join_by(settings, Box::new(trap), listener).unwrap();
        (fleet, notes)
    }

    fn until(notes: &Receiver<&'static str>, last: &str) -> Vec<&'static str> {
        let mut heard = Vec::new();
        while heard.last() != Some(&last) {
            heard.push(notes.recv_timeout(BOUND).expect("it never came"));
        }
        heard
    }

    #[test]
    fn d1_a_member_that_leaves_on_a_thread_of_another_waits_until_all_is_sent() {
        let (fleet, notes) = trapped();
        until(&notes, "announced");
        fleet.raise(Topic::Everything, Ending::Cleared);
        let other = thread::Builder::new().name(EAR.name.into());
        let leave = move || (fleet.leave(BOUND), fleet.shared.look().unwrap().ended);
        assert_eq!(other.spawn(leave).unwrap().join().unwrap(), (true, THREADS));
        assert_eq!(until(&notes, "raised"), ["raised"]);
    }

    #[test]
    fn d3_a_question_that_is_taken_back_is_dropped_with_no_lock_held() {
        struct Looks(std::sync::Weak<Fleet>, Sender<bool>);
        impl Drop for Looks {
            fn drop(&mut self) {
                let fleet = self.0.upgrade().expect("the test has it");
                let (tell, told) = channel();
                thread::spawn(move || tell.send(fleet.state()));
                let _ = self.1.send(told.recv_timeout(BOUND).is_ok());
            }
        }
        let (fleet, notes) = trapped();
        until(&notes, "announced");
        let (tell, dropped) = channel();
        let looks = Looks(Arc::downgrade(&fleet), tell);
        let asking = fleet.ask_permit(Mark([1; 16]), 1, move |_| drop(looks));
        until(&notes, "taken");
        drop(asking);
        assert!(dropped.recv_timeout(2 * BOUND).unwrap());
    }

    #[test]
    fn d1_a_thread_that_panics_is_told_of_as_a_loss_and_begins_anew() {
        let (fleet, notes) = trapped();
        assert_eq!(until(&notes, "caught up"), ["lost", "caught up"]);
        // The thread that speaks has the next connection, and panics in its turn.
        fleet.raise(Topic::Everything, Ending::Cleared);
        assert!(!until(&notes, "raised").contains(&"lost"));
        assert!(fleet.flush(BOUND) && fleet.leave(BOUND));
    }
}
