//! The outbox: what this member has ended and not yet told the server.

use std::collections::BTreeSet;

use crate::topic::{Ending, Field, Of, Topic};

/// The most raises that wait one by one. Beyond that they are told of whole functions and of any tag, and then of everything.
const MANY: usize = 10_000;

/// The raises that wait for the server, each topic once, and those that it has not confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Outbox {
    waiting: BTreeSet<Field>,
    sent: Vec<Field>,
}

impl Outbox {
    /// Something has ended, and all others are to be told.
    pub(crate) fn raise(&mut self, topic: Topic, ending: Ending) {
        let field = Field::new(topic, ending);
        if (field.covering()).any(|covering| self.waiting.contains(&covering)) {
            return;
        }
        match topic {
            Topic::Everything | Topic::Function(_) | Topic::AnyTag => {
                self.waiting.retain(|waiting| !waiting.covered_by(field))
            }
            Topic::Entry { .. } | Topic::Tag(_) => {
                self.waiting.remove(&Field::new(topic, Ending::Expired));
            }
        }
        self.waiting.insert(field);
        if self.waiting.len() > MANY {
            self.coarsen();
        }
    }

    /// Entries become their functions and tags become any tag; functions that are still too many become everything.
    fn coarsen(&mut self) {
        self.replace(|topic| match topic {
            Topic::Entry { function, .. } => Topic::Function(function),
            Topic::Tag(_) => Topic::AnyTag,
            _ => topic,
        });
        if self.waiting.len() > MANY / 2 {
            self.replace(|topic| match topic {
                Topic::AnyTag => topic,
                _ => Topic::Everything,
            });
        }
    }

    fn replace(&mut self, coarser: impl Fn(Topic) -> Topic) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let coarser = waiting.map(|it| Field::new(coarser(it.topic()), it.ending));
        self.waiting = coarser.collect();
    }

    /// The next ones to send. They stay until they are confirmed, or have failed.
    pub(crate) fn send(&mut self, at_most: usize) -> Vec<Field> {
        let batch: Vec<Field> = self.waiting.iter().take(at_most).copied().collect();
        for field in &batch {
            self.waiting.remove(field);
        }
        self.sent.extend(&batch);
        batch
    }

    /// The server has confirmed this one.
    pub(crate) fn confirmed(&mut self, field: Field) {
        if let Some(at) = self.sent.iter().position(|sent| *sent == field) {
            self.sent.swap_remove(at);
        }
    }

    /// Whether the server has those that were sent is not known: they are to be sent once more.
    pub(crate) fn failed(&mut self) {
        for field in std::mem::take(&mut self.sent) {
            let Of::Topic(topic) = field.of else { continue };
            self.raise(topic, field.ending);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;

    const F: Mark = Mark([1; 16]);

    fn entry(at: usize) -> Topic {
        let mut mark = [0; 16];
        mark[..8].copy_from_slice(&at.to_le_bytes());
        Topic::Entry {
            function: F,
            entry: Mark(mark),
        }
    }

    #[test]
    fn d1_a_topic_waits_once_and_a_larger_one_takes_its_place() {
        let mut outbox = Outbox::default();
        for topic in [entry(1), entry(2), entry(1), Topic::Tag(F)] {
            outbox.raise(topic, Ending::Expired);
        }
        assert_eq!(outbox.waiting.len(), 3);
        outbox.raise(entry(1), Ending::Cleared);
        assert_eq!(outbox.waiting.len(), 3);
        outbox.raise(Topic::Function(F), Ending::Cleared);
        outbox.raise(entry(3), Ending::Expired);
        assert_eq!(
            outbox.send(9),
            [
                Field::new(Topic::Function(F), Ending::Cleared),
                Field::new(Topic::Tag(F), Ending::Expired)
            ]
        );
    }

    #[test]
    fn d1_a_raise_whose_fate_is_unknown_is_sent_again() {
        let mut outbox = Outbox::default();
        outbox.raise(entry(1), Ending::Cleared);
        let [sent] = outbox.send(9)[..] else { panic!() };
        assert!(outbox.waiting.is_empty() && !outbox.is_empty());
        outbox.failed();
        assert_eq!(outbox.send(9), [sent]);
        // Raised once more while the first is under way: what was built in between has ended too.
        outbox.raise(entry(1), Ending::Cleared);
        outbox.confirmed(sent);
        assert_eq!(outbox.send(9), [sent]);
        outbox.confirmed(sent);
        assert!(outbox.is_empty());
    }

    #[test]
    fn d1_what_waits_for_a_server_that_is_away_stays_bounded() {
        let mut outbox = Outbox::default();
        for at in 0..=MANY {
            outbox.raise(entry(at), Ending::Cleared);
        }
        assert_eq!(
            outbox.send(9),
            [Field::new(Topic::Function(F), Ending::Cleared)]
        );
        for at in 0..=MANY {
            let Topic::Entry { entry: tag, .. } = entry(at) else {
                panic!()
            };
            outbox.raise(Topic::Tag(tag), Ending::Expired);
        }
        assert_eq!(outbox.send(9), [Field::new(Topic::AnyTag, Ending::Expired)]);
    }
}
