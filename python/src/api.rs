//! The module `tenure._native`.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyConnectionError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyString};
use tenure::fleet::{Ending, Lost};
use tenure::front::{EndedBy, Meaning};
use tenure::{Cause, Config, Encoder};
use tenure_fleet::{Member, MembersAsked};

use crate::caller::place;
use crate::caller::waiting::LOOK;
use crate::encode::{self, Context, HashFuncs};
use crate::function::bound;
use crate::function::cached;
use crate::function::decorator;
use crate::function::heirs;
use crate::function::leased;
use crate::function::naming;
use crate::function::shown;
use crate::function::tags;
use crate::life::arity;
use crate::life::interrupts;
use crate::life::resource::Held;
use crate::process::fleet::{self, Written};
use crate::process::{self, exit, fork, listing, shutdown, steering, worker};
use crate::program::host;
use crate::program::hosts;
use crate::program::scope;
use crate::program::sessions;
use crate::words::errors;
use crate::words::events;
use crate::words::explanation;
use crate::words::info;
use crate::words::log;
use crate::words::misspelt;
use crate::words::values;
use crate::{tasks, testing};

/// The native half of the package `tenure`.
#[pymodule(gil_used = true)]
pub fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    process::refuse_other_interpreters()?;
    errors::register(module)?;
    module.add_class::<cached::Cached>()?;
    module.add_class::<bound::BoundCached>()?;
    module.add_class::<leased::Leased>()?;
    module.add_class::<info::Info>()?;
    module.add_class::<info::EntryInfo>()?;
    module.add_class::<explanation::Explanation>()?;
    testing::add(module)?;
    module.add_function(wrap_pyfunction!(decorator::cache, module)?)?;
    module.add_function(wrap_pyfunction!(decorator::check, module)?)?;
    module.add_function(wrap_pyfunction!(misspelt::unknown_setting, module)?)?;
    module.add_function(wrap_pyfunction!(clear_all, module)?)?;
    module.add_function(wrap_pyfunction!(clear_tag, module)?)?;
    module.add_function(wrap_pyfunction!(configure, module)?)?;
    module.add_function(wrap_pyfunction!(sessions::end_session, module)?)?;
    module.add_function(wrap_pyfunction!(sessions::end_session_after, module)?)?;
    module.add_function(wrap_pyfunction!(sessions::end_session_aside, module)?)?;
    module.add_function(wrap_pyfunction!(sessions::end_session_beside, module)?)?;
    module.add_function(wrap_pyfunction!(sessions::resume_session, module)?)?;
    module.add_function(wrap_pyfunction!(scope::end_scope, module)?)?;
    module.add_function(wrap_pyfunction!(scope::end_scope_named, module)?)?;
    module.add_function(wrap_pyfunction!(scope::end_thread, module)?)?;
    module.add_function(wrap_pyfunction!(scope::begin_thread, module)?)?;
    tasks::register(module)?;
    module.add_function(wrap_pyfunction!(supersede_modules, module)?)?;
    module.add_function(wrap_pyfunction!(hosts::register_host, module)?)?;
    module.add_class::<info::Report>()?;
    module.add_function(wrap_pyfunction!(report, module)?)?;
    module.add_function(wrap_pyfunction!(info_in_full, module)?)?;
    module.add_function(wrap_pyfunction!(kept, module)?)?;
    module.add_function(wrap_pyfunction!(listing::listing, module)?)?;
    module.add_function(wrap_pyfunction!(shown::show_arguments, module)?)?;
    module.add_function(wrap_pyfunction!(listing::end_entry, module)?)?;
    module.add_function(wrap_pyfunction!(listing::end_entries, module)?)?;
    module.add_function(wrap_pyfunction!(listing::end_all, module)?)?;
    module.add_function(wrap_pyfunction!(fleet_members, module)?)?;
    module.add_function(wrap_pyfunction!(fleet_metrics, module)?)?;
    module.add_function(wrap_pyfunction!(set_host, module)?)?;
    module.add_function(wrap_pyfunction!(get_host, module)?)?;
    module.add_function(wrap_pyfunction!(parse_ttl, module)?)?;
    module.add_function(wrap_pyfunction!(seconds, module)?)?;
    module.add_function(wrap_pyfunction!(shutdown::shutdown, module)?)?;
    module.add_function(wrap_pyfunction!(_inspect, module)?)?;
    module.add_function(wrap_pyfunction!(_encode, module)?)?;
    module.add_function(wrap_pyfunction!(arity::takes_cause, module)?)?;
    module.add_function(wrap_pyfunction!(_meaning, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    // PyO3's list of names, which nobody imports by star.
    module.delattr("__all__")?;
    events::forward();
    let joined = fleet::read_environment(py);
    joined.map_err(|error| errors::setting_value(py, fleet::explained(&error)))?;
    watch_the_process(py)
}

/// Has the end of the process release everything, and a child process forget it, or keep it.
fn watch_the_process(py: Python<'_>) -> PyResult<()> {
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(fork::before_fork, py)?)?;
    let in_parent = wrap_pyfunction!(fork::after_fork_in_parent, py)?;
    hooks.set_item("after_in_parent", in_parent)?;
    hooks.set_item("after_in_child", wrap_pyfunction!(fork::after_fork, py)?)?;
    let os = py.import("os")?;
    if os.hasattr("register_at_fork")? {
        os.call_method("register_at_fork", (), Some(&hooks))?;
    }
    let at_exit = wrap_pyfunction!(exit::at_exit, py)?;
    // What goes last is what was registered first: callbacks may log until the end.
    py.import("logging")?;
    py.import("atexit")?.call_method1("register", (at_exit,))?;
    Ok(())
}

