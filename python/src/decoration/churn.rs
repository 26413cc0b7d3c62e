//! A function that is built anew at each run, because it captures a value of the run: said once.
//!
//! A function decorated within another one that captures a time stamp or a new object is another
//! function at each run, and has to be: which of its values matter cannot be known. But nobody means
//! that, so once a session has left a few of them behind, one line names the variable.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Mutex;

use pyo3::prelude::*;

use crate::decoration::fingerprint::{Decorated, Decoration};
use crate::function::registration::Known;
use crate::life::resource::Callbacks;
use crate::words::log;

/// So many runs leave something behind before anything is said.
const RUNS: usize = 3;

/// Says that `known`, as it is decorated now, is the next one in a row that no run comes back to, if
/// that is so.
pub(crate) fn tell(py: Python<'_>, known: &Known, decorated: &Decorated, as_now: &Decoration) {
    /// By site.
    static TOLD: Mutex<Option<HashSet<[u8; 16]>>> = Mutex::new(None);
    if as_now.captured.is_empty() {
        return;
    }
    let mut rounds = HashSet::from([as_now.round]);
    let mut variables = Vec::new();
    for before in known.left_behind() {
        let behaviour: &dyn Any = before.behaviour();
        let callbacks: Option<&Callbacks> = behaviour.downcast_ref();
        let Some(callbacks) = callbacks.filter(|_| before.info().builds > 0) else {
            continue;
        };
        if let Some(changed) = as_now.changed_since(&callbacks.decoration)
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
        told.get_or_insert_default().insert(decorated.site)
    };
    if is_new {
        let name = &decorated.name;
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
