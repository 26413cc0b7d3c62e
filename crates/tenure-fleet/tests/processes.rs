//! Eight processes that clear what is theirs, at random and under load, while everything happens to their server.
//!
//! Each keeps an entry of eight functions, which are built from files. Each owns one: it writes a newer version and clears the
//! function, again and again. After each mishap all stop, and wait until they have heard of each other; then none may have
//! an entry that is older than its file. This program is both the test and, started by itself, one of the processes.

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use support::proxy::{Mode, Proxy};
use support::{Server, settings};
use tenure_fleet::{Ending, Fleet, Listener, Mark, Topic};

const MANY: u8 = 8;
/// How often a process looks.
const PAUSE: Duration = Duration::from_millis(2);
const CHILD: &str = "TENURE_FLEET_TEST_CHILD";

fn main() {
    match std::env::var(CHILD) {
        Ok(line) => child(&line),
        // What it is asked for by name is another test's.
        Err(_)
            if std::env::args()
                .skip(1)
                .any(|word| !word.starts_with('-') && !NAME.contains(&word)) => {}
        Err(_) => parent(),
    }
}

const NAME: &str = "d1_no_process_has_anything_old_once_it_has_caught_up";

/// What one process keeps: the version of each function that it has.
struct Cache {
    folder: PathBuf,
    entries: Mutex<[Option<u64>; MANY as usize]>,
    /// Whose signs were heard, and of which round.
    heard: Mutex<BTreeSet<(u8, u8)>>,
}

