//! Why no key could be made, and the way through the argument that led there.
//!
//! The way is written down only once something has gone wrong: each level adds its step while
//! the fault passes it, so that a call that works pays nothing for it.

use super::names::{class_of, display_name};
use crate::words::errors::{self, Kind};
use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;
use std::fmt::Write;

/// The outcome of an encoding step: nothing, or the fault that ended it.
pub(super) type Outcome<T = ()> = Result<T, Box<Fault>>;

/// How many levels of nesting are read.
pub(super) const DEPTH_MAX: usize = 10_000;

/// How many steps of a long way are named, from each end.
const STEPS_SHOWN: usize = 6;

/// A failure on its way out of an argument.
pub(super) struct Fault {
    cause: Cause,
    /// The steps from the object that failed outwards, with the class of what was left.
    steps: Vec<(String, String)>,
}

enum Cause {
    /// Raised by something that is not ours to translate: `KeyboardInterrupt`, a lack of memory.
    Raised(PyErr),
    /// An object that raised when it was read.
    Unread(PyErr),
    /// An object without a key: its class, why, and what was raised if anything was.
    NoKey(String, String, Option<PyErr>),
    /// An object whose content is not its own: its class, and how that is seen.
    Elsewhere(String, String, Option<PyErr>),
    /// More levels than are read.
    TooDeep,
    /// Its objects refer to each other through what has no order, in more ways than are read.
    Tangled,
    /// The stack of this thread has no room for Python code any more. Another thread's may have, so
    /// nothing may be keyed in another way for it.
    NoRoom,
    /// A function of `hash_funcs` raised: its name, the class it is for, what it raised.
    HashFunc(String, String, PyErr),
}

impl From<PyErr> for Box<Fault> {
    fn from(error: PyErr) -> Self {
        Python::attach(|py| {
            Fault::new(if is_translated(py, &error) {
                Cause::Unread(error)
            } else {
                Cause::Raised(error)
            })
        })
    }
}

/// Whether an error means that something has no key, and is no interrupt or its like.
fn is_translated(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyException>(py) && !error.is_instance_of::<PyMemoryError>(py)
}

impl Fault {
    fn new(cause: Cause) -> Box<Self> {
        Box::new(Self {
            cause,
            steps: Vec::new(),
        })
    }

    /// An object of this class has no key, for this reason.
    pub(super) fn no_key(class: String, why: impl Into<String>) -> Box<Self> {
        Self::new(Cause::NoKey(class, why.into(), None))
    }

    /// Reading an object of this class raised. Only an `Exception` means that it has no key;
    /// anything else goes on as it is.
    pub(super) fn raised(py: Python<'_>, class: String, why: &str, error: PyErr) -> Box<Self> {
        if is_translated(py, &error) {
            let why = format!("{why} ({})", one_line(py, &error));
            Self::new(Cause::NoKey(class, why, Some(error)))
        } else {
            Self::new(Cause::Raised(error))
        }
    }

    /// An object of this class shows what it does not hold, as can be seen by this.
    pub(super) fn elsewhere(class: String, why: String) -> Box<Self> {
        Self::new(Cause::Elsewhere(class, why, None))
    }

    /// There are more levels than are read.
    pub(super) fn too_deep() -> Box<Self> {
        Self::new(Cause::TooDeep)
    }

    /// There are more ways through its objects than are read.
    pub(super) fn tangled() -> Box<Self> {
        Self::new(Cause::Tangled)
    }

    /// There are more levels than the thread's stack has room for.
    pub(super) fn no_room() -> Box<Self> {
        Self::new(Cause::NoRoom)
    }

    /// The user's hash function raised. An interrupt goes on as it is.
    pub(super) fn hash_func(
        py: Python<'_>,
        func: String,
        class: String,
        error: PyErr,
    ) -> Box<Self> {
        if is_translated(py, &error) {
            Self::new(Cause::HashFunc(func, class, error))
        } else {
            Self::new(Cause::Raised(error))
        }
    }

    /// This fault, where what has no key is an object that stands for another one.
    pub(super) fn into_elsewhere(mut self: Box<Self>) -> Box<Self> {
        self.cause = match self.cause {
            Cause::NoKey(class, why, cause) => Cause::Elsewhere(class, why, cause),
            cause => cause,
        };
        self
    }

    /// Adds the step that led from an object of this class to where the fault came from.
    pub(super) fn at(mut self: Box<Self>, class: String, step: String) -> Box<Self> {
        self.steps.push((class, step));
        self
    }

