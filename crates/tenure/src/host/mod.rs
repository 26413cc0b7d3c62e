//! The host seam: what the engine asks of the program it runs in, and nothing more.
//!
//! A terminal, a web service, an app server and the tests are hosts. A process without one works.

pub(crate) mod observe;
pub(crate) mod record;
pub(crate) mod shown;

use crate::host::record::{Observed, Recording};
use crate::key::Encoder;
use crate::words::error::Interrupt;

/// Names a session; a host's own spelling.
///
/// ```
/// let session: tenure::SessionId = "cookie-4711".into();
/// assert_eq!(&*session, "cookie-4711");
/// ```
pub type SessionId = std::sync::Arc<str>;

/// A build that begins, or a wait for one, as a host is told of it.
///
/// ```
/// # use std::sync::{Arc, Mutex};
/// # use tenure::{
/// #     Engine, Function, Host, HostBuild, Interrupt, KeyRef, Recording, SessionId, Settings, Spinner,
/// # };
/// use tenure::BuildStart;
///
/// fn line(start: &BuildStart<'_>) -> String {
///     start.text.clone().unwrap_or_else(|| start.function.to_owned())
/// }
///
/// # static LINE: Mutex<String> = Mutex::new(String::new());
/// # struct Lines;
/// # impl Host for Lines {
/// #     fn session(&self) -> Result<Option<SessionId>, Interrupt> { Ok(None) }
/// #     fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
/// #         *LINE.lock().unwrap() = line(start);
/// #         Ok(None)
/// #     }
/// #     fn replay(&self, _: &Recording) -> Result<(), Interrupt> { Ok(()) }
/// # }
/// # let engine = Engine::new();
/// # engine.set_host(Some(Arc::new(Lines))); // puts the line into `LINE`
/// let settings = Settings::default().spinner(Spinner::Off);
/// # let pools = Function::<u32, ()>::plain(&engine, "pool", settings).unwrap();
/// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
/// assert_eq!(*LINE.lock().unwrap(), "pool");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BuildStart<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The text of a spinner; `None` shows nothing.
    pub text: Option<String>,
    /// Whether the elapsed time stands next to the text, to 0.1 s.
    pub show_time: bool,
    /// Whether observed inputs count as arguments.
    pub observes: bool,
    /// A caller that waits for another's build records nothing.
    pub waits: bool,
}

/// The program around the cache.
///
/// ```
/// use std::sync::Arc;
/// use tenure::{
///     BuildStart, Cause, Engine, Function, Host, HostBuild, Interrupt, KeyRef, Recording, Scope,
///     SessionId, Settings,
/// };
///
/// /// Serves one user, and shows and records nothing.
/// struct OneUser;
///
/// impl Host for OneUser {
///     fn session(&self) -> Result<Option<SessionId>, Interrupt> {
///         Ok(Some("alice".into()))
///     }
///     fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
///         Ok(None)
///     }
///     fn replay(&self, _: &Recording) -> Result<(), Interrupt> {
///         Ok(())
///     }
/// }
///
/// let engine = Engine::new();
/// engine.set_host(Some(Arc::new(OneUser)));
/// let settings = Settings::default().scope(Scope::Session);
/// let baskets = Function::<u32, ()>::plain(&engine, "basket", settings)?;
/// baskets.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
/// engine.end_session("alice");
/// assert_eq!(baskets.info().released(Cause::SessionEnded), 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub trait Host: Send + Sync + 'static {
    /// The session that the present code serves.
    ///
    /// # Errors
    /// What the host raised.
    fn session(&self) -> Result<Option<SessionId>, Interrupt>;

    /// Whether this session, which the present code has just been said to serve, is over: what the
    /// code builds goes to its callers then and is not kept. Asked when a function first keeps
    /// something for the session, so a host gives a session up before it tells the engine of the
    /// end, and takes it up again before it tells of the return.
    ///
    /// By itself a host has given up a session that it no longer names.
    ///
    /// # Errors
    /// What the host raised; the session counts as over.
    fn has_ended(&self, session: &str) -> Result<bool, Interrupt> {
        Ok(self.session()?.as_deref() != Some(session))
    }

    /// Whether builds that more than one session shares may be built on what is kept for one, as in a
    /// framework that has always let them: a warning is logged once for each function then. Otherwise that
    /// is an error, since everybody would get what belongs to the session that came first.
    ///
    /// # Errors
    /// What the host raised.
    fn lends_sessions(&self) -> Result<bool, Interrupt> {
        Ok(false)
    }

    /// A build begins on this thread, or a wait for one. `None`: nothing to show or to record.
    ///
    /// # Errors
    /// What the host raised; the build does not begin.
    fn begin(
        &self,
        start: &BuildStart<'_>,
    ) -> Result<Option<std::sync::Arc<dyn HostBuild>>, Interrupt>;

    /// Puts a recording out again, for the session that hits.
    ///
    /// # Errors
    /// What the host raised.
    fn replay(&self, recording: &Recording) -> Result<(), Interrupt>;

    /// Writes the present values of observed inputs, as the present session has them. Equal values
    /// must be written equally, and different ones differently.
    ///
    /// # Errors
    /// What the host raised.
    fn observe(&self, observed: &Observed, values: &mut Encoder) -> Result<(), Interrupt> {
        let _ = (observed, values);
        Ok(())
    }

    /// Whether a blocking caller that waits must stop waiting: asked again and again meanwhile. A
    /// task stops waiting when its future is dropped.
    ///
    /// # Errors
    /// What the host wants raised instead.
    fn interrupted(&self) -> Result<(), Interrupt> {
        Ok(())
    }
}

/// A build that a host shows and records.
///
/// ```
/// use tenure::{HostBuild, Recording};
///
/// /// Says when a build shows, and when it is over.
/// struct Line(String);
///
/// impl HostBuild for Line {
///     fn show(&self) {
///         eprintln!("{} …", self.0);
///     }
///     fn end(&self, built: bool) -> Option<Recording> {
///         eprintln!("{}: {}", self.0, if built { "built" } else { "failed" });
///         None
///     }
/// }
///
/// assert!(Line("pool".into()).end(true).is_none()); // nothing was recorded
/// ```
pub trait HostBuild: Send + Sync {
    /// Another thread goes on with the build: this one, which has begun it, is out of it. What was
    /// entered here when it began is left.
    fn moves(&self) {}

    /// The build's code runs on this thread from here on. An async build enters at each poll.
    fn enter(&self) {}

    /// The build's code stops running on this thread: it has ended, or an async build waits.
    fn leave(&self) {}

    /// Shows the spinner; called at most once, on a background thread, after the delay.
    fn show(&self);

    /// The build has ended: hides the spinner, and gives what was put out. May overlap with a
    /// [`show`](Self::show) that has begun; none begins afterwards.
    fn end(&self, built: bool) -> Option<Recording>;
}
