//! A shop on actix-web: one pool for all its workers, a basket for each visitor, and notes for each connection.
//!
//! | Request | Does |
//! |---|---|
//! | `GET /stock` | asks the pool, which all workers share |
//! | `POST /basket` | puts the body into the visitor's basket, and answers with what is in it |
//! | `POST /out` | ends the visitor's session: the basket is released |
//! | `POST /seen` | counts the requests of this connection, and only of this one |
//!
//! actix-web has two places where a session begins and ends, and neither needs a crate beside `tenure`: a middleware
//! ([`visited`]), which attaches a request to the session of its cookie; and `HttpServer::on_connect` ([`connected`]), whose
//! data goes when the connection does.

use std::any::Any;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpRequest, HttpResponse, web};
use tenure::{Session, Shared, cache_resource};
use uuid::Uuid;

/// A pool that the requests of all workers share. Tenure builds it once, whichever worker is asked first.
pub struct Pool {
    permits: tokio::sync::Semaphore,
}

impl Pool {
    async fn open(_url: &str) -> std::io::Result<Self> {
        tokio::task::yield_now().await; // connects
        Ok(Self {
            permits: tokio::sync::Semaphore::new(4),
        })
    }

    async fn in_stock(&self) -> u32 {
        let _permit = self.permits.acquire().await;
        42
    }

    /// Async, and run after the server's workers have ended: see "Workers" in the guide.
    async fn close(self) {
        tokio::task::yield_now().await; // says goodbye
        self.permits.close();
        CLOSED.fetch_add(1, Ordering::SeqCst);
    }
}

/// The number of pools that have been closed, for whoever wants to see it.
pub static CLOSED: AtomicUsize = AtomicUsize::new(0);

#[cache_resource(ttl = "1h", on_release = Pool::close)]
pub async fn pool(url: &str) -> std::io::Result<Pool> {
    Pool::open(url).await
}

/// The visitor's basket: of their own session, and released with it.
#[cache_resource(scope = "session")]
pub fn basket() -> Mutex<Vec<String>> {
    Mutex::default()
}

/// The number of requests that a connection has had.
#[cache_resource(scope = "session")]
pub fn seen() -> AtomicUsize {
    AtomicUsize::new(0)
}

/// The sessions of the cookies that are out there. A session ends with its last handle, and this holds it: a visitor who
/// has asked for nothing in twenty minutes has left.
#[cache_resource(max_idle = "20m")]
pub fn visitor(id: &str) -> Session {
    Session::named(id)
}

const COOKIE: &str = "visitor";

/// Serves a request in the session of its cookie; whoever comes without one, or with one that has ended, gets a new one.
///
/// # Errors
///
/// Those of what it is around.
pub async fn visited(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    // An id that is not known here is nobody's: a session is never begun under a name that a client has made up.
    let known = request
        .cookie(COOKIE)
        .filter(|it| visitor::contains(it.value()));
    let id = known.map_or_else(|| Uuid::new_v4().to_string(), |it| it.value().to_owned());
    let session = visitor(&id);
    let mut response = session.attach(next.call(request)).await?;
    if session.has_ended() {
        let mut gone = Cookie::new(COOKIE, "");
        gone.make_removal();
        response.response_mut().add_cookie(&gone)?;
    } else {
        let cookie = Cookie::build(COOKIE, id)
            .http_only(true)
            .same_site(SameSite::Lax);
        response.response_mut().add_cookie(&cookie.finish())?;
    }
    Ok(response)
}

/// Begins a session for each connection: `HttpServer::on_connect(connected)`. It ends when the connection is closed, which
/// drops its only handle.
pub fn connected(_connection: &dyn Any, data: &mut Extensions) {
    data.insert(Session::new());
}

async fn stock() -> Result<String, Error> {
    let pool = pool("db://here")
        .await
        .map_err(|error: Shared<_>| actix_web::error::ErrorServiceUnavailable(error.to_string()))?;
    Ok(pool.in_stock().await.to_string())
}

async fn add(item: String) -> String {
    let basket = basket();
    let mut basket = basket.lock().unwrap_or_else(|it| it.into_inner());
    basket.push(item);
    basket.join(", ")
}

async fn out() -> HttpResponse {
    if let Some(session) = Session::current() {
        // Its entry in `visitor` holds an ended session from now on, and goes too.
        visitor::clear_entry(session.name().unwrap_or_default());
        session.end();
    }
    HttpResponse::NoContent().finish()
}

async fn count(request: HttpRequest) -> String {
    match request.conn_data::<Session>() {
        Some(connection) => {
            connection.run(|| (seen().fetch_add(1, Ordering::Relaxed) + 1).to_string())
        }
        None => "this server does not know its connections".to_owned(),
    }
}

/// The routes of a server: `App::new().configure(routes)`.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/stock", web::get().to(stock))
        .route("/seen", web::post().to(count))
        .service(
            web::scope("")
                .wrap(from_fn(visited))
                .route("/basket", web::post().to(add))
                .route("/out", web::post().to(out)),
        );
}
