//! The host of a Rust program that has none of its own: its sessions, its stages, its terminal.

pub(crate) mod api;
pub(crate) mod context;
pub(crate) mod session;
pub mod stage;
#[cfg(feature = "terminal")]
pub(crate) mod terminal;
pub(crate) mod visit;

use crate::ground::sync::Arc;
use crate::host::record::{Observed, Recording};
use crate::host::{BuildStart, Host, HostBuild, SessionId};
use crate::key::Encoder;
use crate::program::session::Session;
use crate::program::stage::Recorder;
#[cfg(feature = "terminal")]
use crate::program::terminal::Line;
use crate::words::error::Interrupt;

/// The host that Rust programs have unless they [set another](crate::Engine::set_host): sessions
/// are [`Session`]s, elements go to [stages](crate::program::stage), and with the feature `terminal`
/// a build shows a spinner where standard error is a terminal.
///
/// A host of your own can ask this one for what it does not do itself.
///
/// ```
/// use tenure::{Host, ProgramHost, Session};
///
/// let session = Session::named("cookie-4711");
/// let seen = session.run(|| ProgramHost.session());
/// assert!(matches!(seen, Ok(Some(id)) if &*id == "cookie-4711"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgramHost;

struct Build {
    recorder: Option<Arc<Recorder>>,
    #[cfg(feature = "terminal")]
    line: Option<Line>,
}

impl Host for ProgramHost {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(Session::current_id())
    }

    fn has_ended(&self, session: &str) -> Result<bool, Interrupt> {
        Ok(!Session::is_live(session))
    }

    fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        let recorder = (!start.waits && stage::is_used()).then(Recorder::begin);
        #[cfg(feature = "terminal")]
        let line = Line::for_build(start);
        #[cfg(feature = "terminal")]
        let shows = line.is_some();
        #[cfg(not(feature = "terminal"))]
        let shows = false;
        if recorder.is_none() && !shows {
            return Ok(None);
        }
        Ok(Some(Arc::new(Build {
            recorder,
            #[cfg(feature = "terminal")]
            line,
        })))
    }

    fn replay(&self, recording: &Recording) -> Result<(), Interrupt> {
        stage::replay(recording);
        Ok(())
    }

    fn observe(&self, observed: &Observed, values: &mut Encoder) -> Result<(), Interrupt> {
        stage::present(observed, values);
        Ok(())
    }
}

impl HostBuild for Build {
    fn enter(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.enter();
        }
    }

    fn leave(&self) {
        if self.recorder.is_some() {
            Recorder::leave();
        }
    }

    fn show(&self) {
        #[cfg(feature = "terminal")]
        if let Some(line) = &self.line {
            line.show();
        }
    }

    fn end(&self, _built: bool) -> Option<Recording> {
        #[cfg(feature = "terminal")]
        if let Some(line) = &self.line {
            line.hide();
        }
        self.recorder.as_ref().and_then(|recorder| recorder.end())
    }
}
