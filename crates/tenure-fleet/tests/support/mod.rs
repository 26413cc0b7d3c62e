//! A server that a test starts, members of a fleet on it, and what they hear.
#![allow(dead_code)]

pub mod proxy;

use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tenure_fleet::{Ending, Fleet, Listener, Mark, Settings, Topic};

pub const SECRET: &str = "a secret of all who are here";
/// How long something may take before it counts as lost. Nothing waits for it that goes well.
pub const BOUND: Duration = Duration::from_secs(20);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// What a member is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Ended(Topic, Ending),
    Forgot,
    Lost,
    CaughtUp,
}

/// A port that nobody has, and for a cluster nobody has the one ten thousand above it.
pub fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

/// Says that a test is skipped, and why. Where it is to run, it fails instead.
pub fn skip_or_fail(what: &str) {
    assert!(
        std::env::var_os("TENURE_REDIS_REQUIRED").is_none(),
        "{what}"
    );
    eprintln!("skipped: {what}");
}

/// `None`, with a message, where there is no server to start.
pub fn server() -> Option<Server> {
    Server::start(&[])
}

/// A Redis or Valkey server of the test's own.
pub struct Server {
    program: &'static str,
    options: Vec<String>,
    pub port: u16,
    pub folder: PathBuf,
    process: Option<Child>,
}

impl Server {
    pub fn start(options: &[&str]) -> Option<Self> {
        let there = |program: &&str| Command::new(program).arg("--version").output().is_ok();
        let Some(program) = ["redis-server", "valkey-server"].into_iter().find(there) else {
            skip_or_fail(
                "there is no redis-server on the path (on Debian: apt-get install redis-server)",
            );
            return None;
        };
        let folder = std::env::temp_dir().join(format!(
            "tenure-fleet-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self {
            program,
            options,
            port,
            folder,
            process: None,
        };
        server.run();
        Some(server)
    }

    /// A sentinel, with this configuration.
    pub fn watch(port: u16, config: &Path) -> Self {
        let mut sentinel = Self::start(&[]).expect("a server was started before");
        sentinel.kill();
        sentinel.port = port;
        sentinel.options = vec![config.display().to_string(), "--sentinel".into()];
        sentinel.begin(Command::new(sentinel.program));
        sentinel
    }

    /// Starts it, with what it finds in its folder.
    pub fn run(&mut self) {
        let mut command = Command::new(self.program);
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command
            .arg("--dir")
            .arg(&self.folder)
            .arg("--unixsocket")
            .arg(self.socket());
        self.begin(command);
    }

    fn begin(&mut self, mut command: Command) {
        let log = std::fs::File::create(self.folder.join("log")).unwrap();
        self.process = Some(
            command
                .args(&self.options)
                .stdout(log)
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                begun.elapsed() < BOUND,
                "{}",
                std::fs::read_to_string(self.folder.join("log")).unwrap()
            );
            std::thread::yield_now();
        }
    }

    /// Kills it, so that it keeps nothing but what it has saved.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub fn signal(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &process])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn settings(&self) -> Settings {
        settings(&self.url())
    }

    /// The name on the server of something of the one fleet there.
    pub fn name(&self, what: &str) -> String {
        let known = self.command(&["KEYS", "{tenure:*:numbers"]);
        let numbers = known.lines().find(|line| line.starts_with("{tenure:"));
        let before = numbers.and_then(|it| it.strip_suffix("numbers"));
        format!("{}{what}", before.expect("a member has joined"))
    }

    /// A command from outside, by the server's own client protocol, and its answer.
    pub fn command(&self, words: &[&str]) -> String {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut packed = format!("*{}\r\n", words.len());
        words
            .iter()
            .for_each(|word| packed += &format!("${}\r\n{word}\r\n", word.len()));
        stream.write_all(packed.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        drop(std::fs::remove_dir_all(Path::new(&self.folder)));
    }
}

/// Settings with short times.
pub fn settings(url: &str) -> Settings {
    Settings::new(url, SECRET)
        .ping(Duration::from_millis(100))
        .answer(Duration::from_millis(1500))
        .retry(Duration::from_millis(20), Duration::from_millis(200))
        .host("here")
}

struct Record(Mutex<Sender<Event>>, String);

impl Record {
    fn note(&self, event: Event) {
        let _ = self.0.lock().unwrap().send(event);
    }
}

impl Listener for Record {
    fn ended(&self, topic: Topic, ending: Ending) {
        self.note(Event::Ended(topic, ending));
    }
    fn forgot(&self) {
        self.note(Event::Forgot);
    }
    fn lost(&self) {
        self.note(Event::Lost);
    }
    fn caught_up(&self) {
        self.note(Event::CaughtUp);
    }
    fn figures(&self) -> String {
        self.1.clone()
    }
}

/// A member, and what it was told.
pub struct Member {
    pub fleet: Arc<Fleet>,
    events: Receiver<Event>,
}

impl Member {
    /// Joins, and says nothing of what comes of it.
    pub fn join(settings: Settings) -> Self {
        let (tell, events) = channel();
        let record = Record(Mutex::new(tell), r#"{"entries": 3}"#.into());
        let fleet = Fleet::join(settings, Arc::new(record)).unwrap();
        Self { fleet, events }
    }

    /// Joins, and is caught up.
    pub fn joined(settings: Settings) -> Self {
        let member = Self::join(settings);
        member.until(Event::CaughtUp);
        member
    }

    /// The next that it is told.
    pub fn next(&self) -> Event {
        self.events
            .recv_timeout(BOUND)
            .expect("it is told of something")
    }

    /// What it is told until then, that included.
    pub fn until(&self, last: Event) -> Vec<Event> {
        let mut events = Vec::new();
        while events.last() != Some(&last) {
            match self.events.recv_timeout(BOUND) {
                Ok(event) => events.push(event),
                Err(_) => panic!(
                    "{last:?} was never told, but {} others: {:?}",
                    events.len(),
                    events.iter().rev().take(5)
                ),
            }
        }
        events
    }

    pub fn raise(&self, topic: Topic) {
        self.fleet.raise(topic, Ending::Cleared);
    }
}

pub fn function(name: u8) -> Topic {
    Topic::Function(Mark([name; 16]))
}

pub fn entry(name: u8) -> Topic {
    Topic::Entry {
        function: Mark([7; 16]),
        entry: Mark([name; 16]),
    }
}

pub fn tag(name: u8) -> Topic {
    Topic::Tag(Mark([name; 16]))
}

pub fn cleared(topic: Topic) -> Event {
    Event::Ended(topic, Ending::Cleared)
}

pub fn expired(topic: Topic) -> Event {
    Event::Ended(topic, Ending::Expired)
}
