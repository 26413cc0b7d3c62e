//! A member's part of the protocol, without a socket, a thread or a clock: what it hears goes in, what it does and tells
//! comes out. The models check this very code.
//!
//! 1. **Subscribe, then read.** All numbers are read after the server has confirmed the subscription, so whatever is
//!    raised is in what was read, or is told.
//! 2. **Different, not greater.** A number that is another one than the one remembered means that its topic has ended. A
//!    server that went back has smaller ones, and they are as different.
//! 3. **Another life forgets.** Where the server's run or the epoch of its numbers is another one, what had been raised may
//!    be gone without a trace: everything has ended.
//! 4. **Heard in order, or read again.** Each message has the server's count. One that does not follow on the last, or an
//!    answer to a ping that has another count, has everything read again.
//! 5. **Gone back, begun anew.** Numbers that differ from what was heard at the same count are of a server that went back
//!    in place: ends that others have not heard are gone from it. Whoever sees that has the numbers begin a new life.
//! 6. **A number of one's own is nothing new only where it was heard in order.** Read later, it may stand where somebody
//!    else's was.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
use crate::model::Flaw;
use crate::number::{Epoch, Kept, Message, Run, Said, Snapshot};
use crate::topic::{Ending, Field, Topic};

/// Whether this is the machine with that defect, on which the models are tried.
macro_rules! flawed {
    ($machine:expr, $flaw:ident) => {{
        #[cfg(test)]
        let flawed = $machine.flaw == Flaw::$flaw;
        #[cfg(not(test))]
        let flawed = false;
        flawed
    }};
}

/// An order to the transport.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Output {
    /// Subscribe, and say when that is confirmed.
    Subscribe,
    /// Read all numbers. Where they are of this epoch still, they begin anew first.
    ReadAll(Option<Epoch>),
    /// Ask for the epoch and the head.
    Ping,
    /// Close the connection, which answers nothing, and say that it is lost.
    HangUp,
    /// Tell whoever keeps the entries.
    Tell(Notice),
}

/// News for whoever keeps the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Notice {
    /// This has ended, elsewhere.
    Ended(Topic, Ending),
    /// The server is another one, or forgot: anything may have ended.
    Forgot,
    /// From here on what others end is not heard.
    Lost,
    /// All that was ended meanwhile has been told.
    CaughtUp,
}

/// The stage that a member has reached with the connection that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// There is none.
    Down,
    /// It has asked for the subscription.
    Subscribing,
    /// It has been subscribed, and waits for all numbers.
    Reading,
    /// It knows what there is to know.
    CaughtUp,
}

/// The time between two questions whether everything has been heard, and the longest wait for an answer, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timing {
    pub(crate) every: u64,
    pub(crate) bound: u64,
}

/// A member of a fleet. Times are milliseconds since it joined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Machine {
    me: u64,
    timing: Timing,
    phase: Phase,
    /// The run of the server at the other end of the connection.
    other_end: Option<Run>,
    /// The life of the numbers that this member was last caught up with.
    known: Option<Life>,
    /// The server's count of raises, up to which each was heard or read.
    seen: u64,
    remembered: BTreeMap<Field, Kept>,
    /// The messages that were heard before all numbers were read.
    early: Vec<Message>,
    /// Whether all numbers are being read once more.
    again: bool,
    /// The epoch in which the server was found to have gone back.
    disowned: Option<Epoch>,
    /// The time at which the ping went out that is under way.
    pinged: Option<u64>,
    /// The time at which it last asked the server for something, or had the last answer to a ping.
    asked: u64,
    /// Until when it has told all that others have ended.
    told_until: Option<u64>,
    lost: bool,
    #[cfg(test)]
    pub(crate) flaw: Flaw,
}

/// The name of one life of the numbers: the server's run, and the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Life(String, Epoch);

