//! A connection: commands go out, and what comes in is either an answer or a message.
//!
//! Both come in one stream, in the order in which the server has sent them (RESP3). That is what the bus rests on: an
//! answer to a ping is behind every message that was published before it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use redis::{Cmd, Parser, ServerError, Value};

use super::address::{Address, Login, Place, Places, Tls};
use super::scripts::{ALL, Script};
use super::stream::Stream;
use crate::number::Run;
use crate::server::Trouble;

/// The most nodes of a cluster that may send a connection on to another.
const HOPS: usize = 5;

/// The code of an error for what a user may not do.
const NOPERM: &str = "NOPERM";

/// The advice where a user may not do what a member does.
const ALLOWED: &str = "the guide's page on fleets lists the keys, the channels and the commands that a user of its own needs";

/// The hint where the other end hangs up on whoever does not speak TLS.
const SPEAKS_TLS: &str = ". If it speaks TLS at this port, write rediss for redis in the URL";

/// The kinds of servers that ask who one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Server,
    Sentinel,
}

/// A connection to the server that keeps what a fleet has there.
pub(crate) struct Link {
    stream: Stream,
    parser: Parser,
    bound: Duration,
    /// The scripts, as the server calls them.
    loaded: Vec<String>,
    messages: VecDeque<Value>,
    run: Run,
}

impl Link {
    /// Connects to the node that has this key.
    pub(crate) fn connect(address: &Address, key: &str, bound: Duration) -> Result<Self, Trouble> {
        let mut last = Trouble::new("no place to look for it");
        for place in found(address, bound)? {
            match Self::connect_by(place, address, key, bound) {
                Ok(link) => return Ok(link),
                Err(trouble) => last = trouble,
            }
        }
        Err(last)
    }

    /// Connects to this place, or to where it says that the key is.
    fn connect_by(
        mut place: Place,
        address: &Address,
        key: &str,
        bound: Duration,
    ) -> Result<Self, Trouble> {
        for _ in 0..HOPS {
            let login = (&address.login, Door::Server);
            let mut link = Self::open(&place, address.tls.as_ref(), login, bound)?;
            if address.database != 0 {
                link.ask(redis::cmd("SELECT").arg(address.database))?;
            }
            match link.request(redis::cmd("EXISTS").arg(key))? {
                Value::ServerError(error) if error.code() == "MOVED" => {
                    let to = error
                        .details()
                        .and_then(|text| text.split(' ').nth(1))
                        .unwrap_or_default();
                    place = moved(&place, to).ok_or_else(|| {
                        Trouble::new(format!("it says MOVED to nowhere: {error:?}"))
                    })?;
                }
                answer => {
                    answered(answer)?;
                    link.look_around()?;
                    return Ok(link);
                }
            }
        }
        Err(Trouble::new(format!(
            "{HOPS} nodes of the cluster, one after another, had not what another said they have"
        )))
    }

    fn open(
        place: &Place,
        tls: Option<&Tls>,
        (login, door): (&Login, Door),
        bound: Duration,
    ) -> Result<Self, Trouble> {
        let mut link = Self {
            stream: Stream::connect(place, tls, bound)?,
            parser: Parser::new(),
            bound,
            loaded: Vec::new(),
            messages: VecDeque::new(),
            run: Run {
                id: String::new(),
                up: 0,
            },
        };
        let mut hello = redis::cmd("HELLO");
        hello.arg(3);
        if !login.is_empty() {
            let user = if login.user.is_empty() {
                "default"
            } else {
                &login.user
            };
            hello.arg("AUTH").arg(user).arg(&login.password);
        }
        hello.arg("SETNAME").arg("tenure-fleet");
        let greeted = link.request(&hello);
        let greeted = match tls {
            None => greeted.map_err(|trouble| trouble.hint_if_gone(SPEAKS_TLS))?,
            Some(_) => greeted?,
        };
        match greeted {
            Value::ServerError(error) => Err(not_let_in(&error, login, door)),
            _ => Ok(link),
        }
    }

