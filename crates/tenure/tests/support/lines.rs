//! Log lines and spans, for tests that want to see one.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::lock;

/// What this thread logs while `work` runs.
pub fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (result, taken) = taken(work);
    (result, taken.lines)
}

/// The spans that code runs in on this thread while `work` runs, each once.
pub fn spanned<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (result, taken) = taken(work);
    let entered = taken.spans.into_iter().filter(|(_, entered)| *entered);
    (result, entered.map(|(span, _)| span).collect())
}

/// What all threads log from the first [`listen`](Self::listen) on.
#[derive(Clone, Copy)]
pub struct Everywhere(&'static Lines);

impl Everywhere {
    pub fn listen() -> Self {
        static LINES: OnceLock<Lines> = OnceLock::new();
        Self(LINES.get_or_init(|| {
            let lines = Lines::default();
            let set = tracing::subscriber::set_global_default(lines.clone());
            set.expect("no test has set another");
            lines
        }))
    }

    /// Those that contain this.
    pub fn about(self, needle: &str) -> Vec<String> {
        let taken = lock(&self.0.0);
        let lines = taken.lines.iter().filter(|it| it.contains(needle));
        lines.cloned().collect()
    }
}

fn taken<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    let lines = Lines::default();
    let result = tracing::subscriber::with_default(lines.clone(), work);
    let taken = std::mem::take(&mut *lock(&lines.0));
    (result, taken)
}

#[derive(Default)]
struct Taken {
    lines: Vec<String>,
    /// With whether code has run in it. A span's id is its place here, from 1 on.
    spans: Vec<(String, bool)>,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Taken>>);

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        let spans = &mut lock(&self.0).spans;
        spans.push((line.0, false));
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        lock(&self.0).lines.push(line.0);
    }

    fn enter(&self, span: &Id) {
        let place = span.into_u64() as usize - 1;
        lock(&self.0).spans[place].1 = true;
    }

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string takes it");
    }
}
