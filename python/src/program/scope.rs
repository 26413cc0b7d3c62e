//! Who shares an entry, as a decorator says it, and who asks now.

use std::cell::Cell;
use std::fmt::Write;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use tenure::{Encoder, Scope, SessionId, front};

use crate::caller::user_code;
use crate::encode;
use crate::function::shape::is_async_function;
use crate::life::arity::{self, Use};
use crate::life::awaitables::{can_be_awaited, refused_scope};
use crate::life::interrupts;
use crate::process;
use crate::process::once::intern;
use crate::words::code;
use crate::words::errors::{self, Kind};

/// Who shares an entry.
pub(crate) enum Sharing {
    Global,
    Session,
    /// Those on one event loop.
    Loop,
    /// Those on one thread.
    Thread,
    /// All drivers and workers of a cluster, through handles.
    Cluster,
    /// Those for whom this callable gives the same.
    By(Py<PyAny>),
}

/// The accepted forms of the setting, with an example.
const FORMS: &str = "Accepted are \"global\", \"session\", \"loop\", \"thread\", \"cluster\", and a function without \
                     arguments that says for whom the present code runs. Example: scope=\"session\"";

impl Sharing {
    /// Reads the setting.
    ///
    /// # Errors
    /// `TypeError` or `ValueError`, with the accepted forms.
    pub(crate) fn read(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = value.cast::<PyString>() {
            return match text.to_str()? {
                "global" => Ok(Self::Global),
                "session" => Ok(Self::Session),
                "loop" => Ok(Self::Loop),
                "thread" => Ok(Self::Thread),
                "cluster" => Ok(Self::Cluster),
                _ => Err(errors::setting_value(
                    value.py(),
                    format!("scope={value:?} is none that there is. {FORMS}"),
                )),
            };
        }
        if value.is_callable() {
            if is_async_function(value)? {
                return Err(errors::setting_type(
                    value.py(),
                    format!(
                        "scope cannot be an async function, since nothing awaits it: {value:?}. Write \
                         `def` for it, and have it read what has been found before: a context variable, \
                         say. {FORMS}"
                    ),
                ));
            }
            arity::check(&Use {
                setting: "scope",
                given: &[],
                example: "scope=lambda: current_user.get()",
                callable: value,
            })?;
            return Ok(Self::By(value.clone().unbind()));
        }
        Err(errors::setting_type(
            value.py(),
            format!("scope cannot be {value:?}. {FORMS}"),
        ))
    }

    /// Whether a resource belongs to the thread that asked for it, and is built there alone.
    pub(crate) fn is_by_thread(&self) -> bool {
        matches!(self, Self::Thread)
    }

    /// Whether what this process keeps is a handle, and the resource lives elsewhere.
    pub(crate) fn is_by_handle(&self) -> bool {
        matches!(self, Self::Cluster)
    }

    /// Whether it is for something that one process has alone.
    pub(crate) fn is_one_process(&self) -> bool {
        matches!(self, Self::Session | Self::Loop | Self::Thread)
    }

    /// The engine's word for it.
    pub(crate) fn scope(&self) -> Scope {
        match self {
            // A handle is for everybody in this process.
            Self::Global | Self::Cluster => Scope::Global,
            Self::Session => Scope::Session,
            Self::Loop | Self::Thread | Self::By(_) => Scope::Custom,
        }
    }

    /// Its mark among the settings, beside a callable's own identity.
    pub(crate) fn mark(&self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Session => "session",
            Self::Loop => "loop",
            Self::Thread => "thread",
            Self::Cluster => "cluster",
            Self::By(_) => "callable",
        }
    }

    /// The word by which an inspector names it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::By(_) => "own",
            _ => self.mark(),
        }
    }

    pub(crate) fn callable(&self) -> Option<&Py<PyAny>> {
        match self {
            Self::By(callable) => Some(callable),
            _ => None,
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Global => Self::Global,
            Self::Session => Self::Session,
            Self::Loop => Self::Loop,
            Self::Thread => Self::Thread,
            Self::Cluster => Self::Cluster,
            Self::By(callable) => Self::By(callable.clone_ref(py)),
        }
    }

    /// The name of the scope that the present code is in.
    ///
    /// # Errors
    /// A `ScopeError` that says what is missing, and what a callable raises.
    pub(crate) fn present(&self, py: Python<'_>, function: &str) -> PyResult<Option<SessionId>> {
        match self {
            Self::Global | Self::Session | Self::Cluster => Ok(None),
            Self::Loop => match named_by(py, "tenure._loops")? {
                Some(name) => Ok(Some(name)),
                None => Err(errors::raise(
                    py,
                    Kind::Scope,
                    format!(
                        "{function} has scope=\"loop\", and no event loop runs here. Call it from a \
                         task, as in `asyncio.run(main())`"
                    ),
                    None,
                )),
            },
            Self::Thread => named_by(py, "tenure._threads"),
            Self::By(callable) => {
                user_code::room()?;
                let value = user_code::apply(callable.bind(py), []);
                let value =
                    value.map_err(|error| errors::raised_by(py, "scope", function, error))?;
                if can_be_awaited(&value) {
                    return Err(refused_scope(function, &value));
                }
                if value.is_none() {
                    return Err(errors::raise(
                        py,
                        Kind::Scope,
                        format!(
                            "the scope of {function} is None here, so nobody is there whose resource \
                             this would be: {} has to return for whom the present code runs, or raise",
                            code::name_of(callable.bind(py))
                        ),
                        None,
                    ));
                }
                of_value(&value, &format!("the scope of `{function}`")).map(Some)
            }
        }
    }

    /// Whether a scope is over that the present code has just been said to be in.
    pub(crate) fn has_ended(&self, py: Python<'_>, scope: &str) -> PyResult<bool> {
        match self {
            Self::Loop => py
                .import(intern!(py, "tenure._loops"))?
                .call_method1(intern!(py, "has_ended"), (scope,))?
                .extract(),
            Self::Thread => Ok(thread_has_ended()),
            _ => Ok(false),
        }
    }
}

