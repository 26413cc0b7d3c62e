//! The layer that has each request serve the session of its cookie.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tenure::Visit;
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions_core::Session as Cookie;
use tower_sessions_core::session::{Error, Id};

use crate::live::Live;

/// Under what name our key stands in the cookie's session.
const KEY: &str = "tenure.session";

/// Has each request serve the session of its cookie; goes inside a `SessionManagerLayer` of
/// tower-sessions, which means above it in axum's `Router`.
///
/// A user is given a cookie by the first request that asks for the session: that calls a function of
/// `scope = "session"`, or [`Session::current`](tenure::Session::current). Other requests, a health check say, set none and
/// leave nothing in the store. All clones of a layer share their sessions.
///
/// A session ends when its cookie's does: at its expiry, or when a handler flushes or clears it. An expiry after inactivity
/// counts from the last request that asked for the session, as if that had modified it; so such a request saves it in the
/// store, unless less than a hundredth of the time has passed since it was saved. With
/// [`with_always_save`](Self::with_always_save), said to both layers, every request renews it.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tenure::Session;
/// use tenure_tower::SessionLayer;
/// use tower::ServiceExt;
/// use tower_sessions::{MemoryStore, SessionManagerLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = Router::new()
///     .route("/", get(async || assert!(Session::current().is_some())))
///     .layer(SessionLayer::new())
///     .layer(SessionManagerLayer::new(MemoryStore::default()));
///
/// let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
/// assert!(response.headers().contains_key("set-cookie"));
/// # }
/// ```
#[derive(Clone, Default)]
pub struct SessionLayer {
    live: Arc<Live>,
    always_save: bool,
}

impl SessionLayer {
    /// A layer without sessions yet.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use axum::http::{Request, Response};
    /// # use tenure::Session;
    /// # use tenure_tower::SessionLayer;
    /// # use tower::{Layer, ServiceExt, service_fn};
    /// # use tower_sessions::{MemoryStore, SessionManagerLayer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let answer = service_fn(|_: Request<()>| async {
    /// #     Ok::<_, Infallible>(Response::new(Session::current()))
    /// # });
    /// # let cookies = SessionManagerLayer::new(MemoryStore::default());
    /// let sessions = SessionLayer::new();
    /// let service = cookies.layer(sessions.layer(answer)); // answers with its session
    /// let session = service.oneshot(Request::new(())).await.unwrap().into_body().unwrap();
    /// assert!(!session.has_ended()); // it outlives the request, for the next one
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether every request renews its session, as `SessionManagerLayer::with_always_save` has
    /// it.
    ///
    /// ```
    /// use tenure_tower::SessionLayer;
    /// use tower_sessions::{MemoryStore, SessionManagerLayer};
    ///
    /// let cookies = SessionManagerLayer::new(MemoryStore::default()).with_always_save(true);
    /// let sessions = SessionLayer::new().with_always_save(true);
    /// # assert!(format!("{sessions:?}").contains("always_save: true"));
    /// ```
    #[must_use]
    pub fn with_always_save(mut self, always_save: bool) -> Self {
        self.always_save = always_save;
        self
    }
}

impl std::fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLayer")
            .field("always_save", &self.always_save)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service around which [`SessionLayer`] has put the cookie's session.
///
/// ```
/// use std::convert::Infallible;
///
/// use axum::http::{Request, Response};
/// use tenure_tower::{SessionLayer, SessionService};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let hello = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("hello")) });
/// let service: SessionService<_> = SessionLayer::new().layer(hello);
/// // Without a cookie layer around it an error is logged, and the request is served.
/// let response = service.oneshot(Request::new(())).await.unwrap();
/// assert_eq!(*response.body(), "hello");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    layer: SessionLayer,
}

impl<S, In, Out> Service<Request<In>> for SessionService<S>
where
    S: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    In: Send + 'static,
    Out: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        // The one that is ready serves; its clone waits for the next request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let Some(cookie) = request.extensions().get::<Cookie>().cloned() else {
                tracing::error!(
                    "no cookie session: put `SessionLayer` inside a `SessionManagerLayer`"
                );
                return inner.call(request).await;
            };
            let served = match Served::begin(layer, cookie).await {
                Ok(served) => served,
                Err(error) => {
                    tracing::error!(%error, "the cookie session could not be read");
                    return inner.call(request).await;
                }
            };
            let serving = served
                .visit
                .attach(async move { inner.call(request).await });
            let response = serving.await?;
            let saved = !response.status().is_server_error();
            if let Err(error) = served.end(saved).await {
                tracing::error!(%error, "the cookie session could not be kept");
            }
            Ok(response)
        })
    }
}

/// A request that is served in a session.
struct Served {
    layer: SessionLayer,
    cookie: Cookie,
    key: String,
    visit: Visit,
    /// Whether the client has the cookie, with our key behind it.
    known: bool,
    /// Nobody comes back to the session.
    over: bool,
}

impl Served {
    async fn begin(layer: SessionLayer, cookie: Cookie) -> Result<Self, Error> {
        let known = cookie.get::<String>(KEY).await?;
        let (key, known) = match known {
            Some(key) => (key, true),
            // As unguessable as the cookie, and steady where the cookie's id is cycled.
            None => (Id::default().to_string(), false),
        };
        let session = if known {
            layer.live.session(&key, expires_in(&cookie))
        } else {
            Live::named(&key)
        };
        Ok(Self {
            layer,
            cookie,
            key,
            visit: session.visit(),
            known,
            over: !known,
        })
    }

    async fn end(mut self, saved: bool) -> Result<(), Error> {
        if self.known {
            self.renew(saved).await
        } else if saved {
            self.give_cookie().await
        } else {
            Ok(())
        }
    }

    /// The client was known when the request came.
    async fn renew(&mut self, saved: bool) -> Result<(), Error> {
        let age = expires_in(&self.cookie);
        let due = self.visit.has_asked() && self.layer.live.is_due(&self.key, age);
        if saved && due && !self.cookie.is_modified() {
            // As it is by now: what is saved below must not undo what another request has done meanwhile, and bring back a
            // session that was flushed least of all.
            self.cookie.load().await?;
        }
        // An error means that the store is gone, not that the session is.
        if self.cookie.get::<String>(KEY).await?.is_none() {
            self.over = true;
        } else if saved {
            if due {
                // Counts as a modification, so that the layer around saves it.
                self.cookie.set_expiry(self.cookie.expiry());
            }
            if self.layer.always_save || self.cookie.is_modified() {
                self.layer.live.renew(&self.key, age);
            }
        }
        Ok(())
    }

    /// The client has not had the session before, and gets the cookie if it has been asked for.
    async fn give_cookie(&mut self) -> Result<(), Error> {
        if !self.visit.has_asked() {
            // A task that carries it may go on, and is the last who holds it then.
            self.over = false;
            return Ok(());
        }
        // A handler that has touched the cookie's session and left nothing in it has flushed or cleared it.
        let flushed = self.cookie.is_modified() && self.cookie.is_empty().await;
        if !flushed {
            self.cookie.insert(KEY, &self.key).await?;
            let session = self.visit.session().clone();
            let age = expires_in(&self.cookie);
            self.layer.live.keep(&self.key, session, age);
            self.over = false;
        }
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.over {
            self.layer.live.end(&self.key);
            self.visit.session().end();
        }
    }
}

fn expires_in(cookie: &Cookie) -> Duration {
    cookie.expiry_age().try_into().unwrap_or_default()
}
