//! The thread that speaks: it sends what has been raised, and asks what callers want to know.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::machine::Phase;
use crate::mark::Mark;
use crate::member::{Card, Member, Owed, members};
use crate::number::Number;
use crate::random::{Waits, around};
use crate::server::{Answer, Server, Trouble};
use crate::shared::{Ask, Renewal, Shared, Todo};
use crate::topic::Field;

/// The most raises that are sent in one go.
const AT_ONCE: usize = 128;
/// The pauses of whoever waits for a permit: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The reason where none is known.
const OUT_OF_REACH: &str = "the fleet's server is out of reach";

/// Speaks until the member leaves.
pub(crate) fn speak(shared: &Shared) {
    Voice {
        shared,
        link: None,
        waits: Waits::new(shared.settings.retry.0, shared.settings.retry.1),
        not_before: None,
        announce: None,
        fold: Instant::now() + around(shared.settings.fold.0 / 6),
        alone_said: false,
        trouble_said: false,
        announced: false,
        owed: Owed::default(),
        times: 0,
    }
    .run();
}

/// The thread has panicked: whether the server has what it was sending is not known.
pub(crate) fn failed(shared: &Shared) {
    shared.change(|todo| todo.outbox.failed());
}

struct Voice<'a> {
    shared: &'a Shared,
    link: Option<Box<dyn Server>>,
    waits: Waits,
    /// After trouble, when the next attempt may be made.
    not_before: Option<Instant>,
    /// The time at which the figures are due; None before the first one.
    announce: Option<Instant>,
    fold: Instant,
    alone_said: bool,
    trouble_said: bool,
    announced: bool,
    owed: Owed,
    /// The number of times that the member had been caught up when this was last looked at.
    times: u64,
}

/// The work that is next.
#[derive(Default)]
struct Round {
    raises: Vec<(Field, Number)>,
    asks: Vec<Ask>,
    renewals: Vec<(Number, Mark, Arc<AtomicBool>)>,
    given_back: Vec<(Mark, Number)>,
    questions: Vec<Sender<Result<Vec<Member>, Error>>>,
    /// Those who ask for a permit and have to go on without the server.
    alone: Vec<Ask>,
    /// Those who no longer ask for one. What they would have been told with is theirs, and is not dropped under a lock.
    given_up: Vec<Ask>,
    /// Those who ask for the members in vain.
    unanswered: Vec<Sender<Result<Vec<Member>, Error>>>,
    announce: bool,
    fold: bool,
    withdrawals: Vec<Sender<()>>,
    /// The reason why the fleet is not heard.
    trouble: Option<Arc<str>>,
    leaving: bool,
}

impl Round {
    fn needs_server(&self) -> bool {
        !self.raises.is_empty()
            || !self.asks.is_empty()
            || !self.renewals.is_empty()
            || !self.given_back.is_empty()
            || !self.questions.is_empty()
            || self.announce
            || self.fold
            || !self.withdrawals.is_empty()
    }

    fn is_something(&self) -> bool {
        self.needs_server()
            || !self.alone.is_empty()
            || !self.given_up.is_empty()
            || !self.unanswered.is_empty()
            || self.leaving
    }
}

