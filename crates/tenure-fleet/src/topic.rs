//! Topics, which can end in a fleet, and the ways in which they do.

use std::fmt;

use crate::mark::{self, Mark};

pub(crate) use tenure::fleet::{Ending, Topic};

/// A topic, and what it is a part of.
fn wholes(topic: Topic) -> impl Iterator<Item = Topic> {
    let [whole, all] = match topic {
        Topic::Entry { function, .. } => [Topic::Function(function), Topic::Everything],
        Topic::Everything | Topic::Function(_) => [topic, Topic::Everything],
        Topic::Tag(_) | Topic::AnyTag => [topic, Topic::AnyTag],
    };
    [topic, whole, all].into_iter()
}

/// Whether whatever the first one stands for is also part of the second.
#[cfg(test)]
pub(crate) fn lies_in(topic: Topic, other: Topic) -> bool {
    wholes(topic).any(|whole| whole == other)
}

/// A place on the server for a number: what ended, and how.
///
/// Clears and expires have numbers of their own. With one for both, an expire that follows a clear would hide it from a
/// member that was away during both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Field {
    pub(crate) of: Of,
    pub(crate) ending: Ending,
}

/// The subject of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Of {
    /// A topic that somebody has ended.
    Topic(Topic),
    /// The entries of a function whose own numbers are no longer kept.
    Entries(Mark),
}

impl Field {
    pub(crate) fn new(topic: Topic, ending: Ending) -> Self {
        Self {
            of: Of::Topic(topic),
            ending,
        }
    }

    /// The topic that has ended where this number is another one than it was.
    pub(crate) fn topic(self) -> Topic {
        match self.of {
            Of::Topic(topic) => topic,
            Of::Entries(function) => Topic::Function(function),
        }
    }

    /// The number that speaks for this one when it is no longer kept; None where it is always kept.
    pub(crate) fn folds_into(self) -> Option<Self> {
        let of = match self.of {
            Of::Topic(Topic::Entry { function, .. }) => Of::Entries(function),
            Of::Topic(Topic::Tag(_)) => Of::Topic(Topic::AnyTag),
            _ => return None,
        };
        Some(Self { of, ..self })
    }

    /// This end as its topic has it, and all ends of which whoever hears need not hear of this one. What is cleared need
    /// not be expired.
    pub(crate) fn covering(self) -> impl Iterator<Item = Self> {
        let endings = [Ending::Cleared, Ending::Expired].into_iter();
        endings
            .filter(move |ending| *ending <= self.ending)
            .flat_map(move |ending| wholes(self.topic()).map(move |topic| Self::new(topic, ending)))
    }

    /// Whether whoever hears of the other, which somebody has ended, need not hear of this one.
    pub(crate) fn covered_by(self, other: Self) -> bool {
        self.covering().any(|covering| covering == other)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(':');
        let ending = match words.next()? {
            "clear" => Ending::Cleared,
            "expire" => Ending::Expired,
            _ => return None,
        };
        let kind = words.next()?;
        let mut mark = || mark::parse(words.next()?);
        let of = match kind {
            "everything" => Of::Topic(Topic::Everything),
            "function" => Of::Topic(Topic::Function(mark()?)),
            "entry" => Of::Topic(Topic::Entry {
                function: mark()?,
                entry: mark()?,
            }),
            "tag" => Of::Topic(Topic::Tag(mark()?)),
            "entries" => Of::Entries(mark()?),
            "tags" => Of::Topic(Topic::AnyTag),
            _ => return None,
        };
        words.next().is_none().then_some(Self { of, ending })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.ending {
            Ending::Cleared => "clear:",
            Ending::Expired => "expire:",
        })?;
        match self.of {
            Of::Topic(Topic::Everything) => f.write_str("everything"),
            Of::Topic(Topic::Function(mark)) => write!(f, "function:{mark}"),
            Of::Topic(Topic::Entry { function, entry }) => write!(f, "entry:{function}:{entry}"),
            Of::Topic(Topic::Tag(mark)) => write!(f, "tag:{mark}"),
            Of::Entries(mark) => write!(f, "entries:{mark}"),
            Of::Topic(Topic::AnyTag) => f.write_str("tags"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: Mark = Mark([1; 16]);
    const E: Mark = Mark([2; 16]);
    const ENTRY: Topic = Topic::Entry {
        function: F,
        entry: E,
    };

    #[test]
    fn a_field_is_read_as_it_was_written() {
        let topics = [
            Topic::Everything,
            Topic::Function(F),
            ENTRY,
            Topic::Tag(E),
            Topic::AnyTag,
        ];
        for ending in [Ending::Cleared, Ending::Expired] {
            let of = topics.map(Of::Topic).into_iter().chain([Of::Entries(F)]);
            for field in of.map(|of| Field { of, ending }) {
                assert_eq!(Field::parse(&field.to_string()), Some(field));
            }
        }
        for text in [
            "",
            "clear",
            "clear:function",
            "clear:tag:xyz",
            "drop:everything",
            "clear:tags:1",
        ] {
            assert_eq!(Field::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_clear_of_more_covers_an_end_of_less() {
        let cleared = Field::new(Topic::Function(F), Ending::Cleared);
        let expired = Field::new(Topic::Function(F), Ending::Expired);
        assert!(Field::new(ENTRY, Ending::Expired).covered_by(cleared));
        assert!(expired.covered_by(cleared) && !cleared.covered_by(expired));
        assert!(!Field::new(Topic::Function(E), Ending::Cleared).covered_by(cleared));
        assert!(!Field::new(Topic::Tag(F), Ending::Cleared).covered_by(cleared));
        let tag = Field::new(Topic::Tag(F), Ending::Cleared);
        assert!(tag.covered_by(Field::new(Topic::AnyTag, Ending::Cleared)));
    }

    #[test]
    fn d6_a_clear_of_everything_does_not_stand_for_one_of_a_tag() {
        let everything = Field::new(Topic::Everything, Ending::Cleared);
        for topic in [Topic::Tag(F), Topic::AnyTag] {
            assert!(!Field::new(topic, Ending::Cleared).covered_by(everything));
        }
    }
}
