//! The examples, run as programs (R5, R6, R7).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, StatusCode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{self, OpenptFlags};
use rustix::termios::{self, Winsize};

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

struct Server {
    process: Running,
    address: String,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut process = Running(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut address = String::new();
        let out = process.0.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        assert!(address.starts_with("http://"), "{address}");
        Self { process, address }
    }

    /// Asks it to end, and waits for what it ends with.
    fn end(mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
        self.process.0.wait().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }
}

#[test]
fn r1_the_search_tool_indexes_once() {
    let folder = tempdir("search");
    std::fs::write(folder.join("a.txt"), "one two\nthree two\n").unwrap();
    std::fs::write(folder.join("b.txt"), "two\n").unwrap();
    let mut tool = Command::new(env!("CARGO_BIN_EXE_search"))
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut questions = tool.stdin.take().unwrap();
    let missing = folder.join("missing");
    write!(
        questions,
        "two\nThree\n:clear\none\n:info\n:folder {}\none\n",
        missing.display()
    )
    .unwrap();
    drop(questions);
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let gone = format!("(the index of {} is gone)", folder.display());
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..4],
        ["two: 3 places", "  a.txt:1", "  a.txt:2", "  b.txt:1"]
    );
    assert_eq!(
        lines[4..9],
        [
            "Three: 1 places",
            "  a.txt:2",
            &gone,
            "one: 1 places",
            "  a.txt:1"
        ]
    );
    assert!(lines[9].starts_with("2 builds in "), "{said}");
    assert!(lines[9].ends_with(" 1 hits, 1 entries"), "{said}");
    assert!(
        lines[10].starts_with(&missing.display().to_string()),
        "{said}"
    );
    // At the end of `main`.
    assert_eq!(lines[11..], [gone.as_str()]);
    // R6: no terminal, no spinner.
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

/// What a test waits for at most before it says that something hangs.
const LOST: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// So much is never shown before what a test waits for: a spinner draws itself ten times a second.
const ENOUGH: usize = 20_000;

/// A terminal, and what a program shows there.
struct Terminal {
    screen: File,
    shown: String,
}

impl Terminal {
    /// With the end that a program takes for its terminal.
    fn open() -> (Self, File) {
        let screen = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        pty::grantpt(&screen).unwrap();
        pty::unlockpt(&screen).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        termios::tcsetwinsize(&screen, size).unwrap();
        let name = pty::ptsname(&screen, Vec::new()).unwrap();
        let end = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let screen = screen.into();
        let shown = String::new();
        (Self { screen, shown }, end)
    }

    /// Takes in what is shown next; `false` once nothing has the terminal open any more.
    fn read(&mut self) -> bool {
        let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
        let count = poll(&mut ready, Some(&LOST)).unwrap();
        assert!(count > 0, "nothing more is shown after {:?}", self.shown);
        let mut bytes = [0; 4096];
        // Linux calls that an error, others the end.
        let count = self.screen.read(&mut bytes).unwrap_or(0);
        self.shown
            .push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }

    fn until(&mut self, seen: impl Fn(&str) -> bool) {
        while !seen(&self.shown) {
            assert!(
                self.read() && self.shown.len() < ENOUGH,
                "never seen in {:?}",
                self.shown
            );
        }
    }
}

/// The elapsed times that a spinner showed, each once.
fn times(shown: &str) -> Vec<f64> {
    let parts = shown.split("Indexing (").skip(1);
    let mut times: Vec<f64> = parts
        .filter_map(|part| part.split_once(" seconds)")?.0.parse().ok())
        .collect();
    times.dedup();
    times
}

#[test]
fn r6_a_terminal_shows_the_text_and_the_elapsed_time_while_a_build_runs() {
    let folder = tempdir("terminal");
    // Nobody can read it before something is written, so the build waits.
    let pipe = folder.join("a.txt");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let (mut terminal, end) = Terminal::open();
    let tool = Command::new(env!("CARGO_BIN_EXE_search"))
        .arg(&folder)
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(end)
        .spawn();
    let mut tool = Running(tool.unwrap());
    let mut questions = tool.0.stdin.take().unwrap();
    writeln!(questions, "two").unwrap();
    terminal.until(|shown| times(shown).len() >= 3);
    let seen = times(&terminal.shown);
    assert!(seen.is_sorted() && seen[0] < seen[2], "{seen:?}");

    File::create(&pipe)
        .unwrap()
        .write_all(b"one two\n")
        .unwrap();
    drop(questions);
    let said = std::io::read_to_string(tool.0.stdout.take().unwrap()).unwrap();
    assert_eq!(said.lines().next(), Some("two: 1 places"));
    while terminal.read() {}
    // What the spinner leaves behind is an empty line.
    let (_, last) = terminal.shown.rsplit_once("seconds)").unwrap();
    assert!(last.contains("\x1b[2K"), "{last:?}");
}

