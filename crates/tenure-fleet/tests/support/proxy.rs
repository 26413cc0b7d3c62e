//! A proxy between a member and its server, which can do what networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What it does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Forward,
    /// Keeps the connections, and lets nothing through: what is sent waits.
    Hold,
    /// Keeps them towards the member, has left the server, and says nothing: half open.
    HalfOpen,
    /// Ends them, and takes no new ones.
    Cut,
    /// Lets what comes from the server through, a few bytes at a time.
    Trickle,
}

pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    mode: Mutex<Mode>,
    changed: Condvar,
    /// The member's side and the server's side of each connection.
    pairs: Mutex<Vec<(TcpStream, TcpStream)>>,
    server: u16,
}

impl Proxy {
    pub fn new(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Forward),
            changed: Condvar::new(),
            pairs: Mutex::new(Vec::new()),
            server,
        });
        let accepting = state.clone();
        thread::spawn(move || {
            for member in listener.incoming().flatten() {
                accepting.take(member);
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
        let pairs = self.state.pairs.lock().unwrap();
        for (member, server) in &*pairs {
            if mode == Mode::Cut {
                let _ = member.shutdown(Shutdown::Both);
            }
            if matches!(mode, Mode::Cut | Mode::HalfOpen) {
                let _ = server.shutdown(Shutdown::Both);
            }
        }
        self.state.changed.notify_all();
    }
}

impl State {
    fn take(self: &Arc<Self>, member: TcpStream) {
        if *self.mode.lock().unwrap() == Mode::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.server)) else {
            return;
        };
        member.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        self.pairs
            .lock()
            .unwrap()
            .push((member.try_clone().unwrap(), server.try_clone().unwrap()));
        let (from, to) = (member.try_clone().unwrap(), server.try_clone().unwrap());
        let up = self.clone();
        thread::spawn(move || up.carry(from, to, false));
        let down = self.clone();
        thread::spawn(move || down.carry(server, member, true));
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, down: bool) {
        let mut bytes = [0; 4096];
        loop {
            let many = from.read(&mut bytes);
            let mode = {
                let mut mode = self.mode.lock().unwrap();
                while *mode == Mode::Hold {
                    mode = self.changed.wait(mode).unwrap();
                }
                *mode
            };
            let many = many.unwrap_or(0);
            if many == 0 {
                if mode != Mode::HalfOpen {
                    let _ = to.shutdown(Shutdown::Write);
                }
                break;
            }
            let piece = if mode == Mode::Trickle && down {
                3
            } else {
                many
            };
            for part in bytes[..many].chunks(piece) {
                if piece < many {
                    thread::sleep(Duration::from_micros(200));
                }
                if to.write_all(part).is_err() {
                    return;
                }
            }
        }
    }
}
