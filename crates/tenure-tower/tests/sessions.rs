//! Sessions of a web service (R5, S2): cookies that expire or are flushed, connections that drop.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Response, StatusCode};
use axum::routing::{any, get};
use futures_util::{SinkExt, StreamExt};
use tenure::{Cause, Info, Session, cache_resource};
use tenure_tower::{SessionLayer, per_connection};
use tower::ServiceExt;
use tower_sessions::{Expiry, MemoryStore, SessionManagerLayer};

type App = Router;

fn app(routes: Router, expiry: Expiry) -> App {
    let cookies = SessionManagerLayer::new(MemoryStore::default())
        .with_secure(false)
        .with_expiry(expiry);
    routes.layer(SessionLayer::new()).layer(cookies)
}

fn minutes(minutes: i64) -> Expiry {
    Expiry::OnInactivity(time::Duration::minutes(minutes))
}

async fn send(app: &App, path: &str, cookie: Option<&str>) -> Response<Body> {
    let mut request = Request::builder().uri(path);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    let request = request.body(Body::empty()).unwrap();
    let answer: Result<_, Infallible> = app.clone().oneshot(request).await;
    answer.unwrap()
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Response<Body>) -> Option<String> {
    let set = answer.headers().get(SET_COOKIE)?.to_str().unwrap();
    Some(set.split(';').next().unwrap().to_owned())
}

async fn until(mut ended: impl FnMut() -> bool) {
    while !ended() {
        tokio::task::yield_now().await;
    }
}

fn ended(info: &Info) -> u64 {
    info.released(Cause::SessionEnded)
}

#[tokio::test]
async fn r5_a_cookie_is_a_session() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }

    let routes = Router::new()
        .route("/", get(async || basket().await.to_string()))
        .route(
            "/out",
            get(async |session: axum::Extension<tower_sessions::Session>| {
                let _ = basket().await;
                session.flush().await.unwrap();
            }),
        );
    let app = app(routes, minutes(10));
    let alice = cookie(&send(&app, "/", None).await).unwrap();
    let bob = cookie(&send(&app, "/", None).await).unwrap();
    assert_ne!(alice, bob);
    let again = send(&app, "/", Some(&alice)).await;
    assert_eq!((again.status(), cookie(&again)), (StatusCode::OK, None));
    assert_eq!((basket::info().builds, basket::info().hits), (2, 1));
    // Out means out: at once, and for this session alone.
    send(&app, "/out", Some(&alice)).await;
    assert_eq!((basket::info().entries, ended(&basket::info())), (1, 1));
    let anew = send(&app, "/", Some(&alice)).await;
    assert_ne!(cookie(&anew).unwrap(), alice);
    assert_eq!(basket::info().builds, 3);
    // With the layer, its sessions go.
    drop(app);
    assert_eq!(ended(&basket::info()), 3);
}

#[tokio::test(start_paused = true)]
async fn s2_an_expired_cookie_ends_its_session_with_nobody_calling() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }

    let routes = Router::new().route("/", get(async || basket().await.to_string()));
    let app = app(routes, minutes(10));
    send(&app, "/", None).await;
    tokio::time::advance(Duration::from_secs(5 * 60)).await;
    let bob = cookie(&send(&app, "/", None).await).unwrap();
    assert_eq!(ended(&basket::info()), 0);
    tokio::time::advance(Duration::from_secs(5 * 60 + 1)).await;
    until(|| ended(&basket::info()) == 1).await;
    send(&app, "/", Some(&bob)).await;
    assert_eq!(basket::info().hits, 1);
    tokio::time::advance(Duration::from_secs(10 * 60 + 1)).await;
    until(|| ended(&basket::info()) == 2).await;
}

