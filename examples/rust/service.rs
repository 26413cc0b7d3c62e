//! A web service: one pool of database connections for all, and for each user and each WebSocket a
//! SQLite connection of its own.
//!
//! ```text
//! cargo run -p tenure-examples --bin service -- 127.0.0.1:3000 notes.db
//! ```
//!
//! | Request | Does |
//! |---|---|
//! | `GET /notes` | lists what all users have published |
//! | `POST /drafts` | adds the body to the user's drafts, which only their connection sees |
//! | `GET /drafts` | lists them |
//! | `POST /publish` | publishes them |
//! | `POST /out` | ends the user's session: their connection is closed |
//! | `GET /live` | a WebSocket: each message is a search in the notes, on the socket's connection |
//! | `GET /info` | the figures of both caches |
//!
//! Ctrl-C and SIGTERM end it: requests under way are answered, then every connection is closed.

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get, post};
use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use r2d2_sqlite::rusqlite::{self, Connection};
use tenure::{Shared, cache_resource};
use tenure_tower::{SessionLayer, per_connection};
use tokio::net::TcpListener;
use tower_sessions::{Expiry, MemoryStore, SessionManagerLayer};

/// Where the database is. Cheap to clone, and part of every key.
#[derive(Clone, tenure::CacheKey)]
struct Database(std::sync::Arc<str>);

/// What every connection makes sure of, whichever comes first.
const SCHEMA: &str =
    "pragma journal_mode = wal; create table if not exists notes (text text not null);";

/// The pool that all requests share: renewed each hour, and at once when it no longer answers.
#[cache_resource(ttl = "1h", validate = answers, drain = "10s", show_spinner = false)]
fn pool(database: &Database) -> Result<Pool<SqliteConnectionManager>, r2d2::Error> {
    let manager = SqliteConnectionManager::file(&*database.0)
        .with_init(|connection| connection.execute_batch(SCHEMA));
    // Opened when they are asked for: in advance the pool opens them on threads of its own, which a pool that is closed
    // does not wait for.
    Pool::builder().max_size(4).min_idle(Some(0)).build(manager)
}

fn answers(pool: &Pool<SqliteConnectionManager>) -> bool {
    let connection = pool.get();
    connection.is_ok_and(|it| it.execute_batch("select 1").is_ok())
}

/// The connection of one user or one WebSocket, with drafts that no other connection sees.
#[cache_resource(scope = "session", on_release = close, show_spinner = false)]
fn own_connection(database: &Database) -> rusqlite::Result<Mutex<Connection>> {
    let connection = Connection::open(&*database.0)?;
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch("create temporary table drafts (text text not null);")?;
    Ok(Mutex::new(connection))
}

fn close(connection: Mutex<Connection>) -> rusqlite::Result<()> {
    let connection = connection.into_inner().unwrap_or_else(|it| it.into_inner());
    connection.close().map_err(|(_, error)| error)
}

/// What a handler fails with: what went wrong goes to the log, the client learns that it did.
struct Failure(Box<dyn std::error::Error>);

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("{}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

type Answer = Result<String, Failure>;

fn lines(connection: &Connection, query: &str, like: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(query)?;
    statement.query_map([like], |row| row.get(0))?.collect()
}

async fn notes(State(database): State<Database>) -> Answer {
    let connection = pool(&database)?.get()?;
    Ok(lines(
        &connection,
        "select text from notes where text like ?1",
        "%",
    )?
    .join("\n"))
}

/// Does something with the connection of the session that this code serves.
fn with_own<T>(
    database: &Database,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, Failure> {
    let connection = own_connection(database).map_err(|error: Shared<_>| Failure(error.into()))?;
    let connection = connection.lock().map_err(|error| error.to_string())?;
    Ok(work(&connection)?)
}

async fn drafts(State(database): State<Database>) -> Answer {
    let list = |it: &Connection| lines(it, "select text from drafts where text like ?1", "%");
    Ok(with_own(&database, list)?.join("\n"))
}

async fn add_draft(State(database): State<Database>, text: String) -> Result<(), Failure> {
    with_own(&database, |it| {
        it.execute("insert into drafts values (?1)", [text])
    })?;
    Ok(())
}

async fn publish(State(database): State<Database>) -> Result<(), Failure> {
    with_own(&database, |it| {
        it.execute_batch("insert into notes select text from drafts; delete from drafts;")
    })
}

async fn out(session: tower_sessions::Session) -> Result<(), Failure> {
    Ok(session.flush().await?)
}

async fn live(State(database): State<Database>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| per_connection(search(database, socket)))
}

async fn search(database: Database, mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(word) = message else {
            continue;
        };
        let like = format!("%{word}%");
        let query = "select text from notes where text like ?1";
        let answer = match with_own(&database, |it| lines(it, query, &like)) {
            Ok(found) => found.join("\n"),
            Err(failure) => format!("sorry: {}", failure.0),
        };
        if socket.send(Message::text(answer)).await.is_err() {
            return;
        }
    }
}

async fn info() -> String {
    let (pools, own) = (pool::info(), own_connection::info());
    format!(
        "pools {} of {} built, connections {} of {} built\n",
        pools.entries, pools.builds, own.entries, own.builds
    )
}

fn app(database: Database) -> Router {
    let cookies = SessionManagerLayer::new(MemoryStore::default())
        .with_secure(false)
        .with_always_save(true)
        .with_expiry(Expiry::OnInactivity(time::Duration::minutes(20)));
    Router::new()
        .route("/drafts", get(drafts).post(add_draft))
        .route("/publish", post(publish))
        .route("/out", post(out))
        .layer(SessionLayer::new().with_always_save(true))
        .layer(cookies)
        // Below the layers: nothing here needs a cookie.
        .route("/notes", get(notes))
        .route("/live", any(live))
        .route("/info", get(info))
        .with_state(database)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let database = arguments.next().unwrap_or_else(|| "notes.db".to_owned());
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        format!("{address}: {error}. Give another address as the first argument")
    })?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(Database(database.into())))
        .with_graceful_shutdown(stopped())
        .await?;
    // Every connection is closed, and with the last one SQLite's log goes too.
    if !tenure::shutdown_async().await {
        eprintln!("some connections were still in use");
    }
    Ok(())
}

/// Waits until someone wants the program to end: Ctrl-C, or SIGTERM as service managers send it.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminated.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