/// Clears every entry of every function.
#[pyfunction]
fn clear_all(py: Python<'_>) -> PyResult<()> {
    worker::watch_member(py)?;
    let _places = tasks::frames::enter(py)?;
    let _ended_by = place::ends(py, "clear()");
    heirs::forget(py);
    let in_cluster = naming::end_all_in_cluster(py, "clear", None);
    interrupts::to_caller(py, || {
        process::engine().clear_all();
        Ok(())
    })?;
    in_cluster
}

/// Clears every entry that carries this tag, of every function and in every scope.
///
/// A build under way that carries it goes to those who wait for it, and is not kept.
#[pyfunction]
fn clear_tag(py: Python<'_>, tag: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(tag) = tag.cast::<PyString>() else {
        return Err(PyTypeError::new_err(format!(
            "tenure.clear_tag takes one tag, which is a string, not {tag:?}. Example: \
             tenure.clear_tag(\"tenant:7\")"
        )));
    };
    let tag = tags::text_of(tag)?;
    worker::watch_member(py)?;
    let _places = tasks::frames::enter(py)?;
    let _ended_by = place::ends(py, "clear_tag()");
    heirs::forget_where(py, |heirloom| heirloom.carries(tag));
    let in_cluster = naming::end_all_in_cluster(py, "clear", Some(tag));
    interrupts::to_caller(py, || {
        process::engine().clear_tag(tag);
        Ok(())
    })?;
    in_cluster
}

/// Changes what holds for all functions.
#[pyfunction]
#[pyo3(signature = (**settings))]
fn configure(py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let mut config = process::config();
    let mut signals = None;
    let mut fleet = Written::default();
    for (name, value) in settings.into_iter().flatten() {
        let name: String = name.extract()?;
        let is_time = !matches!(name.as_str(), "max_weight" | "refresh_workers")
            && (name == "fleet_spread" || !name.starts_with("fleet"));
        if is_time {
            values::mind_unit(&name, &value)?;
        }
        match name.as_str() {
            "drain" => config.drain = values::duration(&name, &value)?,
            "session_grace" => {
                config.session_grace = values::duration(&name, &value)?.unwrap_or_default();
            }
            "version_grace" => config.version_grace = values::duration(&name, &value)?,
            "shutdown_timeout" => {
                let bound = values::duration(&name, &value)?;
                config.shutdown_bound = bound.ok_or_else(|| {
                    PyValueError::new_err(
                        "shutdown_timeout needs a time, so that a process can end. \
                         Example: tenure.configure(shutdown_timeout=\"5s\")",
                    )
                })?;
            }
            "refresh_workers" if value.is_none() => {
                config.refresh_workers = Config::default().refresh_workers;
            }
            "refresh_workers" => config.refresh_workers = values::workers(&value)?,
            "max_weight" => config.max_weight = values::max_weight(&value)?,
            "fleet" => fleet.url = values::text(&name, "redis://cache.internal", &value)?,
            "fleet_secret" => fleet.secret = values::text(&name, "…", &value)?,
            "fleet_name" => fleet.name = values::text(&name, "shop", &value)?,
            "fleet_lost" => {
                fleet.lost = Some(values::one_of(
                    &name,
                    &value,
                    [("serve", Lost::Serve), ("rebuild", Lost::Rebuild)],
                )?);
            }
            "fleet_forgot" => {
                fleet.forgot = Some(values::one_of(
                    &name,
                    &value,
                    [("expire", Ending::Expired), ("clear", Ending::Cleared)],
                )?);
            }
            "fleet_spread" => fleet.spread = values::duration(&name, &value)?,
            "handle_signals" => signals = Some(values::flag(&name, &value)?),
            // What a caller writes has been looked at by then.
            _ => return Err(PyTypeError::new_err(format!("no setting {name}"))),
        }
    }
    let told = fleet::choose(py, process::own_engine(), fleet);
    let told = told.map_err(|error| errors::setting_value(py, fleet::explained(&error)))?;
    if let Some(told) = told {
        log::line(py, false, &told);
    }
    process::configure(config);
    match signals {
        Some(allowed) => exit::signals::allow(py, allowed),
        None => Ok(()),
    }
}

