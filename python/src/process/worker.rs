//! Worker processes that end by `os._exit`, past `atexit`: their library has to be asked.
//!
//! `multiprocessing` makes them, or a copy of it, whatever that is called: `multiprocess` pickles
//! otherwise, `billiard` is the one under Celery. A copy is known by its shape: a module `process`
//! that tells which process this is, beside a module `util` whose finalizers run at a worker's end.
//! A pool that ends its workers past those too has a callback for it (`on_exit`).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule, PyString, PyTuple};

use crate::process::once::intern;
use crate::process::{self, shutdown};
use crate::program::modules;

/// Has the end of a worker that is a member of a fleet tell what it has ended. Asked where it ends something, which it may
/// do without having built anything.
pub(crate) fn watch_member(py: Python<'_>) -> PyResult<()> {
    // Made here where it is not there yet: that is when it joins.
    match process::engine().fleet() {
        Some(_) => watch(py),
        None => Ok(()),
    }
}

/// Has the end of a worker release everything. Asked at each build: a process becomes a worker only
/// after its modules were imported.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    static WATCHED: AtomicU32 = AtomicU32::new(u32::MAX);
    let process = process::own_generation();
    if WATCHED.load(Ordering::Relaxed) == process {
        return Ok(());
    }
    for package in copies(py)? {
        let package = package.cast_into()?;
        if let Some(worker) = running(&package)? {
            release_at_the_end_of(&worker, &package)?;
            WATCHED.store(process, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// The names of the copies that the program has imported; looked for anew where it has imported
/// something since.
fn copies(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    /// Locked only by who holds the interpreter, so that it is free after a fork.
    static KNOWN: Mutex<Option<(usize, Py<PyTuple>)>> = Mutex::new(None);

    let modules = modules::all(py);
    let number = modules.len();
    {
        let known = KNOWN.lock().expect("nothing panics under this lock");
        if let Some((_, packages)) = known.as_ref().filter(|(then, _)| *then == number) {
            return Ok(packages.bind(py).clone());
        }
    }
    // Read without running any Python code, so that it stays as it is meanwhile.
    let named = modules.iter().filter_map(|(name, _)| {
        let name = name.cast::<PyString>().ok()?.to_str().ok()?;
        Some(name.strip_suffix(".process")?.to_owned())
    });
    let mut packages = Vec::new();
    for package in named.collect::<Vec<_>>() {
        let package = PyString::new(py, &package);
        if member(&package, "process", intern!(py, "_current_process"))?.is_some()
            && member(&package, "util", intern!(py, "Finalize"))?.is_some()
        {
            packages.push(package);
        }
    }
    let packages = PyTuple::new(py, packages)?;
    let mut now = Some((number, packages.clone().unbind()));
    {
        let mut known = KNOWN.lock().expect("nothing panics under this lock");
        std::mem::swap(&mut *known, &mut now);
    }
    Ok(packages)
}

/// An attribute of an imported module of a package, looked up without a Python frame.
fn member<'py>(
    package: &Bound<'py, PyString>,
    module: &str,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let module = PyString::new(package.py(), &format!("{}.{module}", package.to_str()?));
    match modules::imported(package.py(), &module).map(Bound::cast_into::<PyModule>) {
        Some(Ok(module)) => module.dict().get_item(name),
        _ => Ok(None),
    }
}

/// The worker that this process is to a copy, if it is one.
fn running<'py>(package: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = package.py();
    let Some(process) = member(package, "process", intern!(py, "_current_process"))? else {
        return Ok(None);
    };
    // The main process is the one that nobody has started.
    let parent = process.getattr_opt(intern!(py, "_parent_pid"))?;
    Ok(parent.filter(|parent| !parent.is_none()).map(|_| process))
}

fn release_at_the_end_of(worker: &Bound<'_, PyAny>, package: &Bound<'_, PyString>) -> PyResult<()> {
    let py = package.py();
    if let Some(finalize) = member(package, "util", intern!(py, "Finalize"))? {
        let options = PyDict::new(py);
        options.set_item(intern!(py, "exitpriority"), 0)?;
        let shutdown = wrap_pyfunction!(shutdown::shutdown, py)?;
        finalize.call((py.None(), shutdown), Some(&options))?;
    }
    // What a pool has its workers run, where that is an object of its own.
    let Some(body) = worker.getattr_opt(intern!(py, "_target"))? else {
        return Ok(());
    };
    let class = member(package, "pool", intern!(py, "Worker"))?;
    let on_exit = intern!(py, "on_exit");
    if class.is_some_and(|class| body.is_instance(&class).unwrap_or(false))
        && let Some(earlier) = body.getattr_opt(on_exit)?
    {
        let both = wrap_pyfunction!(shutdown_after, py)?;
        let partial = py.import("functools")?.getattr("partial")?;
        body.setattr(on_exit, partial.call1((both, earlier))?)?;
    }
    Ok(())
}

/// A pool's callback: first the program's own, which may still use what is held.
#[pyfunction]
#[pyo3(signature = (earlier, *arguments))]
fn shutdown_after(
    earlier: Option<&Bound<'_, PyAny>>,
    arguments: &Bound<'_, PyTuple>,
) -> PyResult<()> {
    if let Some(earlier) = earlier {
        earlier.call1(arguments)?;
    }
    shutdown::shutdown(arguments.py()).map(drop)
}
