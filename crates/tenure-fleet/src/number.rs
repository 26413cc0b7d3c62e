//! Raises as the server keeps them, and as it tells of them.

use std::collections::BTreeMap;
use std::fmt;

use crate::topic::Field;

/// The number of a raise, which tells it from all others: the member, and which of its raises it was.
///
/// Each attempt to send one has a number of its own. The same one, sent twice, would hide what others have raised in
/// between from whoever was away meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number {
    pub(crate) member: u64,
    pub(crate) sequence: u64,
}

/// A number as the server keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kept {
    pub(crate) number: Number,
    /// The server's count of raises, this one included.
    pub(crate) head: u64,
    /// The server's clock at that moment, in milliseconds.
    pub(crate) at: u64,
}

impl Kept {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let kept = Self::from_words(&mut words)?;
        words.next().is_none().then_some(kept)
    }

    fn from_words<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut hex = || u64::from_str_radix(words.next()?, 16).ok();
        let number = Number {
            member: hex()?,
            sequence: hex()?,
        };
        let mut decimal = || words.next()?.parse().ok();
        Some(Self {
            number,
            head: decimal()?,
            at: decimal()?,
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} {:x}", self.member, self.sequence)
    }
}

/// The name of one life of the numbers, drawn when a server has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Epoch {
    pub(crate) drawn: u64,
    /// The server's clock when it was drawn, in milliseconds.
    pub(crate) at: u64,
}

impl Epoch {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (drawn, at) = text.split_once('-')?;
        Some(Self {
            drawn: u64::from_str_radix(drawn, 16).ok()?,
            at: at.parse().ok()?,
        })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.drawn, self.at)
    }
}

/// One life of the server's process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Run {
    /// Its name, which the server draws when it starts.
    pub(crate) id: String,
    /// For how long it has run, in milliseconds.
    pub(crate) up: u64,
}

/// A message to subscribers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Message {
    pub(crate) epoch: Epoch,
    pub(crate) kept: Kept,
    pub(crate) said: Said,
}

/// The subject of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Said {
    /// Something has ended.
    Raised(Field),
    /// The numbers of entries and tags up to this head are no longer kept by themselves.
    Folded(u64),
}

impl Message {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let epoch = Epoch::parse(words.next()?)?;
        let kept = Kept::from_words(&mut words)?;
        let said = match words.next()? {
            "fold" => Said::Folded(words.next()?.parse().ok()?),
            field => Said::Raised(Field::parse(field)?),
        };
        words.next().is_none().then_some(Self { epoch, kept, said })
    }
}

/// All that the server keeps, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Snapshot {
    pub(crate) epoch: Epoch,
    pub(crate) head: u64,
    /// The server's clock, in milliseconds.
    pub(crate) now: u64,
    pub(crate) numbers: BTreeMap<Field, Kept>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::{Ending, Topic};

    #[test]
    fn messages_are_read_as_the_server_writes_them() {
        let message =
            Message::parse("1f-1700 00000000000000aa b 12 1800 clear:everything").unwrap();
        assert_eq!(
            message.epoch,
            Epoch {
                drawn: 0x1f,
                at: 1700
            }
        );
        let number = Number {
            member: 0xaa,
            sequence: 0xb,
        };
        assert_eq!(number.to_string(), "00000000000000aa b");
        assert_eq!(
            message.kept,
            Kept {
                number,
                head: 12,
                at: 1800
            }
        );
        assert_eq!(
            message.said,
            Said::Raised(Field::new(Topic::Everything, Ending::Cleared))
        );
        let fold = Message::parse("1f-1700 00000000000000aa b 12 1800 fold 7").unwrap();
        assert_eq!(fold.said, Said::Folded(7));
        for text in [
            "",
            "1f 1 1 1 1 fold 1",
            "1f-1 1 1 1 1 fold",
            "1f-1 1 1 1 1 clear:everything x",
        ] {
            assert_eq!(Message::parse(text), None, "{text}");
        }
    }
}
