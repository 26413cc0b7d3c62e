//! Two members and a server, with all that networks and servers do to them.
//!
//! Two members keep two entries each. A raise makes a new version of what an entry is built from; whoever is told of an
//! end has the newest version from then on. What must hold: a member that takes itself for caught up has no entry of an
//! older version than those whose raises had reached a server, whichever of its lives, when that member last asked.

use std::collections::{BTreeMap, BTreeSet};

use super::flaw::Flaw;
use crate::machine::{Machine, Notice, Output, Phase, Timing};
use crate::mark::Mark;
use crate::number::{Epoch, Kept, Message, Number, Run, Said, Snapshot};
use crate::outbox::Outbox;
use crate::topic::{Ending, Field, Topic, lies_in};

/// The server's clock when the members join, in milliseconds. It goes on by a second with each raise.
const BEGUN: u64 = 100_000;
const SECOND: u64 = 1_000;

fn topic(entry: usize) -> Topic {
    let [function, entry] = [7, entry as u8].map(|byte| Mark([byte; 16]));
    Topic::Entry { function, entry }
}

/// The bounds within which things may happen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    pub(super) flaw: Option<Flaw>,
    /// The number of times that each member raises.
    pub(super) raises: [u8; 2],
    /// The number of times that each member connects.
    pub(super) connects: [u8; 2],
    /// The number of entries that there are to raise: one or two.
    pub(super) entries: usize,
    /// Whether each member is caught up when it begins.
    pub(super) settled: [bool; 2],
    pub(super) breaks: u8,
    /// A raise reaches the server, and its confirmation does not come back.
    pub(super) unconfirmed: u8,
    pub(super) lost: u8,
    pub(super) doubled: u8,
    pub(super) overtaken: u8,
    pub(super) pings: u8,
    pub(super) restarts: u8,
    /// The server's memory is written to its disk, from where a restart brings it back.
    pub(super) saves: u8,
    /// What is on the disk takes the place of the server's memory, and the connections stay.
    pub(super) backs: u8,
    pub(super) flushes: u8,
    pub(super) folds: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    clock: u64,
    pub(super) version: u64,
    /// The newest version of each entry whose raise has reached a server.
    pub(super) arrived: [u64; 2],
    server: Server,
    /// Whether the server went back in place, and nobody can have seen it yet.
    unseen: bool,
    pub(super) members: [Member; 2],
    pub(super) left: Left,
}

