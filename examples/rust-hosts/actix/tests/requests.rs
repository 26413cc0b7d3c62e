//! The service on a port, with real requests on connections that the test opens and closes (R5).
//!
//! One test: the cached functions are the process's, and so are their figures.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer};
use tenure_actix_example::{CLOSED, basket, connected, pool, routes, seen, visitor};

/// One connection, and the cookie that it has been given.
struct Client {
    stream: TcpStream,
    cookie: String,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self {
            stream,
            cookie: String::new(),
        }
    }

    /// Sends a request and gives the status and the body of its response.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let length = body.len();
        write!(
            self.stream,
            "{method} {path} HTTP/1.1\r\nhost: here\r\ncookie: {}\r\ncontent-length: {length}\r\n\r\n{body}",
            self.cookie
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut length = 0;
        for line in head.lines() {
            let (name, value) = line.split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "set-cookie" => self.cookie = value.split(';').next().unwrap().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

/// Waits for what another thread brings about, and says what did not come.
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn r5_actix_workers_share_a_pool_and_sessions_end_with_cookies_and_connections() {
    let (told, hear) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(|| App::new().configure(routes))
                .on_connect(connected)
                .workers(2)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
            let address = server.addrs()[0];
            let running = server.run();
            told.send((address, running.handle())).unwrap();
            running.await.unwrap();
        });
    });
    let (address, handle) = hear.recv().unwrap();

    // Connections go to the workers in turn: two workers, each a runtime of its own, and one pool.
    let mut alice = Client::new(address);
    let mut bob = Client::new(address);
    for client in [&mut alice, &mut bob, &mut Client::new(address)] {
        assert_eq!(client.ask("GET", "/stock", ""), (200, "42".to_owned()));
    }
    assert_eq!((pool::info().builds, pool::info().hits), (1, 2));

    // A visitor is a cookie, on whatever connection it comes.
    assert_eq!(alice.ask("POST", "/basket", "pears").1, "pears");
    assert_eq!(bob.ask("POST", "/basket", "nuts").1, "nuts");
    let mut again = Client::new(address);
    again.cookie = alice.cookie.clone();
    assert_eq!(again.ask("POST", "/basket", "plums").1, "pears, plums");
    assert_eq!((basket::info().entries, visitor::info().entries), (2, 2));

    // A cookie that nobody was given is nobody's: its bearer gets another one.
    let mut mallory = Client::new(address);
    mallory.cookie = "visitor=made-up".to_owned();
    assert_eq!(mallory.ask("POST", "/basket", "cake").1, "cake");
    assert!(!mallory.cookie.contains("made-up"), "{}", mallory.cookie);
    assert!(!visitor::contains("made-up"));

    // Who logs out leaves nothing behind, and the old cookie is nobody's from then on.
    let old = alice.cookie.clone();
    assert_eq!(alice.ask("POST", "/out", "").0, 204);
    assert_eq!((basket::info().entries, visitor::info().entries), (2, 2));
    again.cookie = old.clone();
    assert_eq!(again.ask("POST", "/basket", "new").1, "new");
    assert_ne!(again.cookie, old);

    // What a connection has is released when it is closed, by whichever side.
    assert_eq!(bob.ask("POST", "/seen", "").1, "1");
    assert_eq!(bob.ask("POST", "/seen", "").1, "2");
    assert_eq!(again.ask("POST", "/seen", "").1, "1");
    assert_eq!(seen::info().entries, 2);
    drop(again);
    until("the connection's own is released", || {
        seen::info().entries == 1
    });

    // The workers end, and with them the runtime that the pool was built on. It is closed all the same.
    actix_web::rt::System::new().block_on(handle.stop(true));
    server.join().unwrap();
    drop((alice, bob, mallory));
    assert_eq!(CLOSED.load(Ordering::SeqCst), 0);
    assert!(actix_web::rt::System::new().block_on(tenure::shutdown_async()));
    assert_eq!(CLOSED.load(Ordering::SeqCst), 1);
    assert_eq!(
        (
            basket::info().entries,
            visitor::info().entries,
            seen::info().entries
        ),
        (0, 0, 0)
    );
}
