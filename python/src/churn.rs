//! A function that is built anew at each run, because it captures a value of the run: said once.
//!
//! A function decorated within another one that captures a time stamp or a new object is another
//! function at each run, and has to be: which of its values matter cannot be known. But nobody means
//! that, so once a session has left a few of them behind, one line names the variable.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;

use crate::log;
use crate::registration::Known;
use crate::resource::Callbacks;

/// What tells one decoration from the next one of the same code.
#[derive(Clone)]
pub(crate) struct Decoration {
    /// The run of the main script that it was done in.
    pub(crate) round: u64,
    /// The captured variables, with the digest of what each holds.
    pub(crate) captured: Arc<[(String, u128)]>,
}

/// So many runs leave something behind before anything is said.
const RUNS: usize = 3;

impl Decoration {
    /// Says that `known` is the next one in a row that no run comes back to, if that is so.
    pub(crate) fn tell(&self, py: Python<'_>, known: &Known, name: &str, site: [u8; 16]) {
        /// By site.
        static TOLD: Mutex<Option<HashSet<[u8; 16]>>> = Mutex::new(None);
        if self.captured.is_empty() {
            return;
        }
        let mut rounds = HashSet::from([self.round]);
        let mut variables = Vec::new();
        for before in known.left_behind() {
            let behaviour: &dyn Any = before.behaviour();
            let callbacks: Option<&Callbacks> = behaviour.downcast_ref();
            let Some(callbacks) = callbacks.filter(|_| before.info().builds > 0) else {
                continue;
            };
            if let Some(changed) = self.changed_since(&callbacks.decoration)
                && rounds.insert(callbacks.decoration.round)
            {
                variables = changed;
            }
        }
        if rounds.len() <= RUNS {
            return;
        }
        let is_new = {
            let mut told = TOLD.lock().unwrap_or_else(|poison| poison.into_inner());
            told.get_or_insert_default().insert(site)
        };
        if is_new {
            let text = format!(
                "`{name}` was built anew in {runs} runs of one session, only because `{variables}`, \
                 which it captures, held something else each time. What a function captures counts \
                 as its arguments do. If a new value needs no new resource, pass it as an argument \
                 whose name begins with an underscore, as in `def {short}(_{variable})`; if it does, \
                 pass it as an argument, so that `max_entries` bounds how many are kept.",
                runs = rounds.len() - 1,
                variables = variables.join("` and `"),
                short = name.rsplit('.').next().unwrap_or(name),
                variable = variables[0].trim_start_matches('_'),
            );
            log::line(py, false, &text);
        }
    }

    /// The variables that hold something else, if both capture the same ones and any does.
    fn changed_since<'a>(&'a self, before: &Self) -> Option<Vec<&'a str>> {
        if self.captured.len() != before.captured.len() {
            return None;
        }
        let mut changed = Vec::new();
        for ((name, holds), (before, held)) in self.captured.iter().zip(&*before.captured) {
            if name != before {
                return None;
            }
            if holds != held && !changed.contains(&name.as_str()) {
                changed.push(name.as_str());
            }
        }
        (!changed.is_empty()).then_some(changed)
    }
}
