//! Valkey and Redis, as the server of a fleet.

mod address;
mod link;
mod names;
mod scripts;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use redis::{PushKind, Value};

pub(crate) use address::Address;
use link::{Link, answered, number, text};
use names::Names;
use scripts::Script;

use crate::mark::Mark;
use crate::number::{Epoch, Kept, Message, Number, Run, Snapshot};
use crate::server::{Answer, Connector, Desk, Heard, Raised, Server, Trouble};
use crate::topic::Field;

/// For how long everything is kept after the last member has left: 30 days.
const KEEP: u64 = 30 * 24 * 3600 * 1000;
/// The most numbers that are folded in one step, which nothing else on the server gets in between of.
const AT_ONCE: usize = 500;

/// A server, and the fleet that is asked about there.
pub(crate) struct Valkey {
    address: Address,
    names: Names,
    /// The time that the server may take for an answer.
    bound: Duration,
}

impl Valkey {
    pub(crate) fn new(address: Address, fleet: &str, secret: &[u8], bound: Duration) -> Self {
        let names = Names::new(fleet, secret, address.database);
        Self {
            address,
            names,
            bound,
        }
    }
}

impl Connector for Valkey {
    fn connect(&self) -> Result<(Box<dyn Server>, Run), Trouble> {
        let link = Link::connect(&self.address, &self.names.numbers, self.bound)?;
        let run = link.run().clone();
        let connection = Connection {
            link,
            names: self.names.clone(),
            asked: VecDeque::new(),
        };
        Ok((Box::new(connection), run))
    }
}

/// A connection, and the questions on it that have no answer yet.
struct Connection {
    link: Link,
    names: Names,
    asked: VecDeque<Question>,
}

enum Question {
    All,
    Head,
}

impl Server for Connection {
    fn subscribe(&mut self) -> Result<(), Trouble> {
        self.link
            .send(redis::cmd("SUBSCRIBE").arg(&self.names.raised))
    }

    fn read_all(&mut self, disowned: Option<Epoch>) -> Result<(), Trouble> {
        let mut call = self
            .link
            .script(Script::ReadAll, &[&self.names.numbers, &self.names.ages]);
        let disowned = disowned.map(|epoch| epoch.to_string()).unwrap_or_default();
        self.link.send(call.arg(drawn()?).arg(KEEP).arg(disowned))?;
        self.asked.push_back(Question::All);
        Ok(())
    }

    fn ping(&mut self) -> Result<(), Trouble> {
        self.link.send(
            redis::cmd("HMGET")
                .arg(&self.names.numbers)
                .arg("epoch")
                .arg("head"),
        )?;
        self.asked.push_back(Question::Head);
        Ok(())
    }

    fn raise(&mut self, raises: &[(Field, Number)]) -> (usize, Result<Raised, Trouble>) {
        let epoch = match drawn() {
            Ok(epoch) => epoch,
            Err(trouble) => return (0, Err(trouble)),
        };
        let keys = [self.names.numbers.as_str(), self.names.ages.as_str()];
        let calls: Vec<_> = (raises.iter())
            .map(|(field, number)| {
                let mut call = self.link.script(Script::Raise, &keys);
                call.arg(&epoch).arg(KEEP).arg(&self.names.raised);
                call.arg(field.to_string())
                    .arg(number.to_string())
                    .arg(u8::from(field.folds_into().is_some()));
                call
            })
            .collect();
        let (mut confirmed, mut raised) = (0, Raised::default());
        let told = self.link.ask_all(&calls, |answer| {
            raised.kept = number(answer)? as usize;
            confirmed += 1;
            Ok(())
        });
        (confirmed, told.map(|()| raised))
    }

    fn hear(&mut self, until: Instant) -> Result<Option<Heard>, Trouble> {
        loop {
            let Some(value) = self.link.next(until)? else {
                return Ok(None);
            };
            match value {
                Value::Push {
                    kind: PushKind::Subscribe,
                    ..
                } => return Ok(Some(Heard::Subscribed)),
                Value::Push {
                    kind: PushKind::Message,
                    mut data,
                } => {
                    let said = data.pop().map(text).transpose()?.unwrap_or_default();
                    match Message::parse(&said) {
                        Some(message) => return Ok(Some(Heard::Told(message))),
                        None => tracing::warn!(
                            "the fleet's channel carries something that is no raise: {said:.100}"
                        ),
                    }
                }
                Value::Push { .. } => {}
                answer => return self.heard(answered(answer)?).map(Some),
            }
        }
    }

    fn closer(&self) -> Box<dyn Fn() + Send> {
        self.link.closer()
    }
}

impl Connection {
    fn heard(&mut self, answer: Value) -> Result<Heard, Trouble> {
        let wrong = || Trouble::new("it answers what nobody asked");
        match (self.asked.pop_front().ok_or_else(wrong)?, answer) {
            (Question::Head, Value::Array(mut pair)) if pair.len() == 2 => {
                let head = pair
                    .pop()
                    .filter(|head| *head != Value::Nil)
                    .map_or(Ok(0), number)?;
                let epoch = pair
                    .pop()
                    .filter(|epoch| *epoch != Value::Nil)
                    .map(text)
                    .transpose()?;
                Ok(Heard::Answered(
                    epoch.as_deref().and_then(Epoch::parse),
                    head,
                ))
            }
            (Question::All, Value::Array(mut pair)) if pair.len() == 2 => {
                let Some(Value::Array(all)) = pair.pop() else {
                    return Err(wrong());
                };
                let now = pair.pop().map_or_else(|| Err(wrong()), number)?;
                snapshot(now, all).map(Heard::All)
            }
            _ => Err(wrong()),
        }
    }
}