    /// Finds out which server this is, and loads the scripts, all in one go.
    fn look_around(&mut self) -> Result<(), Trouble> {
        let mut questions: Vec<Cmd> = Vec::new();
        for section in ["server", "replication"] {
            questions.push(redis::cmd("INFO").arg(section).clone());
        }
        for script in ALL {
            questions.push(redis::cmd("SCRIPT").arg("LOAD").arg(script.text()).clone());
        }
        let mut answers = Vec::new();
        self.ask_all(&questions, |answer| {
            answers.push(text(answer)?);
            Ok(())
        })?;
        self.loaded = answers.split_off(2);
        let [server, replication] = &answers[..] else {
            return Err(Trouble::new("it does not say what it is"));
        };
        if value_of(replication, "role") == "slave" {
            return Err(Trouble::new(
                "it is a replica, on which nothing can be written",
            ));
        }
        // Its seconds are those of its clock, so that up to two of them are not over.
        let up = value_of(server, "uptime_in_seconds")
            .parse::<u64>()
            .unwrap_or(0);
        self.run = Run {
            id: value_of(server, "run_id").to_owned(),
            up: up.saturating_sub(2) * 1000,
        };
        Ok(())
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// The call of a script.
    pub(crate) fn script(&self, script: Script, keys: &[&str]) -> Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.loaded[script as usize])
            .arg(keys.len())
            .arg(keys);
        call
    }

    pub(crate) fn closer(&self) -> Box<dyn Fn() + Send> {
        self.stream.closer()
    }

    /// Sends a command, and does not wait for the answer.
    pub(crate) fn send(&mut self, command: &Cmd) -> Result<(), Trouble> {
        self.write(&command.get_packed_command())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &io::Error) -> Trouble {
        match error.kind() {
            // Which of them depends on the system.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Trouble::silent(self.bound),
            _ => Trouble::gone(format!("the connection is gone: {error}")),
        }
    }

    /// Sends a command, and waits for the answer, which may be an error.
    fn request(&mut self, command: &Cmd) -> Result<Value, Trouble> {
        self.send(command)?;
        self.answer(Instant::now() + self.bound)
    }

    /// Sends a command, and waits for the answer; an error is trouble.
    pub(crate) fn ask(&mut self, command: &Cmd) -> Result<Value, Trouble> {
        answered(self.request(command)?)
    }

    /// Sends these commands at once, and gives the answers as they come, until one does not.
    pub(crate) fn ask_all(
        &mut self,
        commands: &[Cmd],
        mut each: impl FnMut(Value) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut packed = Vec::new();
        commands
            .iter()
            .for_each(|command| command.write_packed_command(&mut packed));
        self.write(&packed)?;
        let until = Instant::now() + self.bound;
        // All answers are taken, so that none is left for the next question.
        let mut first = Ok(());
        for _ in commands {
            let told = self.answer(until).map(answered);
            match told {
                Ok(answer) if first.is_ok() => first = answer.and_then(&mut each),
                Ok(_) => {}
                Err(trouble) => return first.and(Err(trouble)),
            }
        }
        first
    }

    fn answer(&mut self, until: Instant) -> Result<Value, Trouble> {
        loop {
            match self.read(until)? {
                Some(message @ Value::Push { .. }) => self.messages.push_back(message),
                Some(answer) => return Ok(answer),
                None => return Err(Trouble::silent(self.bound)),
            }
        }
    }

    /// The next message or answer; None where nothing comes until then.
    pub(crate) fn next(&mut self, until: Instant) -> Result<Option<Value>, Trouble> {
        match self.messages.pop_front() {
            Some(message) => Ok(Some(message)),
            None => self.read(until),
        }
    }

    fn read(&mut self, until: Instant) -> Result<Option<Value>, Trouble> {
        match self.parser.parse_value(Until(&mut self.stream, until)) {
            Ok(value) => Ok(Some(value)),
            // What has come of a value so far, the parser keeps.
            Err(error) if error.is_timeout() => Ok(None),
            Err(error) => Err(Trouble::gone(format!("the connection is gone: {error}"))),
        }
    }
}

/// A socket that is read until then, however little comes at a time.
struct Until<'a>(&'a mut Stream, Instant);

impl Read for Until<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0
            .set_patience(self.1.saturating_duration_since(Instant::now()))?;
        self.0.read(into)
    }
}

