//! Members, and what they say of themselves.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// A member of a fleet, as it was when it last told.
///
/// ```no_run
/// # fn show(fleet: &tenure_fleet::Fleet) -> Result<(), tenure_fleet::Error> {
/// for member in fleet.members(std::time::Duration::from_secs(1))? {
///     println!("{} on {}: {}", member.process, member.host, member.figures);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its name in the fleet, drawn when it joined.
    pub id: String,
    /// Whether it is the one that asks.
    pub is_this: bool,
    /// The machine that it runs on.
    pub host: String,
    /// Its process there.
    pub process: u32,
    /// The figures that its listener gave: JSON.
    pub figures: String,
    /// The number of raises that it had not heard when it last told, of those that the server had had for longer than
    /// [an answer may take](crate::Settings::answer): none in a member that hears.
    pub behind: u64,
    /// The time that the bus took at most to bring it everything that had been raised, when it had last asked before it
    /// told; None before that.
    pub lag: Option<Duration>,
}

/// The question which members there are, under way.
#[derive(Debug)]
pub struct MembersAsked(Receiver<Result<Vec<Member>, Error>>);

impl MembersAsked {
    pub(crate) fn new(told: Receiver<Result<Vec<Member>, Error>>) -> Self {
        Self(told)
    }

    /// The answer, if it comes within this time. None before that; there is one answer.
    pub fn within(&self, bound: Duration) -> Option<Result<Vec<Member>, Error>> {
        match self.0.recv_timeout(bound) {
            Ok(answer) => Some(answer),
            // The member has left meanwhile.
            Err(RecvTimeoutError::Disconnected) => Some(Err(Self::left())),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    /// The error of whoever has waited for so long, and waits no longer.
    pub fn give_up(self, waited: Duration) -> Error {
        Error::unanswered(format!(
            "the fleet's server did not name its members within {waited:?}: ask again"
        ))
    }

    /// The error of whoever asks a member that has left.
    pub(crate) fn left() -> Error {
        Error::unanswered("this process has left the fleet: join it again to ask for its members")
    }
}

/// The card that a member keeps on the server for the others, before it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) host: String,
    pub(crate) process: u32,
    pub(crate) behind: u64,
    pub(crate) lag: Option<Duration>,
    pub(crate) figures: String,
}

impl Card {
    /// One word a line, and the figures as they are behind them.
    pub(crate) fn write(&self) -> Vec<u8> {
        let lag = self
            .lag
            .map_or(String::new(), |lag| lag.as_micros().to_string());
        let host = self.host.replace('\n', " ");
        format!(
            "{host}\n{}\n{}\n{lag}\n{}",
            self.process, self.behind, self.figures
        )
        .into_bytes()
    }

    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(text).ok()?.splitn(5, '\n');
        Some(Self {
            host: lines.next()?.to_owned(),
            process: lines.next()?.parse().ok()?,
            behind: lines.next()?.parse().ok()?,
            lag: match lines.next()? {
                "" => None,
                lag => Some(Duration::from_micros(lag.parse().ok()?)),
            },
            figures: lines.next()?.to_owned(),
        })
    }
}

/// The raises that the server has had for so long that a member should have heard them. Heads are compared that were
/// read one after the other, and what is on its way counts as heard.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    head: u64,
    next: Option<(Instant, u64)>,
}

impl Owed {
    /// The server has this head now.
    pub(crate) fn note(&mut self, head: u64, now: Instant) {
        self.next.get_or_insert((now, head));
    }

    /// The number of raises older than `time` that a member has not heard which has heard up to this head.
    pub(crate) fn behind(&mut self, heard: u64, now: Instant, time: Duration) -> u64 {
        if let Some((_, head)) = (self.next).take_if(|(at, _)| now.duration_since(*at) >= time) {
            self.head = head;
        }
        self.head.saturating_sub(heard)
    }
}

/// The members that these cards are of.
pub(crate) fn members(me: u64, cards: Vec<(u64, Card)>) -> Vec<Member> {
    let member = |(id, card): (u64, Card)| Member {
        id: format!("{id:016x}"),
        is_this: id == me,
        host: card.host,
        process: card.process,
        figures: card.figures,
        behind: card.behind,
        lag: card.lag,
    };
    cards.into_iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_a_raise_is_owed_once_there_was_time_to_hear_it() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut owed = Owed::default();
        owed.note(3, begun);
        assert_eq!(owed.behind(0, begun, second), 0);
        owed.note(5, begun + second / 2);
        assert_eq!(owed.behind(1, begun + second, second), 2);
        owed.note(5, begun + second);
        assert_eq!(owed.behind(3, begun + second, second), 0);
        assert_eq!(owed.behind(3, begun + 2 * second, second), 2);
        assert_eq!(owed.behind(6, begun + 2 * second, second), 0);
    }

    #[test]
    fn d5_a_card_is_read_as_it_was_written() {
        for lag in [None, Some(Duration::from_micros(730))] {
            let card = Card {
                host: "web-1".into(),
                process: 7,
                behind: 12,
                lag,
                figures: "{\n\"entries\": 3}\n".into(),
            };
            assert_eq!(Card::read(&card.write()), Some(card));
        }
        assert_eq!(Card::read(b"web-1\n7"), None);
    }
}