    /// Whether this says that something has no key, as opposed to an interrupt and its like.
    pub(super) fn is_no_key(&self) -> bool {
        matches!(
            self.cause,
            Cause::NoKey(..)
                | Cause::Elsewhere(..)
                | Cause::TooDeep
                | Cause::Tangled
                | Cause::Unread(_)
        )
    }

    /// Whether this is an interrupt or its like, which goes on as it is.
    pub(super) fn is_interrupt(&self) -> bool {
        matches!(self.cause, Cause::Raised(_))
    }

    /// Whether this says that an object shows what it does not hold: which object it is then says
    /// as little as its fields do.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self.cause, Cause::Elsewhere(..))
    }

    /// The sentence without the function's part, for a warning about a closure.
    pub(super) fn reason(&self) -> String {
        match &self.cause {
            Cause::NoKey(class, why, _) | Cause::Elsewhere(class, why, _) => {
                format!("a `{class}`{}, which {why}", self.inside())
            }
            Cause::TooDeep | Cause::NoRoom => "something nested too deeply".to_owned(),
            Cause::Tangled => "objects that refer to each other in too many ways".to_owned(),
            Cause::Raised(_) | Cause::Unread(_) => "something that could not be read".to_owned(),
            Cause::HashFunc(func, class, _) => {
                format!("a `{class}`{}, for which `{func}` raised", self.inside())
            }
        }
    }

    /// The Python exception for this fault.
    pub(super) fn raise(self, py: Python<'_>, param: &str, function: &str) -> PyErr {
        let way = self.way();
        let meant = self.owner();
        match self.cause {
            Cause::Raised(error) => error,
            Cause::Unread(error) => {
                let text = format!(
                    "no key can be made of the argument `{param}` of `{function}`: {way} \
                     something that could not be read ({}).\n{}",
                    one_line(py, &error),
                    leave_out(param)
                );
                errors::raise(py, Kind::Unhashable, text, Some(error))
            }
            Cause::NoKey(class, why, cause) | Cause::Elsewhere(class, why, cause) => {
                let leave_out = leave_out(param);
                let meant = meant.unwrap_or_else(|| class.clone());
                let rule = if meant.contains('.') {
                    meant
                } else {
                    format!("builtins.{meant}")
                };
                let text = format!(
                    "no key can be made of the argument `{param}` of `{function}`: {way} a \
                     `{class}`, which {why}.\n{leave_out}\nTo say what it is keyed by, give the \
                     decorator hash_funcs={{\"{rule}\": function}}, where the function takes \
                     the object and returns something simple, such as a str or a tuple."
                );
                errors::raise(py, Kind::Unhashable, text, cause)
            }
            Cause::TooDeep => {
                let text = format!(
                    "no key can be made of the argument `{param}` of `{function}`: it is nested \
                     more than {} levels deep.\nPass something flatter, leave it out of the key \
                     by a parameter whose name begins with an underscore, or give the decorator \
                     hash_funcs for its class.",
                    DEPTH_MAX
                );
                errors::raise(py, Kind::TooDeep, text, None)
            }
            Cause::Tangled => {
                let text = format!(
                    "no key can be made of the argument `{param}` of `{function}`: its objects refer \
                     to each other through sets, or dicts whose keys are no strings, in more ways than \
                     can be read.\nPass something without such circles, leave it out of the key by a \
                     parameter whose name begins with an underscore, or give the decorator hash_funcs \
                     for its class."
                );
                errors::raise(py, Kind::TooDeep, text, None)
            }
            Cause::NoRoom => {
                let text = format!(
                    "no key can be made of the argument `{param}` of `{function}`: it is nested \
                     too deeply for what is left of this thread's stack.\nPass something flatter, \
                     call from a thread with more stack (see threading.stack_size), or leave it \
                     out of the key by a parameter whose name begins with an underscore."
                );
                errors::raise(py, Kind::TooDeep, text, None)
            }
            Cause::HashFunc(func, class, error) => {
                let text = format!(
                    "the hash function `{func}` for `{class}` failed while the key of \
                     `{function}` was made: {}\nThe argument `{param}`: {way} a `{class}`.\n\
                     Mend the function, or leave it out of hash_funcs.",
                    one_line(py, &error)
                );
                errors::raise(py, Kind::UserHash, text, Some(error))
            }
        }
    }

    /// The Python exception for a value that is to name a scope, where no parameter can be left out and no
    /// `hash_funcs` be given.
    #[expect(clippy::boxed_local, reason = "faults are boxed on their way out")]
    pub(super) fn raise_of_scope(self: Box<Self>, py: Python<'_>, whose: &str) -> PyErr {
        let way = self.way();
        let (kind, what, cause) = match self.cause {
            Cause::Raised(error) | Cause::HashFunc(_, _, error) => return error,
            Cause::Unread(error) => {
                let why = one_line(py, &error);
                let what = format!("{way} something that could not be read ({why})");
                (Kind::Unhashable, what, Some(error))
            }
            Cause::NoKey(class, why, cause) | Cause::Elsewhere(class, why, cause) => (
                Kind::Unhashable,
                format!("{way} a `{class}`, which {why}"),
                cause,
            ),
            Cause::TooDeep | Cause::NoRoom => {
                (Kind::TooDeep, "it is nested too deeply".to_owned(), None)
            }
            Cause::Tangled => {
                let what = "its objects refer to each other in more ways than can be read";
                (Kind::TooDeep, what.to_owned(), None)
            }
        };
        let text = format!(
            "no key can be made of {whose}: {what}.\nA scope is named by something simple: have its \
             function return a str, a number, or a tuple of them, the id of a user or a tenant, say."
        );
        errors::raise(py, kind, text, cause)
    }

    /// The Python exception for a function that holds what has no key and must not be told apart
    /// by which object it is.
    #[expect(clippy::boxed_local, reason = "faults are boxed on their way out")]
    pub(super) fn raise_held(self: Box<Self>, py: Python<'_>, function: &str) -> PyErr {
        let way = self.way().replacen("it is", "what it holds is", 1);
        match self.cause {
            Cause::Elsewhere(class, why, cause) => {
                let text = format!(
                    "`{function}` cannot be told from other functions: {way} a `{class}`, which \
                     {why}.\nGive what is meant a variable of its own before the function is \
                     defined, as in `email = user.email`, and use that in it; or pass it as an \
                     argument.",
                );
                errors::raise(py, Kind::Unhashable, text, cause)
            }
            _ => self.raise(py, function, function),
        }
    }

    /// The chain of objects from the argument down to the one that failed, as the beginning of a
    /// sentence that ends with that object.
    fn way(&self) -> String {
        if self.steps.is_empty() {
            return "it is".to_owned();
        }
        let mut text = String::from("it is ");
        let count = self.steps.len();
        for (i, (class, step)) in self.steps.iter().rev().enumerate() {
            if count > 2 * STEPS_SHOWN && i == STEPS_SHOWN {
                let _ = write!(text, "… {} steps further … ", count - 2 * STEPS_SHOWN);
            }
            if count > 2 * STEPS_SHOWN && i >= STEPS_SHOWN && i < count - STEPS_SHOWN {
                continue;
            }
            let _ = write!(text, "a `{class}` → {step}: ");
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The class of the outermost object on the way that holds the rest as attributes: what users
    /// can say of their own class they seldom can of a lock inside it.
    fn owner(&self) -> Option<String> {
        let holds = |step: &str| step.starts_with("its attribute") || step == "its state";
        let owner = self.steps.iter().rev().find(|(_, step)| holds(step))?;
        Some(owner.0.clone())
    }

    fn inside(&self) -> String {
        match self.steps.last() {
            Some((class, _)) => format!(" inside a `{class}`"),
            None => String::new(),
        }
    }
}

/// How to leave a parameter out of the key.
fn leave_out(param: &str) -> String {
    let name = param.trim_start_matches('*');
    let stars = &param[..param.len() - name.len()];
    match name.chars().next() {
        Some(first) if first.is_alphabetic() => format!(
            "To leave it out of the key, begin the parameter's name with an underscore: \
             `{stars}_{name}`."
        ),
        _ => "To leave it out of the key, pass it as a parameter whose name begins with an \
              underscore."
            .to_owned(),
    }
}

/// The exception as the last line of its traceback would show it.
pub(crate) fn one_line(py: Python<'_>, error: &PyErr) -> String {
    let class = display_name(error.get_type(py).as_type_ptr());
    match error.value(py).str() {
        Ok(text) => format!("{class}: {}", text.to_string_lossy()),
        Err(_) => class,
    }
}

/// The fault of an object whose reading raised.
pub(super) fn unreadable(value: &Bound<'_, PyAny>, error: PyErr) -> Box<Fault> {
    Fault::raised(value.py(), class_of(value), "could not be read", error)
}