/// The name of the scope that the present code is in, as a module of the package gives it.
fn named_by(py: Python<'_>, module: &str) -> PyResult<Option<SessionId>> {
    let name: Option<String> = py
        .import(module)?
        .call_method0(intern!(py, "scope"))?
        .extract()?;
    Ok(name.map(SessionId::from))
}

/// The error for a session-scoped function where there is no session. Where there is one, the hosts know.
pub(crate) fn no_session(py: Python<'_>, function: &str) -> PyErr {
    let advice = is_releasing(py).and_then(|is_releasing| {
        if is_releasing {
            let text = "It is a release, which may come when its session is over: give the resource what its release \
                        needs when it is built. Or use scope=\"global\".";
            return Ok(text.to_owned());
        }
        let hosts = py.import("tenure.hosts")?;
        hosts.call_method0("advice")?.extract()
    });
    match advice {
        Ok(advice) => {
            let text = format!(
                "{function} has scope=\"session\", but this code runs in no session. {advice}"
            );
            errors::raise(py, Kind::Scope, text, None)
        }
        Err(error) => error,
    }
}

/// Whether the present code releases something, on its thread or as the task that has entered it.
fn is_releasing(py: Python<'_>) -> PyResult<bool> {
    if front::is_releasing() {
        return Ok(true);
    }
    let leaving = py.import("tenure._tasks")?.getattr("leaving")?;
    leaving.call_method0("get")?.is_truthy()
}

/// The name of the scope of a value; `whose` is for messages.
fn of_value(value: &Bound<'_, PyAny>, whose: &str) -> PyResult<SessionId> {
    let mut encoder = Encoder::new();
    encode::encode_scope(value.py(), &mut encoder, value.as_ptr(), whose)?;
    let mut name = String::from("value:");
    for byte in encoder.as_bytes() {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(SessionId::from(name))
}

/// A value is no longer anybody's scope: what is kept for it is released, in every function whose scope
/// is a callable.
#[pyfunction]
pub(crate) fn end_scope(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() {
        return Err(errors::raise(
            py,
            Kind::Scope,
            "tenure.end_scope(None) ends nothing, since None means that nobody is there. Give it the \
             value that the scope's function returns for whom it is to end"
                .to_owned(),
            None,
        ));
    }
    let scope = of_value(value, "what `tenure.end_scope` was given")?;
    end(py, &scope)
}

/// Ends the scope of a loop, by its name. Its home has the releases take turns.
#[pyfunction]
pub(crate) fn end_scope_named(py: Python<'_>, scope: &str) -> PyResult<()> {
    interrupts::to_caller(py, || {
        process::engine().end_scope_at_once(scope);
        Ok(())
    })
}

thread_local! {
    /// The interpreter's number for this thread that has a scope, and for the one whose scope has ended. Not the
    /// system's: a thread that is none of Python's has a new one at each of its visits.
    static BEGUN: Cell<i64> = const { Cell::new(-1) };
    static ENDED: Cell<i64> = const { Cell::new(-1) };
}

fn thread_number() -> i64 {
    // SAFETY: asked with the interpreter held.
    #[allow(unsafe_code)]
    unsafe {
        ffi::PyThreadState_GetID(ffi::PyThreadState_Get())
    }
}

/// Begins the scope of the present thread, which knows of none. `False`: it has had one, and lets go of all that
/// is its own.
#[pyfunction]
pub(crate) fn begin_thread() -> bool {
    let number = thread_number();
    if BEGUN.replace(number) == number {
        ENDED.set(number);
    }
    ENDED.get() != number
}

/// Whether the scope of the present thread has ended.
fn thread_has_ended() -> bool {
    ENDED.get() == thread_number()
}

/// Ends the scope of the present thread, by its name. What is built for it from here on is not kept.
#[pyfunction]
pub(crate) fn end_thread(py: Python<'_>, scope: &str) -> PyResult<()> {
    ENDED.set(thread_number());
    end(py, scope)
}

fn end(py: Python<'_>, scope: &str) -> PyResult<()> {
    interrupts::to_caller(py, || {
        process::engine().end_scope(scope);
        Ok(())
    })
}
