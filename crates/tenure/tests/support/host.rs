//! A host that keeps a log of what the engine asks of it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tenure::{BuildStart, Host, HostBuild, Interrupt, Recording, SessionId};

use super::lock;

thread_local! {
    /// The session that this thread serves, if not the one that all serve.
    static SESSION: RefCell<Option<Option<SessionId>>> = const { RefCell::new(None) };
    /// What the builds on this thread put out, innermost last.
    static WRITTEN: RefCell<Vec<Vec<String>>> = const { RefCell::new(Vec::new()) };
}

/// Puts an element out, as code in a build does.
pub fn write(element: &str) {
    WRITTEN.with_borrow_mut(|stack| {
        if let Some(top) = stack.last_mut() {
            top.push(element.to_owned());
        }
    });
}

/// One thing that the engine asked of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Build { text: Option<String> },
    Wait { text: Option<String> },
    Show,
    End { built: bool },
    Replay(Vec<String>),
}

pub struct TestHost {
    me: Weak<Self>,
    asked: Mutex<Vec<Asked>>,
    begun: AtomicUsize,
    ended: AtomicUsize,
    gone: Mutex<HashSet<SessionId>>,
    outlived: Mutex<HashSet<SessionId>>,
    after_answer: Mutex<Option<Errand>>,
    at_question: Mutex<Option<Errand>>,
    at_end: Mutex<Option<Errand>>,
    stops: AtomicBool,
    lends: AtomicBool,
}

/// Something to do once.
type Errand = Box<dyn FnOnce() + Send>;

impl TestHost {
    pub fn new() -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            asked: Mutex::default(),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            gone: Mutex::default(),
            outlived: Mutex::default(),
            after_answer: Mutex::default(),
            at_question: Mutex::default(),
            at_end: Mutex::default(),
            stops: AtomicBool::new(false),
            lends: AtomicBool::new(false),
        })
    }

    /// What was asked since the last look.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.asked))
    }

    /// Runs this as code that serves a session, or none.
    pub fn serve<T>(session: Option<&str>, work: impl FnOnce() -> T) -> T {
        let session = Some(session.map(SessionId::from));
        let before = SESSION.replace(session);
        let result = work();
        SESSION.set(before);
        result
    }

    /// The session ends for good just after the host is next asked who is there.
    pub fn end_at_next_question(
        &self,
        session: &'static str,
        tell: impl FnOnce() + Send + 'static,
    ) {
        let host = self.me.clone();
        let errand = move || {
            let host = host.upgrade().expect("it is asked");
            lock(&host.gone).insert(session.into());
            tell();
        };
        *lock(&self.at_question) = Some(Box::new(errand));
    }

    /// The session is over, or back; its code runs on all the while.
    pub fn outlive(&self, session: &str, is_over: bool) {
        let mut outlived = lock(&self.outlived);
        if is_over {
            outlived.insert(session.into());
        } else {
            outlived.remove(session);
        }
    }

    /// Runs this just after the host has next said whether a session is over.
    pub fn after_next_answer(&self, errand: impl FnOnce() + Send + 'static) {
        *lock(&self.after_answer) = Some(Box::new(errand));
    }

    /// Runs this while a build ends.
    pub fn at_next_end(&self, errand: impl FnOnce() + Send + 'static) {
        *lock(&self.at_end) = Some(Box::new(errand));
    }

    /// From now on, who waits must stop waiting.
    pub fn stop_who_waits(&self) {
        self.stops.store(true, Ordering::SeqCst);
    }

    /// From now on, builds that more than one session shares may be built on what is kept for one.
    pub fn lend_sessions(&self) {
        self.lends.store(true, Ordering::SeqCst);
    }

    pub fn check(&self) {
        let (begun, ended) = (&self.begun, &self.ended);
        let ended = ended.load(Ordering::SeqCst);
        assert_eq!(begun.load(Ordering::SeqCst), ended, "every build ends");
        WRITTEN.with_borrow(|stack| assert!(stack.is_empty()));
    }
}

impl Host for TestHost {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        let own = SESSION.with_borrow(Clone::clone);
        let session = own.unwrap_or_else(|| Some("main".into()));
        let answer = session.filter(|session| !lock(&self.gone).contains(session));
        let errand = lock(&self.at_question).take();
        if let Some(errand) = errand {
            errand();
        }
        Ok(answer)
    }

    fn has_ended(&self, session: &str) -> Result<bool, Interrupt> {
        let is_served = self.session()?.as_deref() == Some(session);
        let ended = !is_served || lock(&self.outlived).contains(session);
        let errand = lock(&self.after_answer).take();
        if let Some(errand) = errand {
            errand();
        }
        Ok(ended)
    }

    fn lends_sessions(&self) -> Result<bool, Interrupt> {
        Ok(self.lends.load(Ordering::SeqCst))
    }

    fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        let text = start.text.clone();
        let waits = start.waits;
        lock(&self.asked).push(if waits {
            Asked::Wait { text }
        } else {
            Asked::Build { text }
        });
        self.begun.fetch_add(1, Ordering::SeqCst);
        if !waits {
            WRITTEN.with_borrow_mut(|stack| stack.push(Vec::new()));
        }
        let host = self.me.upgrade().expect("the engine holds it");
        Ok(Some(Arc::new(Build { host, waits })))
    }

    fn replay(&self, recording: &Recording) -> Result<(), Interrupt> {
        let elements: &Vec<String> = recording.elements().expect("our own elements");
        lock(&self.asked).push(Asked::Replay(elements.clone()));
        // Within an outer build, what is replayed is put out there too.
        elements.iter().for_each(|element| write(element));
        Ok(())
    }

    fn interrupted(&self) -> Result<(), Interrupt> {
        if self.stops.load(Ordering::SeqCst) {
            return Err(super::interrupt());
        }
        Ok(())
    }
}

struct Build {
    host: Arc<TestHost>,
    waits: bool,
}

impl HostBuild for Build {
    fn show(&self) {
        lock(&self.host.asked).push(Asked::Show);
    }

    fn end(&self, built: bool) -> Option<Recording> {
        lock(&self.host.asked).push(Asked::End { built });
        self.host.ended.fetch_add(1, Ordering::SeqCst);
        let errand = lock(&self.host.at_end).take();
        if let Some(errand) = errand {
            errand();
        }
        if self.waits {
            return None;
        }
        let written = WRITTEN.with_borrow_mut(|stack| {
            let written = stack.pop().expect("begun on this thread");
            // An outer build records what those within it put out.
            if let Some(outer) = stack.last_mut() {
                outer.extend(written.iter().cloned());
            }
            written
        });
        (!written.is_empty()).then(|| Recording::new(written))
    }
}
