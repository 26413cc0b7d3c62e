//! The layer that has each request serve the session of its cookie.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions_core::Session as Cookie;
use tower_sessions_core::session::Id;

use crate::live::Live;

/// Under what name our key stands in the cookie's session.
const KEY: &str = "tenure.session";

/// Has each request serve the session of its cookie; goes inside a `SessionManagerLayer` of
/// tower-sessions, which means above it in axum's `Router`.
///
/// The first request of a user is given a cookie. All clones of a layer share their sessions.
///
/// A session ends when its cookie's does: at its expiry, or when a handler flushes or clears it.
/// As in tower-sessions, an expiry after inactivity counts from the last request that *modified*
/// the session, unless every request saves it: say so to both with
/// [`with_always_save`](Self::with_always_save).
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
            let visit = match Visit::begin(layer, cookie).await {
                Ok(visit) => visit,
                Err(error) => {
                    tracing::error!(%error, "the cookie session could not be read");
                    return inner.call(request).await;
                }
            };
            let session = visit.layer.live.session(&visit.key, visit.expires_in());
            let serving = session.attach(async move { inner.call(request).await });
            let response = serving.await?;
            let saved = !response.status().is_server_error();
            visit.end(saved).await;
            Ok(response)
        })
    }
}

/// One request of a session.
struct Visit {
    layer: SessionLayer,
    cookie: Cookie,
    key: String,
    /// The client does not have the cookie yet, so that nobody will come back if this request
    /// fails or is dropped.
    fresh: bool,
}

impl Visit {
    async fn begin(
        layer: SessionLayer,
        cookie: Cookie,
    ) -> Result<Self, tower_sessions_core::session::Error> {
        let known = cookie.get::<String>(KEY).await?;
        let fresh = known.is_none();
        let key = match known {
            Some(key) => key,
            None => {
                // As unguessable as the cookie, and steady where the cookie's id is cycled.
                let key = Id::default().to_string();
                cookie.insert(KEY, &key).await?;
                key
            }
        };
        Ok(Self {
            layer,
            cookie,
            key,
            fresh,
        })
    }

    fn expires_in(&self) -> Duration {
        self.cookie.expiry_age().try_into().unwrap_or_default()
    }

    async fn end(mut self, saved: bool) {
        // An error means that the store is gone, not that the session is.
        let flushed = matches!(self.cookie.get::<String>(KEY).await, Ok(None));
        if flushed {
            self.fresh = true;
        } else if saved {
            if self.layer.always_save || self.cookie.is_modified() {
                self.layer.live.renew(&self.key, self.expires_in());
            }
            self.fresh = false;
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.fresh {
            self.layer.live.end(&self.key);
        }
    }
}