/// The places where the server may be.
fn found(address: &Address, bound: Duration) -> Result<Vec<Place>, Trouble> {
    let (service, sentinels, login) = match &address.places {
        Places::Servers(places) => return Ok(places.clone()),
        Places::Sentinels {
            service,
            sentinels,
            login,
        } => (service, sentinels, login),
    };
    let mut last = Trouble::new("no sentinel to ask");
    for sentinel in sentinels {
        let asked = Link::open(
            sentinel,
            address.tls.as_ref(),
            (login, Door::Sentinel),
            bound,
        )
        .and_then(|mut link| {
            let answer = link.ask(
                redis::cmd("SENTINEL")
                    .arg("get-master-addr-by-name")
                    .arg(service),
            )?;
            let Value::Array(pair) = answer else {
                return Err(Trouble::new(format!(
                    "the sentinel knows no service {service:?}"
                )));
            };
            let mut words = pair.into_iter().map(text);
            match (words.next(), words.next()) {
                (Some(host), Some(port)) => {
                    let port = port?
                        .parse()
                        .map_err(|_| Trouble::new("the sentinel names a port that is no number"))?;
                    Ok(vec![Place::Tcp(host?, port)])
                }
                _ => Err(Trouble::new("the sentinel names no place")),
            }
        });
        match asked {
            Ok(places) => return Ok(places),
            Err(trouble) => last = trouble.at("sentinel"),
        }
    }
    Err(last)
}

/// The place to which a node of a cluster sends one; without a host, it is its own.
fn moved(from: &Place, to: &str) -> Option<Place> {
    let (host, port) = to.rsplit_once(':')?;
    let port = port.parse().ok()?;
    match (host, from) {
        ("", Place::Tcp(host, _)) => Some(Place::Tcp(host.clone(), port)),
        ("", Place::Unix(_)) => None,
        (host, _) => Some(Place::Tcp(host.to_owned(), port)),
    }
}

/// The server's own words.
fn sentence(error: &ServerError) -> String {
    let details = error.details().unwrap_or_default();
    let details = details.trim_end_matches('.');
    format!("{} {details}", error.code())
}

/// The trouble where the server does not let this process in, with what to write in the URL.
fn not_let_in(error: &ServerError, login: &Login, door: Door) -> Trouble {
    let advice = match error.code() {
        "NOAUTH" | "WRONGPASS" if door == Door::Sentinel => {
            "what sentinels ask for stands at the end of the URL: ?sentinel_password=password, and \
             &sentinel_user=user where they have users"
        }
        "NOAUTH" => {
            "it asks for a password, which stands in the URL: redis://:password@host, or redis://user:password@host"
        }
        "WRONGPASS" if login.password.is_empty() => {
            "the URL names a user and no password. A password stands behind a colon: redis://:password@host"
        }
        "WRONGPASS" => {
            "look at the user and the password in the URL, redis://user:password@host, in which signs with a meaning \
             are written as in every URL, @ as %40"
        }
        NOPERM => ALLOWED,
        _ => "is it Valkey, or Redis from version 6 on?",
    };
    let what = match error.code() {
        // In whose own words there is much of HELLO.
        code @ "NOAUTH" => code.to_owned(),
        _ => sentence(error),
    };
    Trouble::refused(format!("{what}: {advice}"))
}

/// An answer that is no error.
pub(crate) fn answered(value: Value) -> Result<Value, Trouble> {
    match value {
        Value::ServerError(error) if error.code() == NOPERM => {
            Err(Trouble::refused(format!("{}: {ALLOWED}", sentence(&error))))
        }
        Value::ServerError(error) if ["READONLY", "MOVED"].contains(&error.code()) => {
            Err(Trouble::elsewhere(sentence(&error)))
        }
        Value::ServerError(error) => Err(Trouble::new(sentence(&error))),
        value => Ok(value),
    }
}

/// An answer that is a text.
pub(crate) fn text(value: Value) -> Result<String, Trouble> {
    match value {
        Value::BulkString(bytes) => {
            String::from_utf8(bytes).map_err(|_| Trouble::new("it answers with no text"))
        }
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(Trouble::new(format!(
            "it answers with something that is no text: {other:?}"
        ))),
    }
}

/// An answer that is a number.
pub(crate) fn number(value: Value) -> Result<u64, Trouble> {
    let wrong = || Trouble::new("it answers with something that is no number");
    match value {
        Value::Int(number) => number.try_into().map_err(|_| wrong()),
        Value::Double(number) if number >= 0.0 => Ok(number as u64),
        value => text(value)?.parse().map_err(|_| wrong()),
    }
}

fn value_of<'a>(info: &'a str, name: &str) -> &'a str {
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(known, _)| *known == name)
        .map_or("", |(_, value)| value.trim())
}