/// Modules have been unloaded, to be loaded again: what is made of their classes is released.
#[pyfunction]
fn supersede_modules(names: &Bound<'_, PyFrozenSet>) {
    heirs::forget_where(names.py(), |it| it.value().is_made_of(names));
    let _ended_by =
        EndedBy::enter_with(|| "a reload of the module that its class is of".to_owned());
    let names: &Py<PyFrozenSet> = names.as_unbound();
    let is_outdated = |resource: &dyn Any| {
        let held = resource.downcast_ref::<Held>();
        held.is_some_and(|held| Python::attach(|py| held.is_made_of(names.bind(py))))
    };
    process::engine().release_where(&is_outdated, Cause::Superseded);
}

/// The figures of all functions of this process, by one look at one moment.
#[pyfunction]
fn report(py: Python<'_>) -> PyResult<info::Report> {
    Ok(info::Report::new(steering::engine_now(py)?.info()))
}

/// How this process stands with its fleet, in the text format of Prometheus; empty where it is in none.
#[pyfunction]
fn fleet_metrics(py: Python<'_>) -> String {
    let member = fleet::member();
    // It may be the last to hold a member that has left, which goes on to send what it has raised.
    py.detach(move || member.map_or(String::new(), |it| it.to_prometheus()))
}

/// The figures of each function of this process by its name with its module; functions of one name are summed.
#[pyfunction]
fn info_in_full(py: Python<'_>) -> PyResult<Vec<(String, info::Info)>> {
    let report = steering::engine_now(py)?.info();
    let functions = report.in_full().iter();
    Ok(functions
        .map(|(name, info)| (name.to_string(), info::Info::new(Arc::clone(info))))
        .collect())
}

/// Each resource that is kept in this process, with the name of its function and its module.
#[pyfunction]
fn kept(py: Python<'_>) -> PyResult<Vec<(String, Py<PyAny>)>> {
    let mut kept = Vec::new();
    steering::engine_now(py)?.show(&mut |name, resource| {
        if let Some(held) = resource.downcast_ref::<Held>() {
            kept.push((name.to_owned(), held.clone_ref(py)));
        }
    });
    Ok(kept)
}

/// A member as a tuple: its name, whether it is this process, its machine, its process there, its figures as JSON,
/// how many ends it has not heard of, and how long the bus takes.
type MemberTuple = (String, bool, String, u32, String, u64, Option<f64>);

/// All members of the fleet.
#[pyfunction]
fn fleet_members(py: Python<'_>, bound: f64) -> PyResult<Vec<MemberTuple>> {
    // The first use of it joins.
    process::engine();
    let Ok(bound) = Duration::try_from_secs_f64(bound) else {
        return Err(PyValueError::new_err(format!(
            "tenure.info waits for a time in seconds, from zero on, and not for {bound}. Example: \
             tenure.info(fleet=True, timeout=2)"
        )));
    };
    let Some(member) = fleet::member() else {
        return Err(PyRuntimeError::new_err(
            "this process is in no fleet, so there are no members to tell of. Write \
             tenure.configure(fleet=\"redis://…\", fleet_secret=\"…\"), or set TENURE_FLEET and \
             TENURE_FLEET_SECRET",
        ));
    };
    let asked = member.ask_members();
    // The program may leave its fleet meanwhile.
    drop(member);
    let members = match asked {
        Ok(asked) => answered(py, asked, bound)?,
        Err(error) => Err(error),
    };
    let members = members.map_err(|error| PyConnectionError::new_err(error.to_string()))?;
    let tuple = |it: Member| {
        let lag = it.lag.map(|lag| lag.as_secs_f64());
        (
            it.id, it.is_this, it.host, it.process, it.figures, it.behind, lag,
        )
    };
    Ok(members.into_iter().map(tuple).collect())
}

