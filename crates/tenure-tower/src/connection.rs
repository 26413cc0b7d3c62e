//! A connection as a session.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tenure::{Attached, Session};

/// Runs the task of one connection in a session of its own, which ends with the task.
///
/// ```
/// use axum::extract::ws::{WebSocket, WebSocketUpgrade};
/// use axum::response::Response;
/// use tenure_tower::per_connection;
///
/// async fn serve(mut socket: WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         // Cached functions with `scope = "session"` are this connection's here.
///     }
/// }
///
/// async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(|socket| per_connection(serve(socket)))
/// }
/// ```
///
/// A task that is dropped, because its connection is lost, ends its session too:
///
/// ```
/// # use std::future::{Future, pending};
/// # use std::task::{Context, Waker};
/// # use tenure::Session;
/// # use tenure_tower::per_connection;
/// let mut session = None;
/// let mut task = Box::pin(per_connection(async {
///     session = Session::current();
///     pending::<()>().await;
/// }));
/// let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
/// drop(task);
/// assert!(session.unwrap().has_ended());
/// ```
///
/// A connection that is to share its user's session runs in that one instead:
///
/// ```
/// # use axum::extract::ws::{WebSocket, WebSocketUpgrade};
/// # use axum::response::Response;
/// # async fn serve(socket: WebSocket) {}
/// async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
///     let user = tenure::Session::current().expect("the layer is there");
///     upgrade.on_upgrade(async move |socket| user.attach(serve(socket)).await)
/// }
/// ```
pub fn per_connection<T: Future>(task: T) -> PerConnection<T> {
    let session = Session::new();
    PerConnection {
        task: Some(session.attach(task)),
        session: Ended(session),
    }
}

pin_project! {
    /// The task of a connection, in its session; see [`per_connection`].
    ///
    /// ```
    /// use tenure::Session;
    /// use tenure_tower::{PerConnection, per_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let task: PerConnection<_> = per_connection(async {
    ///     let session = Session::current().unwrap();
    ///     assert!(!session.has_ended());
    ///     session
    /// });
    /// assert!(task.await.has_ended()); // with its task
    /// # }
    /// ```
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct PerConnection<T> {
        // Dropped before the session ends, so that its leases are gone by then.
        #[pin]
        task: Option<Attached<T>>,
        session: Ended,
    }
}

struct Ended(Session);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<T: Future> Future for PerConnection<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let mut this = self.project();
        let task = this.task.as_mut().as_pin_mut();
        let output = ready!(task.expect("polled after its end").poll(cx));
        this.task.set(None);
        this.session.0.end();
        Poll::Ready(output)
    }
}

impl<T> fmt::Debug for PerConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerConnection")
            .field(&self.session.0)
            .finish()
    }
}