impl Cache {
    fn source(&self, function: u8) -> u64 {
        let text = std::fs::read_to_string(self.folder.join(function.to_string()));
        text.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// A hit, or a build that nothing gets in between of.
    fn get(&self, function: u8) -> u64 {
        let mut entries = self.entries.lock().unwrap();
        *entries[usize::from(function)].get_or_insert_with(|| self.source(function))
    }

    fn clear(&self, function: Option<u8>) {
        let mut entries = self.entries.lock().unwrap();
        match function {
            Some(function) => entries[usize::from(function)] = None,
            None => *entries = [None; MANY as usize],
        }
    }
}

impl Listener for Cache {
    fn ended(&self, topic: Topic, _: Ending) {
        match topic {
            Topic::Function(Mark([function, ..])) => self.clear(Some(function)),
            Topic::Tag(Mark([member, round, ..])) => {
                let _ = self.heard.lock().unwrap().insert((member, round));
            }
            _ => self.clear(None),
        }
    }
    fn forgot(&self) {
        self.clear(None);
    }
    fn lost(&self) {}
    fn caught_up(&self) {}
    fn figures(&self) -> String {
        "{}".into()
    }
}

/// One of the processes: does what it reads, a word a line.
fn child(line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let [me, folder, url] = words[..] else {
        panic!("{line}")
    };
    let me: u8 = me.parse().unwrap();
    let cache = Arc::new(Cache {
        folder: folder.into(),
        entries: Mutex::default(),
        heard: Mutex::default(),
    });
    let fleet = Fleet::join(
        settings(url).answer(Duration::from_millis(500)),
        cache.clone(),
    )
    .unwrap();
    let (signs, round) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU8::new(0)));
    let (signing, of, signer) = (signs.clone(), round.clone(), fleet.clone());
    thread::spawn(move || {
        loop {
            if signing.load(Ordering::SeqCst) {
                let mut sign = [0; 16];
                sign[..2].copy_from_slice(&[me, of.load(Ordering::SeqCst)]);
                signer.raise(Topic::Tag(Mark(sign)), Ending::Cleared);
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let (clear, clears) = channel::<()>();
    let (cleared, done) = channel();
    let (at_work, raiser) = (cache.clone(), fleet.clone());
    thread::spawn(move || {
        let mut version = 0;
        loop {
            (0..MANY)
                .for_each(|function| assert!(at_work.get(function) <= at_work.source(function)));
            if clears.recv_timeout(PAUSE).is_err() {
                continue;
            }
            version += 1;
            let written = at_work.folder.join(format!("{me}.new"));
            std::fs::write(&written, format!("{version}")).unwrap();
            std::fs::rename(&written, at_work.folder.join(me.to_string())).unwrap();
            at_work.clear(Some(me));
            raiser.raise(Topic::Function(Mark([me; 16])), Ending::Cleared);
            cleared.send(()).unwrap();
        }
    });
    let answer = |text: String| println!("{text}");
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "clear" => {
                clear.send(()).unwrap();
                done.recv().unwrap();
                answer("cleared".into());
            }
            // Everything that this process has cleared goes out before its sign does. It is given until all have heard all
            // others: a sign that a server has forgotten is not heard of.
            "settle" => {
                signs.store(true, Ordering::SeqCst);
                let heard = |round| {
                    cache
                        .heard
                        .lock()
                        .unwrap()
                        .iter()
                        .filter(|(_, of)| *of == round)
                        .count()
                };
                while heard(round.load(Ordering::SeqCst)) < usize::from(MANY) - 1 {
                    thread::sleep(PAUSE);
                }
                answer("settled".into());
            }
            "check" => {
                signs.store(false, Ordering::SeqCst);
                round.fetch_add(1, Ordering::SeqCst);
                let old = (0..MANY).find(|function| cache.get(*function) < cache.source(*function));
                answer(old.map_or("fresh".into(), |function| format!("old: {function}")));
            }
            word => panic!("{word}"),
        }
    }
}

struct Process {
    child: Child,
    tell: ChildStdin,
    told: BufReader<ChildStdout>,
    proxy: Proxy,
}

impl Process {
    fn start(me: u8, folder: &Path, server: &Server) -> Self {
        let proxy = Proxy::new(server.port);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(CHILD, format!("{me} {} {}", folder.display(), proxy.url()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, told) = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        Self {
            child,
            tell,
            told,
            proxy,
        }
    }

    fn say(&mut self, word: &str) {
        writeln!(self.tell, "{word}").unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill")
                .args([signal, &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Random processes clear, so many times.
fn clears(processes: &mut [Process], many: u32, random: &mut u64) {
    for _ in 0..many {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = (*random >> 33) as usize % processes.len();
        let process = &mut processes[at];
        process.say("clear");
        assert_eq!(process.answer(), "cleared");
    }
}

/// All have heard of all others since; then nobody has anything old.
fn check(processes: &mut [Process], after: &str) {
    processes
        .iter_mut()
        .for_each(|process| process.say("settle"));
    for process in processes.iter_mut() {
        assert_eq!(process.answer(), "settled", "{after}");
    }
    for process in processes.iter_mut() {
        process.say("check");
        assert_eq!(process.answer(), "fresh", "{after}");
    }
    println!("fresh after: {after}");
}

fn parent() {
    let Some(mut server) = Server::start(&["--dbfilename", "numbers.rdb"]) else {
        return;
    };
    let folder = server.folder.join("sources");
    std::fs::create_dir_all(&folder).unwrap();
    let mut processes: Vec<_> = (0..MANY)
        .map(|me| Process::start(me, &folder, &server))
        .collect();
    let mut random = 20;
    let many = 200;

    clears(&mut processes, many, &mut random);
    check(&mut processes, "clears");

    server.kill();
    clears(&mut processes, many, &mut random);
    server.run();
    clears(&mut processes, many, &mut random);
    check(&mut processes, "the server was killed, and came back empty");

    server.command(&["SAVE"]);
    clears(&mut processes, many, &mut random);
    server.kill();
    server.run();
    clears(&mut processes, many, &mut random);
    check(&mut processes, "the server came back as it was once");

    server.signal("-STOP");
    clears(&mut processes, many, &mut random);
    server.signal("-CONT");
    clears(&mut processes, many, &mut random);
    check(&mut processes, "the server stood still");

    for mode in [Mode::Cut, Mode::HalfOpen, Mode::Hold, Mode::Trickle] {
        (0..3).for_each(|away| processes[away].proxy.set(mode));
        clears(&mut processes, many, &mut random);
        (0..3).for_each(|away| processes[away].proxy.set(Mode::Forward));
        clears(&mut processes, many, &mut random);
        check(&mut processes, &format!("{mode:?}"));
    }

    processes[0].signal("-STOP");
    clears(&mut processes[1..], many, &mut random);
    processes[0].signal("-CONT");
    check(&mut processes, "a member stood still");
    println!("test {NAME} ... ok");
}