#[tokio::test(start_paused = true)]
async fn s2_a_request_that_uses_its_session_renews_it() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }

    let routes = Router::new()
        .route("/", get(async || basket().await.to_string()))
        .route("/health", get(async || "healthy"));
    let app = app(routes, minutes(10));
    let alice = cookie(&send(&app, "/", None).await).unwrap();
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(8 * 60)).await;
        let answer = send(&app, "/", Some(&alice)).await;
        assert_eq!(cookie(&answer).as_ref(), Some(&alice)); // saved, and good for another ten minutes
        let again = send(&app, "/", Some(&alice)).await;
        assert_eq!(cookie(&again), None); // not saved for nothing
    }
    assert_eq!((basket::info().builds, basket::info().hits), (1, 6));
    // What does not use it does not renew it.
    tokio::time::advance(Duration::from_secs(8 * 60)).await;
    assert_eq!(cookie(&send(&app, "/health", Some(&alice)).await), None);
    tokio::time::advance(Duration::from_secs(2 * 60 + 1)).await;
    until(|| ended(&basket::info()) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn s2_a_request_that_outlasts_a_logout_does_not_bring_the_session_back() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }
    static LEFT: tokio::sync::Notify = tokio::sync::Notify::const_new();

    let slow = async || {
        let _ = basket().await;
        LEFT.notified().await;
    };
    let out = async |session: axum::Extension<tower_sessions::Session>| {
        session.flush().await.unwrap();
    };
    let routes = Router::new()
        .route("/", get(async || basket().await.to_string()))
        .route("/slow", get(slow))
        .route("/out", get(out));
    let app = app(routes, minutes(10));
    let alice = cookie(&send(&app, "/", None).await).unwrap();
    tokio::time::advance(Duration::from_secs(5 * 60)).await;
    let (client, hers) = (app.clone(), alice.clone());
    let slow = tokio::spawn(async move { send(&client, "/slow", Some(&hers)).await });
    until(|| basket::info().hits == 1).await;
    send(&app, "/out", Some(&alice)).await;
    LEFT.notify_one();
    slow.await.unwrap();
    // Her cookie is good for nothing now.
    let anew = cookie(&send(&app, "/", Some(&alice)).await).unwrap();
    assert_ne!(anew, alice);
    assert_eq!((basket::info().builds, ended(&basket::info())), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn s2_a_request_that_renews_its_session_undoes_nothing_in_it() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }
    static LEFT: tokio::sync::Notify = tokio::sync::Notify::const_new();
    type Held = axum::Extension<tower_sessions::Session>;

    let slow = async || {
        let _ = basket().await;
        LEFT.notified().await;
    };
    let routes = Router::new()
        .route("/", get(async || basket().await.to_string()))
        .route("/slow", get(slow))
        .route(
            "/in",
            get(async |session: Held| session.insert("user", "alice").await.unwrap()),
        )
        .route(
            "/me",
            get(async |session: Held| session.get::<String>("user").await.unwrap().unwrap()),
        );
    let app = app(routes, minutes(10));
    let alice = cookie(&send(&app, "/", None).await).unwrap();
    tokio::time::advance(Duration::from_secs(5 * 60)).await;
    let (client, hers) = (app.clone(), alice.clone());
    let slow = tokio::spawn(async move { send(&client, "/slow", Some(&hers)).await });
    until(|| basket::info().hits == 1).await;
    send(&app, "/in", Some(&alice)).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    LEFT.notify_one();
    assert!(cookie(&slow.await.unwrap()).is_some()); // renewed
    let me = send(&app, "/me", Some(&alice)).await;
    assert_eq!(me.status(), StatusCode::OK); // and still logged in
}

#[tokio::test]
async fn s2_a_request_without_use_of_its_session_sets_no_cookie() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }

    let flush = async |session: axum::Extension<tower_sessions::Session>| {
        let _ = basket().await;
        session.flush().await.unwrap();
    };
    let routes = Router::new()
        .route("/health", get(async || "healthy"))
        .route("/", get(async || basket().await.to_string()))
        .route("/flush", get(flush))
        .route("/who", get(async || format!("{:?}", Session::current())));
    let app = app(routes, minutes(10));
    // A cookie goes with a record in the store: without the one there is none of the other.
    assert_eq!(cookie(&send(&app, "/health", None).await), None);
    assert!(cookie(&send(&app, "/who", None).await).is_some());
    let alice = cookie(&send(&app, "/", None).await).unwrap();
    assert_eq!(cookie(&send(&app, "/health", Some(&alice)).await), None);
    send(&app, "/", Some(&alice)).await;
    assert_eq!((basket::info().builds, basket::info().hits), (1, 1));
    // Used and flushed in one request.
    assert_eq!(cookie(&send(&app, "/flush", None).await), None);
    assert_eq!((basket::info().builds, ended(&basket::info())), (2, 1));
}

#[tokio::test]
async fn s2_a_task_that_carries_an_unused_session_has_it_to_itself() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }
    static ANSWERED: tokio::sync::Notify = tokio::sync::Notify::const_new();

    let begin = async || {
        tokio::spawn(tenure::carry(async {
            ANSWERED.notified().await;
            basket().await.to_string()
        }));
    };
    let app = app(Router::new().route("/", get(begin)), minutes(10));
    assert_eq!(cookie(&send(&app, "/", None).await), None);
    ANSWERED.notify_one();
    until(|| ended(&basket::info()) == 1).await; // with the task
}

