//! The engine's warnings and errors, as Python's `logging` has them.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::caller::attach;
use crate::words::log;

/// Has the engine's events go to the logger `tenure` from now on.
pub(crate) fn forward() {
    // Where the program has a subscriber already, that one has the say.
    let _ = tracing::subscriber::set_global_default(Forward);
}

struct Forward;

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let is_error = *event.metadata().level() == Level::ERROR;
        let text = text.finish();
        if attach::is_known() {
            let _ = attach::with(|py| log::line(py, is_error, &text));
        } else {
            // The thread that ends the process must not wait for the interpreter.
            attach::in_time(move |py| log::line(py, is_error, &text));
        }
    }

    // Spans are never enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// An event as one line: `function: message (field=value)`.
#[derive(Default)]
struct Text {
    function: String,
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "function" => write!(self.function, "{value:?}"),
            name => write!(self.fields, " ({name}={value:?})"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Text {
    fn finish(self) -> String {
        let Self {
            function,
            message,
            fields,
        } = self;
        if function.is_empty() {
            format!("{message}{fields}")
        } else {
            format!("{function}: {message}{fields}")
        }
    }
}