/// The rest of what may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) raises: [u8; 2],
    connects: [u8; 2],
    breaks: u8,
    unconfirmed: u8,
    pub(super) lost: u8,
    doubled: u8,
    overtaken: u8,
    pings: u8,
    restarts: u8,
    saves: u8,
    pub(super) backs: u8,
    flushes: u8,
    folds: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    run: u64,
    since: u64,
    epochs: u64,
    memory: Memory,
    disk: Option<Memory>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Memory {
    epoch: Option<Epoch>,
    head: u64,
    numbers: BTreeMap<Field, Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Member {
    pub(super) machine: Machine,
    pub(super) outbox: Outbox,
    sequence: u64,
    /// The number that was not confirmed, where it is used again.
    again: Option<Number>,
    /// The connection that is listened on: what was asked, and what comes back.
    connection: Option<Connection>,
    /// A raise on its way: to the server, or its confirmation back.
    sending: Option<Sending>,
    /// The versions that its entries are of, and those that they have to be of, at least.
    pub(super) built: [u64; 2],
    pub(super) must: [u64; 2],
    /// Whether it had heard what the server forgot when it went back, and has asked it since.
    witness: Option<bool>,
    /// The versions of its own raises that have reached no server.
    pub(super) unsent: BTreeSet<(usize, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Connection {
    asked: Vec<Output>,
    subscribed: bool,
    coming: Vec<Coming>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Coming {
    Subscribed,
    All(Snapshot, [u64; 2]),
    Told(Message),
    Answer(Option<Epoch>, u64, [u64; 2]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sending {
    field: Field,
    number: Number,
    version: u64,
    arrived: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Connect(usize),
    Serve(usize),
    Deliver(usize),
    Lose(usize),
    Double(usize),
    Overtake(usize),
    Ping(usize),
    GiveUp(usize),
    Break(usize),
    Raise(usize, usize),
    Send(usize),
    Arrive(usize),
    Confirm(usize),
    Unconfirmed(usize),
    Save,
    Restart { from_disk: bool },
    GoBack,
    Flush,
    Fold,
}

impl Connection {
    /// Whether the second that comes may be heard before the first. All come in one stream, in which no message is older
    /// than the answer before it.
    fn may_overtake(&self) -> bool {
        let is_told = |coming: &Coming| matches!(coming, Coming::Told(_));
        matches!(&self.coming[..], [first, second, ..] if is_told(first) || !is_told(second))
    }
}

impl Server {
    fn epoch(&mut self, clock: u64) -> Epoch {
        let epochs = &mut self.epochs;
        *self.memory.epoch.get_or_insert_with(|| {
            *epochs += 1;
            Epoch {
                drawn: *epochs,
                at: clock,
            }
        })
    }
}

impl World {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let member = |me: u64| {
            let mut machine = Machine::new(me, Timing { every: 0, bound: 0 });
            machine.flaw = bounds.flaw.unwrap_or(Flaw::None);
            Member {
                machine,
                outbox: Outbox::default(),
                sequence: 0,
                again: None,
                connection: None,
                sending: None,
                built: [0; 2],
                must: [0; 2],
                witness: None,
                unsent: BTreeSet::new(),
            }
        };
        let mut world = Self {
            clock: BEGUN,
            version: 0,
            arrived: [0; 2],
            server: Server {
                run: 1,
                since: 0,
                epochs: 1,
                memory: Memory {
                    epoch: Some(Epoch { drawn: 1, at: 0 }),
                    ..Memory::default()
                },
                disk: None,
            },
            unseen: false,
            members: [member(1), member(2)],
            left: Left {
                raises: bounds.raises,
                connects: bounds.connects,
                breaks: bounds.breaks,
                unconfirmed: bounds.unconfirmed,
                lost: bounds.lost,
                doubled: bounds.doubled,
                overtaken: bounds.overtaken,
                pings: bounds.pings,
                restarts: bounds.restarts,
                saves: bounds.saves,
                backs: bounds.backs,
                flushes: bounds.flushes,
                folds: bounds.folds,
            },
        };
        for member in (0..2).filter(|member| bounds.settled[*member]) {
            world.connect(member);
            while world.is_busy(member) {
                if !world.serve(member) {
                    world.deliver(member, 0, true);
                }
            }
        }
        world
    }

    pub(super) fn is_busy(&self, member: usize) -> bool {
        let connection = self.members[member].connection.as_ref();
        connection
            .is_some_and(|connection| !connection.asked.is_empty() || !connection.coming.is_empty())
    }

    fn now(&self) -> u64 {
        self.clock - BEGUN
    }

    /// A member's outputs are carried out.
    fn act(&mut self, member: usize, outputs: Vec<Output>) {
        for output in outputs {
            let version = self.version;
            let keeper = &mut self.members[member];
            match output {
                Output::Subscribe | Output::ReadAll(_) | Output::Ping => {
                    if let Some(connection) = &mut keeper.connection {
                        connection.asked.push(output);
                    }
                }
                Output::HangUp => self.hang_up(member),
                Output::Tell(Notice::Forgot) => keeper.built = [version; 2],
                Output::Tell(Notice::Ended(ended, _)) => {
                    for (entry, built) in keeper.built.iter_mut().enumerate() {
                        if lies_in(topic(entry), ended) {
                            *built = version;
                        }
                    }
                }
                Output::Tell(Notice::Lost | Notice::CaughtUp) => {}
            }
        }
    }

    fn connect(&mut self, member: usize) {
        let run = Run {
            id: self.server.run.to_string(),
            up: self.clock - self.server.since,
        };
        let now = self.now();
        self.members[member].connection = Some(Connection::default());
        let outputs = self.members[member].machine.connected(run, now);
        self.act(member, outputs);
    }

    fn hang_up(&mut self, member: usize) {
        self.members[member].connection = None;
        let outputs = self.members[member].machine.lost();
        self.act(member, outputs);
    }

    /// The server answers what a member has asked first.
    fn serve(&mut self, member: usize) -> bool {
        let clock = self.clock;
        let must = match self.unseen {
            true => [0; 2],
            false => self.arrived,
        };
        let keeper = &mut self.members[member];
        let Some(connection) = &mut keeper.connection else {
            return false;
        };
        if connection.asked.is_empty() {
            return false;
        }
        keeper.witness = keeper.witness.map(|_| true);
        let coming = match connection.asked.remove(0) {
            Output::Subscribe => {
                connection.subscribed = true;
                Coming::Subscribed
            }
            Output::ReadAll(disowned) => {
                if disowned.is_some() && disowned == self.server.memory.epoch {
                    self.server.memory = Memory::default();
                }
                let epoch = self.server.epoch(clock);
                let Memory { head, numbers, .. } = self.server.memory.clone();
                let all = Snapshot {
                    epoch,
                    head,
                    now: clock,
                    numbers,
                };
                Coming::All(all, must)
            }
            _ => Coming::Answer(self.server.memory.epoch, self.server.memory.head, must),
        };
        connection.coming.push(coming);
        true
    }

    /// The next that comes reaches the member.
    fn deliver(&mut self, member: usize, at: usize, taken: bool) -> bool {
        let now = self.now();
        let keeper = &mut self.members[member];
        let Some(connection) = &mut keeper.connection else {
            return false;
        };
        if at >= connection.coming.len() {
            return false;
        }
        let coming = match taken {
            true => connection.coming.remove(at),
            false => connection.coming[at].clone(),
        };
        let machine = &mut keeper.machine;
        let (outputs, must) = match coming {
            Coming::Subscribed => (machine.subscribed(now), None),
            Coming::All(all, must) => {
                let outputs = machine.read(all, now);
                let accepted = !matches!(outputs[..], [Output::ReadAll(_)]);
                (outputs, accepted.then_some(must))
            }
            Coming::Told(message) => (machine.heard(message, now), None),
            Coming::Answer(epoch, head, must) => {
                let asked = machine.awaits_answer();
                let outputs = machine.answered(epoch, head, now);
                // An answer that says nothing new says that all has been heard.
                let heard = asked && outputs.is_empty() && machine.is_settled();
                (outputs, heard.then_some(must))
            }
        };
        self.act(member, outputs);
        if self.members[member].witness == Some(true)
            && self.members[member].machine.is_settled()
            && !self.is_busy(member)
        {
            self.unseen = false;
        }
        if let Some(must) = must {
            let known = &mut self.members[member].must;
            *known = [known[0].max(must[0]), known[1].max(must[1])];
        }
        true
    }

    fn publish(&mut self, message: &Message) {
        for member in &mut self.members {
            if let Some(connection) = member
                .connection
                .as_mut()
                .filter(|connection| connection.subscribed)
            {
                connection.coming.push(Coming::Told(message.clone()));
            }
        }
    }

    fn arrive(&mut self, member: usize) -> bool {
        let clock = self.clock;
        let Some(sending) = &mut self.members[member].sending else {
            return false;
        };
        if sending.arrived {
            return false;
        }
        sending.arrived = true;
        let Sending {
            field,
            number,
            version,
            ..
        } = *sending;
        let epoch = self.server.epoch(clock);
        let memory = &mut self.server.memory;
        memory.head += 1;
        let kept = Kept {
            number,
            head: memory.head,
            at: clock,
        };
        memory.numbers.insert(field, kept);
        for entry in 0..2 {
            if lies_in(topic(entry), field.topic()) {
                self.arrived[entry] = self.arrived[entry].max(version);
                self.members[member]
                    .unsent
                    .retain(|(unsent, at)| *unsent != entry || *at > version);
            }
        }
        let said = Said::Raised(field);
        self.publish(&Message { epoch, kept, said });
        true
    }

    /// A raise is sent, with a number of its own.
    fn send(&mut self, member: usize) -> bool {
        let keeper = &mut self.members[member];
        if keeper.machine.phase() != Phase::CaughtUp || keeper.sending.is_some() {
            return false;
        }
        let Some(field) = keeper.outbox.send(1).first().copied() else {
            return false;
        };
        let own = keeper
            .unsent
            .iter()
            .filter(|(entry, _)| lies_in(topic(*entry), field.topic()));
        let version = own.map(|(_, version)| *version).max().unwrap_or(0);
        keeper.sequence += 1;
        let new = Number {
            member: member as u64 + 1,
            sequence: keeper.sequence,
        };
        keeper.sending = Some(Sending {
            field,
            number: keeper.again.take().unwrap_or(new),
            version,
            arrived: false,
        });
        true
    }

    /// The raise that was sent is not confirmed.
    fn unconfirmed(&mut self, member: usize) {
        let keeper = &mut self.members[member];
        if let Some(sending) = keeper.sending.take() {
            if keeper.machine.flaw == Flaw::SameNumberAgain {
                keeper.again = Some(sending.number);
            }
            if keeper.machine.flaw == Flaw::SentIsDone {
                keeper.outbox = Outbox::default();
            }
            keeper.outbox.failed();
        }
    }

    fn fold(&mut self) -> bool {
        let (clock, epoch) = (self.clock, self.server.memory.epoch);
        let memory = &mut self.server.memory;
        let floor = memory
            .numbers
            .iter()
            .filter(|(field, _)| field.folds_into().is_some())
            .map(|(_, kept)| kept.head)
            .max();
        let (Some(floor), Some(epoch)) = (floor, epoch) else {
            return false;
        };
        memory.head += 1;
        // The one that folds is a third member, which raises nothing.
        let kept = Kept {
            number: Number {
                member: 3,
                sequence: memory.head,
            },
            head: memory.head,
            at: clock,
        };
        let old: Vec<_> = memory
            .numbers
            .keys()
            .filter_map(|field| Some((*field, field.folds_into()?)))
            .collect();
        let unseen = self.members[0].machine.flaw == Flaw::FoldUnseen;
        for (field, into) in old {
            memory.numbers.remove(&field);
            if !unseen {
                memory.numbers.insert(into, kept);
            }
        }
        let said = Said::Folded(floor);
        self.publish(&Message { epoch, kept, said });
        true
    }

    fn restart(&mut self, from_disk: bool) {
        self.server.run += 1;
        self.server.since = self.clock;
        let disk = self.server.disk.clone().filter(|_| from_disk);
        self.server.memory = disk.unwrap_or_default();
        for member in 0..2 {
            self.unconfirmed(member);
            if self.members[member].connection.is_some() {
                self.hang_up(member);
            }
        }
    }

    /// What had been saved is the server's memory again, and nobody is told.
    fn go_back(&mut self) -> bool {
        let memory = &mut self.server.memory;
        let Some(disk) = self.server.disk.clone() else {
            return false;
        };
        if disk.epoch != memory.epoch || disk.head == memory.head {
            return false;
        }
        *memory = disk;
        self.unseen = true;
        for member in &mut self.members {
            member.witness = (member.machine.seen() > memory.head).then_some(false);
        }
        true
    }

    pub(super) fn may_happen(&self) -> Vec<Action> {
        let left = &self.left;
        let mut actions = Vec::new();
        let mut add = |when: bool, action: Action| actions.extend(when.then_some(action));
        for (at, member) in self.members.iter().enumerate() {
            let coming = member
                .connection
                .as_ref()
                .map_or(0, |connection| connection.coming.len());
            let asked = member
                .connection
                .as_ref()
                .is_some_and(|connection| !connection.asked.is_empty());
            let connected = member.connection.is_some();
            add(!connected && left.connects[at] > 0, Action::Connect(at));
            add(asked, Action::Serve(at));
            add(coming > 0, Action::Deliver(at));
            add(coming > 0 && left.lost > 0, Action::Lose(at));
            add(coming > 0 && left.doubled > 0, Action::Double(at));
            let overtakes = member
                .connection
                .as_ref()
                .is_some_and(Connection::may_overtake);
            add(overtakes && left.overtaken > 0, Action::Overtake(at));
            add(
                member.machine.is_settled() && !member.machine.awaits_answer() && left.pings > 0,
                Action::Ping(at),
            );
            add(
                connected
                    && (!member.machine.is_settled() || member.machine.awaits_answer())
                    && left.lost < 1
                    && coming == 0
                    && !asked,
                Action::GiveUp(at),
            );
            add(connected && left.breaks > 0, Action::Break(at));
            add(left.raises[at] > 0, Action::Raise(at, 0));
            add(left.raises[at] > 0, Action::Raise(at, 1));
            let arrived = member.sending.map(|sending| sending.arrived);
            add(
                arrived.is_none() && !member.outbox.is_empty(),
                Action::Send(at),
            );
            add(arrived == Some(false), Action::Arrive(at));
            add(arrived == Some(true), Action::Confirm(at));
            add(
                arrived.is_some() && left.unconfirmed > 0,
                Action::Unconfirmed(at),
            );
        }
        add(left.saves > 0, Action::Save);
        add(left.restarts > 0, Action::Restart { from_disk: false });
        add(
            left.restarts > 0 && self.server.disk.is_some(),
            Action::Restart { from_disk: true },
        );
        add(left.backs > 0 && self.server.disk.is_some(), Action::GoBack);
        add(left.flushes > 0, Action::Flush);
        add(left.folds > 0, Action::Fold);
        actions
    }

    pub(super) fn happens(&mut self, action: Action) -> bool {
        let left = &mut self.left;
        match action {
            Action::Connect(member) => {
                left.connects[member] -= 1;
                self.connect(member);
                true
            }
            Action::Serve(member) => self.serve(member),
            Action::Deliver(member) => self.deliver(member, 0, true),
            Action::Lose(member) => {
                left.lost -= 1;
                self.members[member]
                    .connection
                    .as_mut()
                    .is_some_and(|connection| {
                        connection.coming.remove(0);
                        true
                    })
            }
            Action::Double(member) => {
                left.doubled -= 1;
                self.deliver(member, 0, false)
            }
            Action::Overtake(member) => {
                left.overtaken -= 1;
                self.deliver(member, 1, true)
            }
            Action::Ping(member) => {
                left.pings -= 1;
                let now = self.now();
                let outputs = self.members[member].machine.tick(now);
                self.act(member, outputs);
                true
            }
            Action::GiveUp(member) => {
                let now = self.now();
                let outputs = self.members[member].machine.tick(now);
                self.act(member, outputs);
                true
            }
            Action::Break(member) => {
                left.breaks -= 1;
                self.hang_up(member);
                true
            }
            Action::Raise(member, entry) => {
                left.raises[member] -= 1;
                self.version += 1;
                self.clock += SECOND;
                let keeper = &mut self.members[member];
                keeper.built[entry] = self.version;
                keeper.outbox.raise(topic(entry), Ending::Cleared);
                keeper.unsent.insert((entry, self.version));
                true
            }
            Action::Send(member) => self.send(member),
            Action::Arrive(member) => self.arrive(member),
            Action::Confirm(member) => {
                let keeper = &mut self.members[member];
                keeper.sending.take().is_some_and(|sending| {
                    keeper.outbox.confirmed(sending.field);
                    true
                })
            }
            Action::Unconfirmed(member) => {
                left.unconfirmed -= 1;
                self.unconfirmed(member);
                true
            }
            Action::Save => {
                left.saves -= 1;
                self.server.disk = Some(self.server.memory.clone());
                true
            }
            Action::Restart { from_disk } => {
                left.restarts -= 1;
                self.restart(from_disk);
                true
            }
            Action::GoBack => {
                left.backs -= 1;
                self.go_back()
            }
            Action::Flush => {
                left.flushes -= 1;
                self.server.memory = Memory::default();
                true
            }
            Action::Fold => {
                left.folds -= 1;
                self.fold()
            }
        }
    }
}
