//! A spinner in the terminal, through indicatif.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::ground::sync::{Mutex, OnceLock};
use crate::host::BuildStart;

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// One build's line in the terminal. Builds at the same time have a line each.
pub(crate) struct Line {
    text: String,
    show_time: bool,
    state: Mutex<State>,
}

enum State {
    Pending,
    Shown(ProgressBar),
    Over,
}

impl Line {
    /// The line for a build that has something to show, where standard error is a terminal.
    pub(crate) fn for_build(start: &BuildStart<'_>) -> Option<Self> {
        static TERMINAL: OnceLock<bool> = OnceLock::new();
        let text = start.text.clone()?;
        if !*TERMINAL.get_or_init(|| stderr().is_terminal()) {
            return None;
        }
        Some(Self {
            text,
            show_time: start.show_time,
            state: Mutex::new(State::Pending),
        })
    }

    pub(crate) fn show(&self) {
        static LINES: OnceLock<MultiProgress> = OnceLock::new();
        let mut state = self.state.lock();
        if matches!(*state, State::Pending) {
            let lines = LINES.get_or_init(MultiProgress::new);
            let bar = lines.add(ProgressBar::new_spinner());
            bar.set_style(style(self.show_time));
            bar.set_message(self.text.clone());
            bar.enable_steady_tick(TICK);
            *state = State::Shown(bar);
        }
    }

    pub(crate) fn hide(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Over);
        if let State::Shown(bar) = state {
            bar.finish_and_clear();
        }
    }
}

fn style(show_time: bool) -> ProgressStyle {
    let template = if show_time {
        "{spinner} {msg} ({seconds})"
    } else {
        "{spinner} {msg}"
    };
    let style = ProgressStyle::with_template(template).expect("the templates are well formed");
    style.with_key(
        "seconds",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            // Nothing can be done about a terminal that cannot be written to.
            let _ = write!(out, "{:.1} seconds", state.elapsed().as_secs_f64());
        },
    )
}