/// Waits so long at most, without the interpreter, and lets signals through.
fn answered(
    py: Python<'_>,
    mut asked: MembersAsked,
    bound: Duration,
) -> PyResult<Result<Vec<Member>, tenure_fleet::Error>> {
    let begun = Instant::now();
    loop {
        let left = bound.saturating_sub(begun.elapsed());
        let wait = &mut asked;
        if let Some(answer) = py.detach(move || wait.within(left.min(LOOK))) {
            return Ok(answer);
        }
        py.check_signals()?;
        if left <= LOOK {
            return Ok(Err(asked.give_up(bound)));
        }
    }
}

/// Sets the host, or takes it away.
#[pyfunction]
fn set_host(py: Python<'_>, adapter: Option<Py<PyAny>>) {
    host::set(py, adapter);
}

/// The host in force.
#[pyfunction]
fn get_host(py: Python<'_>) -> Option<Py<PyAny>> {
    host::get(py)
}

/// Reads a span of time as `pandas.Timedelta` does: nanoseconds, and whether it was a number
/// without a unit.
#[pyfunction]
fn parse_ttl(text: &str) -> PyResult<(u128, bool)> {
    let parsed = tenure::front::parse_duration("ttl", text)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((parsed.duration.as_nanos(), parsed.bare_number))
}

/// Reads a setting that is a span of time, in any of the forms of `ttl`, as seconds. `None`: for ever.
#[pyfunction]
fn seconds(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    values::mind_unit(name, value)?;
    Ok(values::duration(name, value)?.map(|it| it.as_secs_f64()))
}

/// Counts what the engine in force has under way, for tests that look for leftovers.
#[pyfunction]
fn _inspect(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let counts = process::engine().inspect();
    let all = [
        (
            "releasing",
            usize::try_from(counts.releasing).unwrap_or(usize::MAX),
        ),
        ("flights", counts.flights),
        ("waits", counts.waits),
        ("expiries", counts.expiries),
        ("endings", counts.endings),
        ("drains", counts.drains),
        ("jobs", counts.jobs),
        ("tags", counts.tags),
        ("sessions", process::engine().sessions()),
    ];
    let dict = PyDict::new(py);
    for (name, count) in all {
        dict.set_item(name, count)?;
    }
    Ok(dict)
}

/// The canonical bytes of one argument, for tests.
#[pyfunction]
#[pyo3(signature = (value, hash_funcs = None))]
fn _encode(
    py: Python<'_>,
    value: &Bound<'_, PyAny>,
    hash_funcs: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<u8>> {
    Ok(encoded(py, value, hash_funcs)?.as_bytes().to_vec())
}

/// How far the canonical bytes of one argument mean the same, for tests.
#[pyfunction]
#[pyo3(signature = (value, hash_funcs = None))]
fn _meaning(
    py: Python<'_>,
    value: &Bound<'_, PyAny>,
    hash_funcs: Option<&Bound<'_, PyAny>>,
) -> PyResult<&'static str> {
    Ok(match encoded(py, value, hash_funcs)?.meaning() {
        Meaning::Everywhere => "everywhere",
        Meaning::Version => "version",
        Meaning::Process => "process",
    })
}

fn encoded(
    py: Python<'_>,
    value: &Bound<'_, PyAny>,
    hash_funcs: Option<&Bound<'_, PyAny>>,
) -> PyResult<Encoder> {
    let funcs = match hash_funcs {
        Some(funcs) => HashFuncs::new(py, funcs)?,
        None => None,
    };
    let cx = Context {
        function: "_encode",
        hash_funcs: funcs.as_ref(),
    };
    let mut encoder = Encoder::new();
    encode::encode(py, &mut encoder, value.as_ptr(), "value", &cx)?;
    Ok(encoder)
}