impl Machine {
    pub(crate) fn new(me: u64, timing: Timing) -> Self {
        Self {
            me,
            timing,
            phase: Phase::Down,
            other_end: None,
            known: None,
            seen: 0,
            remembered: BTreeMap::new(),
            early: Vec::new(),
            again: false,
            disowned: None,
            pinged: None,
            asked: 0,
            told_until: None,
            lost: false,
            #[cfg(test)]
            flaw: Flaw::None,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The server's count of raises, as far as this member has heard them.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Until when all that others have ended has been told: when that was last asked of which nothing was missing. That
    /// a member is caught up says less, since a connection may be dead before anybody notices.
    pub(crate) fn told_until(&self) -> Option<u64> {
        self.told_until
    }

    /// Whether it has been told that what others end is not heard.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether it is caught up, and does not read everything once more.
    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        self.phase == Phase::CaughtUp && !self.again
    }

    /// Whether it takes the server for one that went back.
    #[cfg(test)]
    pub(crate) fn disowns(&self) -> bool {
        self.disowned.is_some()
    }

    /// Whether a ping is under way.
    #[cfg(test)]
    pub(crate) fn awaits_answer(&self) -> bool {
        self.pinged.is_some()
    }

    /// There is a connection to this run of the server.
    pub(crate) fn connected(&mut self, run: Run, now: u64) -> Vec<Output> {
        self.other_end = Some(run);
        self.phase = Phase::Subscribing;
        self.asked = now;
        if flawed!(self, ReadFirst) {
            return vec![self.read_all(), Output::Subscribe];
        }
        vec![Output::Subscribe]
    }

    /// The server has confirmed the subscription.
    pub(crate) fn subscribed(&mut self, now: u64) -> Vec<Output> {
        if self.phase != Phase::Subscribing {
            return Vec::new();
        }
        self.phase = Phase::Reading;
        self.asked = now;
        if flawed!(self, ReadFirst) {
            return Vec::new();
        }
        vec![self.read_all()]
    }

    fn read_all(&self) -> Output {
        Output::ReadAll(self.disowned)
    }

    /// All numbers have been read.
    pub(crate) fn read(&mut self, all: Snapshot, now: u64) -> Vec<Output> {
        let Some(run) = self.other_end.clone() else {
            return Vec::new();
        };
        let mut told = if self.is_another_life(&run, &all, now) {
            vec![Output::Tell(Notice::Forgot)]
        } else if self.went_back(&all) {
            self.disowned = Some(all.epoch);
            self.again = true;
            self.asked = now;
            return vec![self.read_all()];
        } else {
            self.differences(&all, now)
        };
        self.disowned = None;
        self.known = Some(Life(run.id, all.epoch));
        self.seen = all.head;
        self.remembered = all.numbers;
        self.again = false;
        self.told_until = Some(self.asked);
        self.asked = now;
        self.pinged = None;
        self.lost = false;
        if self.phase != Phase::CaughtUp {
            self.phase = Phase::CaughtUp;
            for message in std::mem::take(&mut self.early) {
                // What was read says it already.
                if message.epoch != all.epoch || message.kept.head > all.head {
                    told.extend(self.heard(message, now));
                }
            }
            told.push(Output::Tell(Notice::CaughtUp));
        }
        told
    }

    fn is_another_life(&self, run: &Run, all: &Snapshot, now: u64) -> bool {
        match &self.known {
            Some(Life(id, epoch)) => {
                let same_run = *id == run.id || flawed!(self, NoRun);
                let same_epoch = *epoch == all.epoch || flawed!(self, NoEpoch);
                !(same_run && same_epoch)
            }
            // What has begun since this member joined may have had another life before.
            None => {
                (run.up <= now || all.now.saturating_sub(all.epoch.at) <= now)
                    && !flawed!(self, NewcomerTrusts)
            }
        }
    }

    /// Whether these numbers of a known life are not those that follow on what this member has heard of it.
    fn went_back(&self, all: &Snapshot) -> bool {
        if self.known.is_none() || flawed!(self, BackIsNothing) {
            return false;
        }
        let is_heard = |kept: &Kept| kept.head <= self.seen;
        let is_other = |(field, kept): (&Field, &Kept)| {
            is_heard(kept) && self.remembered.get(field) != Some(kept)
        };
        let is_gone = |(field, known): (&Field, &Kept)| {
            let folded = field.folds_into().and_then(|into| all.numbers.get(&into));
            is_heard(known) && !all.numbers.contains_key(field) && folded.is_none_or(is_heard)
        };
        // A count that is lower shows so too: the last number that was heard is not there then.
        all.numbers.iter().any(is_other) || self.remembered.iter().any(is_gone)
    }

    /// The ends since these numbers were last read or heard, if they are those of the same life.
    fn differences(&self, all: &Snapshot, now: u64) -> Vec<Output> {
        let newcomer = self.known.is_none();
        let ended = |field: &Field, kept: Option<&Kept>| match kept {
            // A newcomer has nothing that is older than itself. Clocks that are set right may run a little faster.
            Some(kept) if newcomer => {
                all.now.saturating_sub(kept.at) <= now + now / 1000 + 50
                    && !flawed!(self, NewcomerTrusts)
            }
            Some(kept) => match self.remembered.get(field) {
                _ if flawed!(self, OwnIsNothingNew) && kept.number.member == self.me => false,
                Some(known) if flawed!(self, Greater) => kept.number > known.number,
                Some(known) => kept.number != known.number,
                None => true,
            },
            None => true,
        };
        let gone = self
            .remembered
            .keys()
            .filter(|field| !all.numbers.contains_key(field));
        let there = (all.numbers.iter()).filter(|(field, kept)| ended(field, Some(kept)));
        let fields = (gone.filter(|field| ended(field, None))).chain(there.map(|(field, _)| field));
        // Of two that say the same, one is told.
        let ends: BTreeSet<Field> = fields
            .map(|field| Field::new(field.topic(), field.ending))
            .collect();
        ends.iter()
            .filter(|end| {
                let mut more = end.covering().filter(|more| more != *end);
                !more.any(|more| ends.contains(&more))
            })
            .map(|end| Output::Tell(Notice::Ended(end.topic(), end.ending)))
            .collect()
    }

    /// A message has come.
    pub(crate) fn heard(&mut self, message: Message, now: u64) -> Vec<Output> {
        match self.phase {
            Phase::Down => return Vec::new(),
            Phase::Subscribing | Phase::Reading => {
                self.early.push(message);
                return Vec::new();
            }
            Phase::CaughtUp => {}
        }
        let Message { epoch, kept, said } = message;
        let same_life = self
            .known
            .as_ref()
            .is_some_and(|Life(_, known)| *known == epoch);
        if let Said::Raised(field) = said
            && same_life
            && kept.head <= self.seen
            && self.remembered.get(&field) == Some(&kept)
        {
            return Vec::new();
        }
        let follows = same_life && kept.head == self.seen + 1;
        let mut outputs = Vec::new();
        match said {
            Said::Raised(field) => {
                if kept.number.member != self.me || !follows {
                    outputs.push(Output::Tell(Notice::Ended(field.topic(), field.ending)));
                }
                // One that comes late must not stand for what has been raised since.
                if same_life && (kept.head > self.seen || flawed!(self, LateStands)) {
                    self.remembered.insert(field, kept);
                }
            }
            // What was folded is known only to whoever has heard all of it.
            Said::Folded(floor) => {
                if follows || flawed!(self, FoldOverGap) {
                    self.fold(floor, kept);
                }
            }
        }
        if follows || (same_life && flawed!(self, GapIsNothing)) {
            self.seen = self.seen.max(kept.head);
        }
        if !follows && !flawed!(self, GapIsNothing) {
            outputs.extend(self.read_again(now));
        }
        outputs
    }

    /// The numbers up to this one are no longer kept by themselves; what speaks for them has this number now.
    fn fold(&mut self, floor: u64, kept: Kept) {
        let folded: Vec<(Field, Field)> = (self.remembered.iter())
            .filter(|(_, kept)| kept.head <= floor)
            .filter_map(|(field, _)| Some((*field, field.folds_into()?)))
            .collect();
        for (field, into) in folded {
            self.remembered.remove(&field);
            self.remembered.insert(into, kept);
        }
    }

    fn read_again(&mut self, now: u64) -> Option<Output> {
        if self.again {
            return None;
        }
        self.again = true;
        self.asked = now;
        Some(self.read_all())
    }

    /// A ping was answered.
    pub(crate) fn answered(&mut self, epoch: Option<Epoch>, head: u64, now: u64) -> Vec<Output> {
        let Some(pinged) = self.pinged.take() else {
            return Vec::new();
        };
        if !self.again {
            self.asked = now;
        }
        let known = self.known.as_ref().map(|Life(_, known)| *known);
        if (known == epoch && head == self.seen) || flawed!(self, PongIsNothing) {
            if !self.again {
                self.told_until = Some(pinged);
            }
            return Vec::new();
        }
        self.read_again(now).into_iter().collect()
    }

    /// The connection is gone, or could not be made.
    pub(crate) fn lost(&mut self) -> Vec<Output> {
        self.phase = Phase::Down;
        self.other_end = None;
        self.early.clear();
        self.again = false;
        self.pinged = None;
        if std::mem::replace(&mut self.lost, true) {
            return Vec::new();
        }
        vec![Output::Tell(Notice::Lost)]
    }

    /// The time at which something is to be asked, or an answer is overdue; None where there is nothing to wait for.
    pub(crate) fn due(&self) -> Option<u64> {
        match self.phase {
            Phase::Down => None,
            Phase::CaughtUp if self.pinged.is_none() && !self.again => {
                Some(self.asked + self.timing.every)
            }
            _ => Some(self.asked + self.timing.bound),
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: u64) -> Vec<Output> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        if self.phase == Phase::CaughtUp && self.pinged.is_none() && !self.again {
            self.pinged = Some(now);
            self.asked = now;
            return vec![Output::Ping];
        }
        vec![Output::HangUp]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;
    use crate::number::Number;
    use crate::topic::Of;

    fn run() -> Run {
        Run {
            id: "run".into(),
            up: 1_000_000,
        }
    }

    fn snapshot(head: u64) -> Snapshot {
        Snapshot {
            epoch: epoch(),
            head,
            numbers: BTreeMap::new(),
            now: 1_000_000,
        }
    }

    fn epoch() -> Epoch {
        Epoch { drawn: 1, at: 1 }
    }

    #[test]
    fn d1_all_is_heard_until_that_was_asked_of_which_nothing_was_missing() {
        let timing = Timing {
            every: 1_000,
            bound: 300,
        };
        let mut machine = Machine::new(1, timing);
        machine.connected(run(), 0);
        machine.subscribed(20);
        assert_eq!(machine.told_until(), None);
        machine.read(snapshot(5), 50);
        assert_eq!(machine.told_until(), Some(20));
        // As long as a ping is not answered nothing more is known, though it is caught up.
        assert_eq!(machine.tick(1_050), [Output::Ping]);
        assert_eq!(
            (machine.phase(), machine.told_until()),
            (Phase::CaughtUp, Some(20))
        );
        machine.answered(Some(epoch()), 5, 1_060);
        assert_eq!(machine.told_until(), Some(1_050));
        // One that shows that something was missed says so only once all was read.
        machine.tick(2_100);
        assert_eq!(
            machine.answered(Some(epoch()), 6, 2_110),
            [Output::ReadAll(None)]
        );
        assert_eq!(machine.told_until(), Some(1_050));
        machine.read(snapshot(6), 2_200);
        assert_eq!(machine.told_until(), Some(2_110));
        machine.tick(3_300);
        machine.lost();
        assert_eq!(machine.told_until(), Some(2_110));
    }

    const F: Mark = Mark([1; 16]);

    fn entry(at: u128) -> Topic {
        Topic::Entry {
            function: F,
            entry: Mark(at.to_be_bytes()),
        }
    }

    /// The outputs of a member that had heard of nothing, and finds these numbers.
    fn told(fields: impl IntoIterator<Item = Field>) -> Vec<(Topic, Ending)> {
        let mut machine = Machine::new(1, Timing { every: 1, bound: 1 });
        let run = Run {
            id: "a".into(),
            up: 1 << 40,
        };
        machine.connected(run.clone(), 0);
        machine.subscribed(0);
        let mut all = Snapshot {
            epoch: Epoch { drawn: 1, at: 0 },
            head: 0,
            now: 1 << 40,
            numbers: BTreeMap::new(),
        };
        machine.read(all.clone(), 0);
        machine.lost();
        machine.connected(run, 0);
        machine.subscribed(0);
        let number = |sequence| Number {
            member: 2,
            sequence,
        };
        all.numbers = (fields.into_iter().zip(1..))
            .map(|(field, head)| {
                let number = number(head);
                (
                    field,
                    Kept {
                        number,
                        head,
                        at: 0,
                    },
                )
            })
            .collect();
        all.head = all.numbers.len() as u64;
        let outputs = machine.read(all, 0);
        let told = outputs.into_iter().filter_map(|output| match output {
            Output::Tell(Notice::Ended(topic, ending)) => Some((topic, ending)),
            _ => None,
        });
        told.collect()
    }

    fn kept(member: u64, head: u64) -> Kept {
        Kept {
            number: Number {
                member,
                sequence: head,
            },
            head,
            at: head * 1_000,
        }
    }

    /// All numbers of a server that has counted this far.
    fn numbers<const N: usize>(head: u64, fields: [(Topic, Kept); N]) -> Snapshot {
        Snapshot {
            numbers: (fields.into_iter())
                .map(|(topic, kept)| (Field::new(topic, Ending::Cleared), kept))
                .collect(),
            ..snapshot(head)
        }
    }

    /// A member that is caught up with these numbers.
    fn caught_up(all: Snapshot) -> Machine {
        let mut machine = Machine::new(1, Timing { every: 1, bound: 1 });
        machine.connected(run(), 0);
        machine.subscribed(0);
        machine.read(all, 0);
        machine
    }

    #[test]
    fn d1_numbers_that_are_not_those_that_were_heard_are_not_gone_on_with() {
        let known = || caught_up(numbers(3, [(entry(1), kept(2, 1)), (entry(2), kept(2, 3))]));
        let goes_on = |all: Snapshot| {
            let outputs = known().read(all, 10);
            outputs != [Output::ReadAll(Some(epoch()))]
        };
        let (one, two) = ((entry(1), kept(2, 1)), (entry(2), kept(2, 3)));
        assert!(goes_on(numbers(3, [one, two])));
        assert!(goes_on(numbers(4, [(entry(1), kept(2, 4)), two])));
        // The count is lower.
        assert!(!goes_on(numbers(2, [one, (entry(2), kept(2, 2))])));
        assert!(!goes_on(numbers(2, [one])));
        // As many were raised since: another number where this one was heard, or an older one in its place.
        assert!(!goes_on(numbers(3, [one, (entry(2), kept(3, 3))])));
        assert!(!goes_on(numbers(4, [one, (entry(2), kept(2, 2))])));
        assert!(!goes_on(numbers(4, [one, two, (entry(3), kept(2, 2))])));
        // One is gone, and nothing that was raised since speaks for it.
        assert!(!goes_on(numbers(4, [one, (entry(3), kept(3, 4))])));
        let mut folded = numbers(4, [one]);
        let into = Field::new(entry(2), Ending::Cleared).folds_into().unwrap();
        folded.numbers.insert(into, kept(3, 4));
        assert!(goes_on(folded));
    }

    #[test]
    fn d1_a_server_that_went_back_begins_anew_and_has_forgotten() {
        let mut machine = caught_up(numbers(3, [(entry(1), kept(2, 3))]));
        let back = || numbers(2, [(entry(1), kept(2, 2))]);
        let again = [Output::ReadAll(Some(epoch()))];
        assert_eq!(machine.read(back(), 10), again);
        // Also over a connection that is lost before the answer comes.
        machine.lost();
        machine.connected(run(), 20);
        assert_eq!(machine.subscribed(20), again);
        let anew = Snapshot {
            epoch: Epoch { drawn: 2, at: 1 },
            ..snapshot(0)
        };
        let told = machine.read(anew, 30);
        assert_eq!(told[0], Output::Tell(Notice::Forgot));
        machine.lost();
        machine.connected(run(), 40);
        assert_eq!(machine.subscribed(40), [Output::ReadAll(None)]);
    }

    #[test]
    fn d1_a_newcomer_is_told_of_nothing_that_is_older_than_itself() {
        let told_of = |at: u64| {
            let mut machine = Machine::new(1, Timing { every: 1, bound: 1 });
            let joined = 500_000;
            let now = 2_000;
            machine.connected(run(), now);
            machine.subscribed(now);
            let mut all = numbers(1, [(entry(1), Kept { at, ..kept(2, 1) })]);
            all.now = joined + now;
            let told = machine.read(all, now);
            told.contains(&Output::Tell(Notice::Ended(entry(1), Ending::Cleared)))
        };
        assert!(!told_of(499_000));
        assert!(told_of(500_000) && told_of(501_000));
    }

    #[test]
    fn d1_of_what_was_missed_the_larger_is_told_for_its_parts() {
        let fields = || (0..9).map(|at| Field::new(entry(at), Ending::Expired));
        assert_eq!(told(fields()).len(), 9);
        let cleared = Field::new(Topic::Function(F), Ending::Cleared);
        let expired = Field::new(Topic::Function(F), Ending::Expired);
        let folded = Field {
            of: Of::Entries(F),
            ..cleared
        };
        let tag = Field::new(Topic::Tag(F), Ending::Cleared);
        let more = [cleared, expired, folded, tag];
        let both = [
            (Topic::Function(F), Ending::Cleared),
            (Topic::Tag(F), Ending::Cleared),
        ];
        assert_eq!(told(fields().chain(more)), both);
        // An expire of all takes nothing out that was cleared.
        let one = Field::new(entry(1), Ending::Cleared);
        assert_eq!(told([expired, one]).len(), 2);
    }

    /// Each compared with each would be ten thousand million.
    #[test]
    fn d1_catching_up_on_many_ends_looks_at_each_of_them_alone() {
        let fields = (0..100_000).map(|at| Field::new(entry(at), Ending::Cleared));
        assert_eq!(told(fields).len(), 100_000);
    }
}