impl Voice<'_> {
    fn run(&mut self) {
        loop {
            let mut round = self.next();
            round.given_up.clear();
            let trouble = round.trouble.as_deref().unwrap_or(OUT_OF_REACH);
            for ask in round.alone.drain(..) {
                self.alone(ask, trouble);
            }
            for question in round.unanswered.drain(..) {
                drop(question.send(Err(unanswered(trouble))));
            }
            let leaving = round.leaving;
            let mut done = true;
            if round.needs_server() {
                let old = self.link.is_some();
                let mut served = self.serve(&mut round);
                if old && served.as_ref().is_err_and(Trouble::is_of_the_connection) {
                    // It may have ended while nothing was said on it.
                    self.link = None;
                    self.shared.change(|todo| todo.outbox.failed());
                    served = self.serve(&mut round);
                }
                match served {
                    Ok(()) => {
                        self.waits.reset();
                        self.not_before = None;
                        self.trouble_said = false;
                    }
                    Err(trouble) => {
                        done = false;
                        self.troubled(round, &trouble);
                    }
                }
            }
            let is_sent = || self.shared.look().is_none_or(|it| it.outbox.is_empty());
            if leaving && (!done || is_sent()) {
                break self.farewell();
            }
        }
    }

    /// Waits until there is something to do.
    fn next(&mut self) -> Round {
        let Some(mut todo) = self.shared.look() else {
            return Round {
                leaving: true,
                ..Round::default()
            };
        };
        loop {
            let now = Instant::now();
            let round = self.collect(&mut todo, now);
            if round.is_something() {
                return round;
            }
            let until = self.due(&todo, now);
            todo = self.shared.wait(todo, until);
        }
    }

    fn may_try(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| time <= now)
    }

    fn collect(&mut self, todo: &mut Todo, now: Instant) -> Round {
        let mut round = Round {
            trouble: todo.trouble.clone(),
            leaving: todo.leaving,
            ..Round::default()
        };
        let reached = todo.seen.phase == Phase::CaughtUp;
        if todo.seen.times != self.times {
            // The server is back: there is no reason to wait before the next attempt.
            self.times = todo.seen.times;
            self.not_before = None;
            // It may also be another one.
            self.link = None;
            self.owed = Owed::default();
        }
        (round.given_up, todo.asks) = std::mem::take(&mut todo.asks)
            .into_iter()
            .partition(|ask| ask.given_up.load(Ordering::Acquire));
        if todo.seen.lost || todo.leaving || (!self.may_try(now) && self.link.is_none()) {
            round.alone = std::mem::take(&mut todo.asks);
            round.unanswered = std::mem::take(&mut todo.questions);
        }
        let withdrawals = std::mem::take(&mut todo.withdrawals);
        if !(todo.leaving || (reached && self.may_try(now))) {
            return round;
        }
        round.withdrawals = withdrawals;
        for field in todo.outbox.send(AT_ONCE) {
            round.raises.push((field, todo.number(self.shared.me)));
        }
        round.given_back = std::mem::take(&mut todo.given_back);
        if todo.leaving {
            round.given_back.extend(
                std::mem::take(&mut todo.renewals)
                    .into_iter()
                    .map(|(holder, permit)| (permit.key, holder)),
            );
            return round;
        }
        let (due, later) = std::mem::take(&mut todo.asks)
            .into_iter()
            .partition(|ask| ask.due <= now);
        (round.asks, todo.asks) = (due, later);
        for (holder, permit) in (todo.renewals.iter_mut()).filter(|(_, it)| it.due <= now) {
            permit.due = now + self.shared.settings.permit_for / 3;
            (round.renewals).push((*holder, permit.key, permit.held.clone()));
        }
        round.questions = std::mem::take(&mut todo.questions);
        round.announce =
            self.announce.is_none_or(|time| time <= now) || !round.questions.is_empty();
        round.fold = self.fold <= now;
        round
    }

    /// The time to look again if nothing changes, after a look at this one.
    fn due(&self, todo: &Todo, now: Instant) -> Option<Instant> {
        if todo.seen.phase != Phase::CaughtUp {
            return None;
        }
        if let Some(time) = self.not_before.filter(|time| *time > now) {
            // Something could not be said, and is to be tried again.
            return Some(time);
        }
        let asks = todo.asks.iter().map(|ask| ask.due);
        let renewals = todo.renewals.values().map(|it| it.due);
        asks.chain(renewals)
            .chain(self.announce)
            .chain([self.fold])
            .min()
    }

    fn link(&mut self) -> Result<&mut dyn Server, Trouble> {
        if self.link.is_none() {
            self.link = Some(self.shared.connector.connect()?.0);
        }
        match &mut self.link {
            Some(link) => Ok(link.as_mut()),
            None => Err(Trouble::new("there is no connection")),
        }
    }

    /// Does what there is to do, raises first. What is done is taken out of the round.
    fn serve(&mut self, round: &mut Round) -> Result<(), Trouble> {
        if !round.raises.is_empty() {
            let raises = std::mem::take(&mut round.raises);
            let (confirmed, told) = self.link()?.raise(&raises);
            let beyond = told
                .as_ref()
                .is_ok_and(|raised| raised.kept > self.shared.settings.fold.1);
            self.shared.change(|todo| {
                raises[..confirmed]
                    .iter()
                    .for_each(|(field, _)| todo.outbox.confirmed(*field));
            });
            told?;
            round.fold |= beyond;
        }
        let time = self.shared.settings.permit_for;
        while let Some((key, holder)) = round.given_back.last().copied() {
            self.link()?.give_back(key, holder)?;
            round.given_back.pop();
        }
        while let Some((holder, key, held)) = round.renewals.pop() {
            if !self.link()?.renew(key, holder, time)? {
                held.store(false, Ordering::Release);
                self.shared.change(|todo| todo.renewals.remove(&holder));
            }
        }
        // One that is not answered stays, to be told that there is no answer.
        while let Some(ask) = round.asks.last() {
            let answer = self
                .link()?
                .permit(ask.key, ask.holder, ask.at_most, time)?;
            if let Some(ask) = round.asks.pop() {
                self.answer(ask, answer);
            }
        }
        if round.announce {
            self.announce()?;
        }
        if !round.questions.is_empty() {
            let found = self.members()?;
            for question in round.questions.drain(..) {
                drop(question.send(Ok(found.clone())));
            }
        }
        if round.fold {
            self.fold()?;
        }
        if !round.withdrawals.is_empty() {
            self.withdraw()?;
            round.withdrawals.clear();
        }
        Ok(())
    }

    fn answer(&mut self, mut ask: Ask, answer: Answer) {
        self.alone_said = false;
        match answer {
            Answer::Granted(fence) => {
                let renewal = Renewal {
                    key: ask.key,
                    due: Instant::now() + self.shared.settings.permit_for / 3,
                    held: ask.held,
                };
                self.shared
                    .change(|todo| todo.renewals.insert(ask.holder, renewal));
                told(ask.tell, Some(fence));
            }
            Answer::Taken(at_most) => {
                // No later than when the first of them runs out, if nobody renews it.
                let pause = around(ask.pause)
                    .min(PAUSES.1)
                    .min(at_most + Duration::from_millis(5));
                ask.pause = (ask.pause * 3 / 2).min(PAUSES.1);
                ask.due = Instant::now() + pause;
                self.shared.change(|todo| todo.asks.push(ask));
            }
        }
    }

    /// Sends a build on without a permit, and says once that there are such.
    fn alone(&mut self, ask: Ask, trouble: &str) {
        if !std::mem::replace(&mut self.alone_said, true) {
            tracing::warn!(
                "builds go on without the fleet's permits, and other members may build the same: {trouble}"
            );
        }
        told(ask.tell, None);
    }

    fn announce(&mut self) -> Result<(), Trouble> {
        let settings = &self.shared.settings;
        let listener = &self.shared.listener;
        let figures = catch_unwind(AssertUnwindSafe(|| listener.figures())).unwrap_or_else(|_| {
            tracing::error!("whoever listens to the fleet panicked when asked for its figures");
            "{}".into()
        });
        // What was raised a moment ago, and heard meanwhile, is not behind.
        let seen = self.shared.look().map(|todo| todo.seen).unwrap_or_default();
        let behind = (self.owed).behind(seen.head, Instant::now(), settings.answer);
        let card = Card {
            host: settings.host.clone().unwrap_or_else(host),
            process: std::process::id(),
            behind,
            lag: seen.lag,
            figures,
        };
        let (me, keep) = (self.shared.me, settings.figures * 3);
        if let Some(sealed) = self.shared.seal.close(&card.write()) {
            let head = self.link()?.announce(me, &sealed, keep)?;
            self.owed.note(head, Instant::now());
            self.announced = true;
        }
        self.announce = Some(Instant::now() + self.shared.settings.figures);
        Ok(())
    }

    /// The process may be about to end: it is not named any more, until it next says what it has.
    fn withdraw(&mut self) -> Result<(), Trouble> {
        self.announce = Some(Instant::now() + self.shared.settings.figures);
        if self.announced {
            let me = self.shared.me;
            self.link()?.withdraw(me)?;
            self.announced = false;
        }
        Ok(())
    }

    fn members(&mut self) -> Result<Vec<Member>, Trouble> {
        let cards = self.link()?.members()?.into_iter();
        let opened = cards
            .filter_map(|(id, sealed)| Some((id, Card::read(&self.shared.seal.open(&sealed)?)?)));
        Ok(members(self.shared.me, opened.collect()))
    }

    fn fold(&mut self) -> Result<(), Trouble> {
        let (older, beyond) = self.shared.settings.fold;
        while let Some(number) = self.shared.change(|todo| todo.number(self.shared.me)) {
            if !self.link()?.fold(number, older, beyond)? {
                break;
            }
        }
        self.fold = Instant::now() + around(older / 6);
        Ok(())
    }

    /// Puts off what was not done, or tells whoever asked that it is not.
    fn troubled(&mut self, round: Round, trouble: &Trouble) {
        self.link = None;
        self.not_before = Some(Instant::now() + self.waits.next());
        self.shared.change(|todo| {
            todo.outbox.failed();
            todo.given_back.extend(round.given_back);
            // The one that listens would not notice: a server that has become a replica still answers.
            if let (Some(closer), true) = (&todo.closer, trouble.is_of_a_replica()) {
                closer();
            }
        });
        let told = trouble.told();
        for ask in round.asks {
            self.alone(ask, &told);
        }
        for question in round.questions {
            drop(question.send(Err(unanswered(&told))));
        }
        if !round.leaving && !std::mem::replace(&mut self.trouble_said, true) {
            tracing::warn!(
                "the fleet's server did not take what this member has to say, which is tried again: {trouble}"
            );
        }
    }

    /// The last words of a member that leaves.
    fn farewell(&mut self) {
        let me = self.shared.me;
        if self.announced
            && let Some(link) = &mut self.link
        {
            // If it cannot be said, it runs out by itself.
            drop(link.withdraw(me));
        }
        self.link = None;
        self.shared.change(|todo| {
            if let Some(closer) = &todo.closer {
                closer();
            }
        });
    }
}

fn told(tell: Box<dyn FnOnce(Option<u64>) + Send>, fence: Option<u64>) {
    if catch_unwind(AssertUnwindSafe(|| tell(fence))).is_err() {
        tracing::error!("whoever asked for a permit of the fleet panicked when told of it");
    }
}

fn unanswered(trouble: &str) -> Error {
    Error::unanswered(format!(
        "{trouble}. The fleet's members can be asked for when that is over"
    ))
}

/// The name of this machine.
fn host() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok());
    named
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".into())
}