fn tempdir(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn text(request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn r5_the_service_shares_the_pool_and_gives_each_user_a_connection() {
    let database = tempdir("service").join("notes.db");
    let server = Server::start(
        Command::new(env!("CARGO_BIN_EXE_service"))
            .arg("127.0.0.1:0")
            .arg(&database),
    );
    let user = || Client::builder().cookie_store(true).build().unwrap();
    let (alice, bob) = (user(), user());
    let add = async |user: &Client, text_: &'static str| {
        text(user.post(server.url("/drafts")).body(text_)).await;
    };
    let info = async || text(bob.get(server.url("/info"))).await;
    add(&alice, "a rose").await;
    add(&alice, "a lily").await;
    add(&bob, "a fern").await;
    assert_eq!(
        text(alice.get(server.url("/drafts"))).await,
        "a rose\na lily"
    );
    assert_eq!(text(bob.get(server.url("/drafts"))).await, "a fern");
    text(alice.post(server.url("/publish"))).await;
    assert_eq!(text(alice.get(server.url("/drafts"))).await, "");
    assert_eq!(text(bob.get(server.url("/notes"))).await, "a rose\na lily");
    assert_eq!(
        info().await,
        "pools 1 of 1 built, connections 2 of 2 built\n"
    );

    // A socket has a connection of its own, which goes with it.
    let url = server.url("/live").replace("http", "ws");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send("lil".into()).await.unwrap();
    let found = socket.next().await.unwrap().unwrap();
    assert_eq!(found.into_text().unwrap().as_str(), "a lily");
    assert_eq!(
        info().await,
        "pools 1 of 1 built, connections 3 of 3 built\n"
    );
    drop(socket);
    while info().await != "pools 1 of 1 built, connections 2 of 3 built\n" {
        tokio::task::yield_now().await;
    }

    // Bob goes, and his drafts with him.
    text(bob.post(server.url("/out"))).await;
    assert_eq!(
        info().await,
        "pools 1 of 1 built, connections 1 of 3 built\n"
    );
    assert_eq!(text(bob.get(server.url("/drafts"))).await, "");
}

#[tokio::test]
async fn l6_a_signal_ends_the_service_and_nothing_is_left_behind() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempdir(&format!("service-{}", signal.as_raw()));
        let database = folder.join("notes.db");
        let mut service = Command::new(env!("CARGO_BIN_EXE_service"));
        let server = Server::start(service.arg("127.0.0.1:0").arg(&database));
        let user = Client::builder().cookie_store(true).build().unwrap();
        text(user.post(server.url("/drafts")).body("a rose")).await;
        text(user.post(server.url("/publish"))).await;
        assert_eq!(text(user.get(server.url("/notes"))).await, "a rose");
        let url = server.url("/live").replace("http", "ws");
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        socket.send("rose".into()).await.unwrap();
        socket.next().await.unwrap().unwrap();
        assert!(folder.join("notes.db-wal").exists());

        // The user's connection and the socket are still open.
        assert!(server.end(signal).success());
        let left = std::fs::read_dir(&folder).unwrap();
        let left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.db"]);
    }
}

#[tokio::test]
async fn r7_the_page_is_put_together_from_recordings() {
    let server = Server::start(Command::new(env!("CARGO_BIN_EXE_page")).arg("127.0.0.1:0"));
    let client = Client::new();
    let page = async |query: &str| text(client.get(server.url(&format!("/{query}")))).await;
    let first = page("").await;
    assert!(first.contains("<title>30</title>"), "{first}");
    let places = [
        "<h2>",
        "<form>powers",
        "<svg",
        "<p>30 of them",
        "counted 1 times",
    ];
    let places = places.map(|part| {
        first
            .find(part)
            .unwrap_or_else(|| panic!("{part}: {first}"))
    });
    assert!(places.is_sorted());
    assert_eq!(page("").await, first);
    // Another value of the field is another page, and is made once too.
    let longer = page("?powers=1000").await;
    assert!(longer.contains("<p>301 of them"), "{longer}");
    assert!(longer.contains("value=1000"), "{longer}");
    assert_eq!(page("?powers=1000&unknown=1").await, longer);
    // The first one is still there; only the counter tells.
    assert_eq!(page("").await, first.replace("counted 1", "counted 2"));
}