#[tokio::test(start_paused = true)]
async fn s2_a_request_that_saves_its_session_renews_it() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }

    let routes = Router::new().route("/", get(async || basket().await.to_string()));
    let cookies = SessionManagerLayer::new(MemoryStore::default())
        .with_secure(false)
        .with_always_save(true)
        .with_expiry(minutes(10));
    let app = routes
        .layer(SessionLayer::new().with_always_save(true))
        .layer(cookies);
    let alice = cookie(&send(&app, "/", None).await).unwrap();
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(8 * 60)).await;
        send(&app, "/", Some(&alice)).await;
    }
    assert_eq!((basket::info().builds, basket::info().hits), (1, 3));
    tokio::time::advance(Duration::from_secs(10 * 60 + 1)).await;
    until(|| ended(&basket::info()) == 1).await;
}

#[tokio::test]
async fn s2_a_visitor_who_never_got_the_cookie_leaves_nothing_behind() {
    #[cache_resource(scope = "session")]
    async fn basket() -> u32 {
        7
    }

    let fail = async || {
        let _ = basket().await;
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let hang = async || {
        let _ = basket().await;
        std::future::pending::<()>().await;
    };
    let routes = Router::new()
        .route("/fail", get(fail))
        .route("/hang", get(hang));
    let app = app(routes, minutes(10));
    send(&app, "/fail", None).await;
    assert_eq!((basket::info().builds, ended(&basket::info())), (1, 1));
    let client = tokio::spawn(async move { send(&app, "/hang", None).await });
    until(|| basket::info().builds == 2).await;
    client.abort();
    until(|| ended(&basket::info()) == 2).await;
}

#[tokio::test]
async fn r5_without_cookies_the_service_still_serves() {
    let routes = Router::new().route("/", get(async || format!("{:?}", Session::current())));
    let app = routes.layer(SessionLayer::new());
    assert_eq!(send(&app, "/", None).await.status(), StatusCode::OK);
}

/// Starts a server on a free port of this machine.
async fn listen(routes: Router) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes.into_make_service()).await });
    address
}

#[tokio::test]
async fn s2_a_connection_that_drops_ends_its_session() {
    #[cache_resource(scope = "session")]
    async fn cursor() -> std::sync::Mutex<u32> {
        std::sync::Mutex::new(0)
    }

    async fn serve(mut socket: WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(_) = message {
                let count = {
                    let cursor = cursor().await;
                    let mut count = cursor.lock().unwrap();
                    *count += 1;
                    *count
                };
                let answer = Message::text(count.to_string());
                if socket.send(answer).await.is_err() {
                    return;
                }
            }
        }
    }

    let upgrade = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(|socket| per_connection(serve(socket)))
    };
    let address = listen(Router::new().route("/ws", any(upgrade))).await;
    let connect = async || {
        let url = format!("ws://{address}/ws");
        tokio_tungstenite::connect_async(url).await.unwrap().0
    };
    let mut one = connect().await;
    let mut two = connect().await;
    for (client, expected) in [(0, "1"), (0, "2"), (1, "1"), (0, "3")] {
        let client = if client == 0 { &mut one } else { &mut two };
        client.send("next".into()).await.unwrap();
        let answer = client.next().await.unwrap().unwrap();
        assert_eq!(answer.into_text().unwrap().as_str(), expected);
    }
    assert_eq!(cursor::info().entries, 2);
    // Without a word of goodbye.
    drop(one);
    until(|| ended(&cursor::info()) == 1).await;
    two.close(None).await.unwrap();
    until(|| ended(&cursor::info()) == 2).await;
    assert_eq!(cursor::info().entries, 0);
}

#[tokio::test]
async fn s2_a_connection_that_is_aborted_ends_its_session() {
    #[cache_resource(scope = "session")]
    async fn cursor() -> u32 {
        7
    }

    let task = tokio::spawn(per_connection(async {
        // A task that goes on does not keep the connection's session alive.
        tokio::spawn(tenure::carry(std::future::pending::<()>()));
        let _ = cursor().await;
        std::future::pending::<()>().await;
    }));
    until(|| cursor::info().entries == 1).await;
    task.abort();
    until(|| ended(&cursor::info()) == 1).await;
}
