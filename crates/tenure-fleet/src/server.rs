//! The server as a member sees it. Whatever can keep numbers and tell of them can be one.

use std::fmt;
use std::time::{Duration, Instant};

use crate::mark::Mark;
use crate::number::{Epoch, Message, Number, Run, Snapshot};
use crate::topic::Field;

/// The maker of connections to one kind of server.
pub(crate) trait Connector: Send + Sync + 'static {
    /// A connection, with the run of the server at its other end.
    fn connect(&self) -> Result<(Box<dyn Server>, Run), Trouble>;
}

/// A connection to a server, as the bus uses it.
///
/// `subscribe`, `read_all` and `ping` ask and do not wait. What comes of them is heard, in the order in which the server
/// answers; a message that was told before an answer is heard before it, or else the answers to pings show it.
pub(crate) trait Server: Desk {
    /// Asks to be told of all raises from here on.
    fn subscribe(&mut self) -> Result<(), Trouble>;

    /// Asks for all numbers; an epoch is drawn where there is none, or where it is this one still.
    fn read_all(&mut self, disowned: Option<Epoch>) -> Result<(), Trouble>;

    /// Asks for the epoch and the head.
    fn ping(&mut self) -> Result<(), Trouble>;

    /// Keeps these numbers and tells of them, each in one step, and says how many were kept before the first failure.
    fn raise(&mut self, raises: &[(Field, Number)]) -> (usize, Result<Raised, Trouble>);

    /// The next that is heard; None where nothing is until then.
    fn hear(&mut self, until: Instant) -> Result<Option<Heard>, Trouble>;

    /// A function that closes the connection from another thread, so that `hear` ends.
    fn closer(&self) -> Box<dyn Fn() + Send>;
}

/// The part of a server that members need apart from the bus.
pub(crate) trait Desk: Send {
    /// Folds the numbers of entries and tags that are older, or more, than this; says whether there are more of them.
    fn fold(&mut self, number: Number, older: Duration, beyond: usize) -> Result<bool, Trouble>;

    /// A permit for this time, or for how long the next one is taken at most.
    fn permit(
        &mut self,
        key: Mark,
        holder: Number,
        at_most: u32,
        time: Duration,
    ) -> Result<Answer, Trouble>;

    /// Holds a permit for longer; false where it had run out.
    fn renew(&mut self, key: Mark, holder: Number, time: Duration) -> Result<bool, Trouble>;

    /// Gives a permit back.
    fn give_back(&mut self, key: Mark, holder: Number) -> Result<(), Trouble>;

    /// Keeps what this member says of itself for so long, and gives the head.
    fn announce(&mut self, member: u64, card: &[u8], keep: Duration) -> Result<u64, Trouble>;

    /// Takes it back.
    fn withdraw(&mut self, member: u64) -> Result<(), Trouble>;

    /// The cards of all members.
    fn members(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Trouble>;
}

/// An answer or a message that a subscriber hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The subscription stands.
    Subscribed,
    /// All numbers.
    All(Snapshot),
    /// Something was raised or folded.
    Told(Message),
    /// The epoch and the head at this moment.
    Answered(Option<Epoch>, u64),
}

/// The outcome of raises.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raised {
    /// The number of numbers that the server keeps.
    pub(crate) kept: usize,
}

/// The answer to whoever asks for a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is given, with the number of this gift, which rises.
    Granted(u64),
    /// All are taken, the first of them for so long, if it is not given back before.
    Taken(Duration),
}

/// A failure to ask a server, with its reason.
#[derive(Debug)]
pub(crate) struct Trouble {
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The server cannot be asked, or says no.
    Said,
    /// The connection is no more.
    Gone,
    /// The connection is there, and nothing comes.
    Silent,
    /// The server answers, and does not let this process in.
    Refused,
    /// The server answers, and takes nothing: it has become a replica, or the key has moved.
    Elsewhere,
}

impl Trouble {
    /// The server cannot be asked, or says no.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::of(Kind::Said, text.into())
    }

    /// The connection is no more.
    pub(crate) fn gone(text: impl Into<String>) -> Self {
        Self::of(Kind::Gone, text.into())
    }

    /// No answer has come in this time.
    pub(crate) fn silent(bound: Duration) -> Self {
        Self::of(Kind::Silent, format!("no answer within {bound:?}"))
    }

    /// The server answers, and does not let this process in.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::of(Kind::Refused, text.into())
    }

    /// The server answers, and takes nothing: it has become a replica, or the key has moved.
    pub(crate) fn elsewhere(text: impl Into<String>) -> Self {
        Self::of(Kind::Elsewhere, text.into())
    }

    /// Servers end some of their sentences with a dot, and others not.
    fn of(kind: Kind, text: String) -> Self {
        Self {
            text: text.trim_end_matches('.').to_owned(),
            kind,
        }
    }

    pub(crate) fn is_of_the_connection(&self) -> bool {
        matches!(self.kind, Kind::Gone | Kind::Silent)
    }

    /// Adds a hint, where the other end has closed the connection.
    pub(crate) fn hint_if_gone(mut self, hint: &str) -> Self {
        if self.kind == Kind::Gone {
            self.text += hint;
        }
        self
    }

    /// Puts in front where it was.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.text = format!("{place}: {self}");
        self
    }

    /// A sentence for whoever is to know why the fleet is not heard, without its dot.
    pub(crate) fn told(&self) -> String {
        let what = match self.kind {
            Kind::Refused => "does not let this process in",
            Kind::Said | Kind::Gone | Kind::Silent | Kind::Elsewhere => "is out of reach",
        };
        format!("the fleet's server {what}: {self}")
    }

    /// Whether the server answers, and takes nothing: it has become a replica, or the key has moved.
    pub(crate) fn is_of_a_replica(&self) -> bool {
        self.kind == Kind::Elsewhere
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