fn snapshot(now: u64, all: Vec<Value>) -> Result<Snapshot, Trouble> {
    let (mut epoch, mut head, mut numbers) = (None, 0, BTreeMap::new());
    let mut words = all.into_iter().map(text);
    while let (Some(name), Some(value)) = (words.next().transpose()?, words.next().transpose()?) {
        match name.as_str() {
            "epoch" => epoch = Epoch::parse(&value),
            "head" => head = value.parse().unwrap_or(0),
            name => match (Field::parse(name), Kept::parse(&value)) {
                (Some(field), Some(kept)) => drop(numbers.insert(field, kept)),
                _ => tracing::warn!("the fleet's numbers have one that is none: {name:.100}"),
            },
        }
    }
    let epoch =
        epoch.ok_or_else(|| Trouble::new("the fleet's numbers have no epoch that can be read"))?;
    Ok(Snapshot {
        epoch,
        head,
        now,
        numbers,
    })
}

impl Desk for Connection {
    fn fold(&mut self, number: Number, older: Duration, beyond: usize) -> Result<bool, Trouble> {
        let mut call = self
            .link
            .script(Script::Fold, &[&self.names.numbers, &self.names.ages]);
        call.arg(&self.names.raised).arg(number.to_string());
        call.arg(millis(older)).arg(beyond).arg(AT_ONCE);
        Ok(link::number(self.link.ask(&call)?)? == 1)
    }

    fn permit(
        &mut self,
        key: Mark,
        holder: Number,
        at_most: u32,
        time: Duration,
    ) -> Result<Answer, Trouble> {
        let mut call = self.link.script(
            Script::Permit,
            &[&self.names.permit(key), &self.names.gifts],
        );
        call.arg(holder.to_string())
            .arg(at_most)
            .arg(millis(time))
            .arg(KEEP);
        match self.link.ask(&call)? {
            Value::Array(pair) if pair.len() == 2 => {
                let mut pair = pair.into_iter();
                let given = pair.next().map_or(Ok(0), number)? == 1;
                let what = pair.next().map_or(Ok(0), number)?;
                Ok(if given {
                    Answer::Granted(what)
                } else {
                    Answer::Taken(Duration::from_millis(what))
                })
            }
            _ => Err(Trouble::new("it answers with something that is no permit")),
        }
    }

    fn renew(&mut self, key: Mark, holder: Number, time: Duration) -> Result<bool, Trouble> {
        let mut call = self.link.script(Script::Renew, &[&self.names.permit(key)]);
        call.arg(holder.to_string()).arg(millis(time));
        Ok(number(self.link.ask(&call)?)? == 1)
    }

    fn give_back(&mut self, key: Mark, holder: Number) -> Result<(), Trouble> {
        let mut call = redis::cmd("ZREM");
        self.link
            .ask(call.arg(self.names.permit(key)).arg(holder.to_string()))
            .map(drop)
    }

    fn announce(&mut self, member: u64, card: &[u8], keep: Duration) -> Result<u64, Trouble> {
        let names = &self.names;
        let keys = [
            names.members.as_str(),
            &names.member(member),
            &names.numbers,
            &names.ages,
        ];
        let mut call = self.link.script(Script::Announce, &keys);
        call.arg(format!("{member:016x}"))
            .arg(card)
            .arg(millis(keep))
            .arg(KEEP);
        link::number(self.link.ask(&call)?)
    }

    fn withdraw(&mut self, member: u64) -> Result<(), Trouble> {
        self.link
            .ask(redis::cmd("DEL").arg(self.names.member(member)))?;
        let mut call = redis::cmd("ZREM");
        self.link
            .ask(call.arg(&self.names.members).arg(format!("{member:016x}")))
            .map(drop)
    }

    fn members(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Trouble> {
        let listed = self
            .link
            .ask(redis::cmd("ZRANGE").arg(&self.names.members).arg(0).arg(-1))?;
        let Value::Array(listed) = listed else {
            return Err(Trouble::new("it answers with no list of members"));
        };
        let mut members = Vec::new();
        for name in listed {
            // Whatever else stands there is nobody's name.
            let name = text(name).ok();
            members.extend(name.and_then(|name| u64::from_str_radix(&name, 16).ok()));
        }
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = redis::cmd("MGET");
        for member in &members {
            call.arg(self.names.member(*member));
        }
        let Value::Array(cards) = self.link.ask(&call)? else {
            return Err(Trouble::new("it answers with no members"));
        };
        let cards = members.into_iter().zip(cards);
        Ok(cards
            .filter_map(|(member, card)| {
                if let Value::BulkString(card) = card {
                    Some((member, card))
                } else {
                    None
                }
            })
            .collect())
    }
}

/// The random part of a new epoch, which tells it from others.
fn drawn() -> Result<String, Trouble> {
    let drawn = crate::random::draw().map_err(|error| {
        Trouble::new(format!("the system has no random bytes to give: {error}"))
    })?;
    Ok(format!("{drawn:016x}"))
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
