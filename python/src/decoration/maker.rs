//! The code that decorates a function: an edit changes it, and running it again does not.
//!
//! Two frames count: the one that calls the decorator, and the one further out that has the function's
//! own code among its constants. Often they are one: the factory's for a function that a factory
//! makes, the class body's for a method, the module's for what stands at its top. So a factory is the
//! same code whatever it is given and whatever is edited around it, and a decorator with settings of
//! its own, which calls Tenure's, is so only together with the place where it is used. For a function
//! that was defined elsewhere the module's frame takes the place of the second one, if it has a file.
//! Code at another place, in another function or file or reached without the second frame, is no edit
//! of the first: both are there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::UNIX_EPOCH;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyModule, PyString, PyWeakrefMethods, PyWeakrefReference};
use tenure::Encoder;
use tenure::front::{Digests, Origin};

use crate::decoration::code::{Code, defined_by};
use crate::decoration::files::is_from_file;
use crate::decoration::identity::{code_of, digest};
use crate::process::once::intern;
use crate::program::modules;

/// The code that decorates, as the engine's registry is told of it.
pub(crate) struct Maker {
    /// The code itself, by content.
    pub(crate) digest: [u8; 16],
    /// The function's own code, if the frame that defines it is seen.
    pub(crate) code: Option<[u8; 16]>,
    /// The code of everything that this frame defines.
    pub(crate) beside: Arc<[[u8; 16]]>,
    /// The names of its files and functions.
    pub(crate) place: [u8; 16],
    /// The state of the files that it and the function were read from, if all of it has files.
    pub(crate) stamp: Option<[u8; 16]>,
    /// The namespace and the very code object that run: other ones in another run of a script, in a
    /// module that is loaded anew, and in a cell of a notebook.
    pub(crate) run: [u8; 16],
    /// A number for each run of the program's main script.
    pub(crate) round: u64,
    /// The script or module that it stands in.
    pub(crate) origin: Origin,
    /// The code objects of `run`: kept with the function, so that no address is used again.
    pub(crate) codes: Vec<Py<PyAny>>,
}

/// How many frames are looked at.
const FRAMES_MAX: usize = 64;

/// The code that decorates the function with these layers now.
///
/// # Errors
/// What the parts of the frames raise when they are read.
pub(crate) fn of(py: Python<'_>, layers: &[Bound<'_, PyAny>]) -> PyResult<Maker> {
    let mut code = Encoder::with(Digests::Own);
    let mut run = Encoder::with(Digests::Own);
    let mut stamp = Encoder::with(Digests::Own);
    let mut has_files = true;
    let mut read = |globals: Option<Bound<'_, PyAny>>, file: &str| -> PyResult<()> {
        if is_from_file(py, file) {
            stamp.raw(&source_state(globals, file)?);
        } else {
            has_files = false;
        }
        Ok(())
    };
    let mut codes = Vec::new();
    for layer in layers {
        if let Some(code) = code_of(layer)? {
            read(
                layer.getattr_opt(intern!(py, "__globals__"))?,
                &file_of(&code)?,
            )?;
            codes.push(code);
        }
    }
    let (frames, defined) = frames(py, &codes)?;
    let mut place = Encoder::with(Digests::Own);
    let mut codes = Vec::new();
    let mut beside: Arc<[_]> = Arc::default();
    for frame in &frames {
        let executed = frame.getattr(intern!(py, "f_code"))?;
        let file = file_of(&executed)?;
        let has_file = is_from_file(py, &file);
        // Lines of input that use what an earlier one has defined are no edits of each other.
        if has_file || defined.is_some() {
            let read = Code::read(&executed)?;
            code.raw(&read.digest);
            beside = read.defines;
        }
        if has_file {
            place.framed(1, file.as_bytes());
        }
        let name = match executed.getattr_opt(intern!(py, "co_qualname"))? {
            Some(name) => name,
            None => executed.getattr(intern!(py, "co_name"))?,
        };
        place.framed(2, name.str()?.to_string_lossy().as_bytes());
        let globals = frame.getattr(intern!(py, "f_globals"))?;
        run.raw(&globals.as_ptr().addr().to_le_bytes());
        run.raw(&executed.as_ptr().addr().to_le_bytes());
        read(Some(globals), &file)?;
        codes.push(executed.unbind());
    }
    let round = round(py, frames.first())?;
    let (own, beside) = match defined {
        Some(at) => (beside.get(at).copied(), beside),
        None => Default::default(),
    };
    Ok(Maker {
        digest: digest(&code),
        code: own,
        beside,
        place: digest(&place),
        stamp: has_files.then(|| digest(&stamp)),
        run: digest(&run),
        round,
        origin: origin(py, frames.last(), round)?,
        codes,
    })
}

/// The script, in this round, or the module whose code this frame runs.
fn origin(py: Python<'_>, frame: Option<&Bound<'_, PyAny>>, round: u64) -> PyResult<Origin> {
    let Some(frame) = frame else {
        return Ok(Origin::Lasting);
    };
    let namespace = frame.getattr(intern!(py, "f_globals"))?;
    let name = namespace.call_method1(intern!(py, "get"), (intern!(py, "__name__"),))?;
    let Ok(name) = name.cast_into_exact::<PyString>() else {
        return Ok(Origin::Lasting);
    };
    if name == "__main__" {
        return Ok(Origin::Script(round));
    }
    // A script that runs under another name is none that a later one replaces: both may run.
    let spec = namespace.call_method1(intern!(py, "get"), (intern!(py, "__spec__"),))?;
    if spec.is_none() {
        return Ok(Origin::Lasting);
    }
    let modules = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "modules"))?;
    let loaded = modules.cast_into::<PyDict>()?.get_item(name)?;
    let is_loaded = match loaded.map(Bound::cast_into::<PyModule>) {
        Some(Ok(module)) => module.dict().is(&namespace),
        _ => false,
    };
    Ok(match is_loaded {
        true => Origin::Module(namespace.as_ptr().addr() as u64),
        false => Origin::Lasting,
    })
}

/// The frames whose code makes the function, from the inside out; and of what the last of them defines
/// which one it is, if that is seen.
fn frames<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyAny>],
) -> PyResult<(Vec<Bound<'py, PyAny>>, Option<usize>)> {
    let which = |code: &Bound<'py, PyAny>| -> PyResult<Option<usize>> {
        let is_one = |it: &Bound<'_, PyAny>| codes.iter().any(|code| code.is(it));
        Ok(defined_by(code)?.iter().position(is_one))
    };
    let mut caller = None;
    let sys = py.import(intern!(py, "sys"))?;
    let mut frame = sys.call_method0(intern!(py, "_getframe"))?;
    for _ in 0..FRAMES_MAX {
        if frame.is_none() {
            break;
        }
        let outer = frame.getattr(intern!(py, "f_back"))?;
        let code = frame.getattr(intern!(py, "f_code"))?;
        if caller.is_some() || !is_own(&frame)? {
            let defined = which(&code)?;
            let is_module = code.getattr(intern!(py, "co_name"))?.eq("<module>")?;
            if defined.is_some() || is_module {
                let counts = defined.is_some() || is_from_file(py, &file_of(&code)?);
                let further = (counts || caller.is_none()).then_some(frame);
                return Ok((caller.into_iter().chain(further).collect(), defined));
            }
            caller.get_or_insert(frame);
        }
        frame = outer;
    }
    // Called by a server or on a thread: what stands further out says nothing of the function.
    Ok((caller.into_iter().collect(), None))
}

/// Whether it is the frame of this package's own decorator.
fn is_own(frame: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = frame.py();
    let globals = frame.getattr(intern!(py, "f_globals"))?;
    let module = globals.call_method1(intern!(py, "get"), (intern!(py, "__name__"),))?;
    Ok(module.eq(intern!(py, "tenure._api"))? || module.eq(intern!(py, "tenure._settings"))?)
}

fn file_of(code: &Bound<'_, PyAny>) -> PyResult<String> {
    let file = code.getattr(intern!(code.py(), "co_filename"))?.str()?;
    Ok(file.to_string_lossy().into_owned())
}

/// The state of a source file when the code in it was read: for an imported module when it was
/// first asked for, because its code stays as it is when the file changes under it, and now for a
/// script.
fn source_state(globals: Option<Bound<'_, PyAny>>, file: &str) -> PyResult<[u8; 16]> {
    /// By file: the module's spec, and the state of the file when it was first asked for.
    type Seen = HashMap<String, (Py<PyAny>, [u8; 16])>;
    static SEEN: Mutex<Option<Seen>> = Mutex::new(None);
    let spec = match globals {
        Some(globals) => globals.call_method1("get", ("__spec__",))?,
        None => return Ok(state_now(file)),
    };
    if spec.is_none() {
        return Ok(state_now(file));
    }
    if let Some((known, state)) = guarded(&SEEN).get_or_insert_default().get(file)
        && known.is(&spec)
    {
        return Ok(*state);
    }
    let state = state_now(file);
    let replaced = guarded(&SEEN)
        .get_or_insert_default()
        .insert(file.to_owned(), (spec.unbind(), state));
    drop(replaced);
    Ok(state)
}

fn state_now(file: &str) -> [u8; 16] {
    let mut enc = Encoder::with(Digests::Own);
    enc.framed(1, file.as_bytes());
    if let Ok(metadata) = std::fs::metadata(file) {
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |time| time.as_nanos());
        enc.framed(2, &changed.to_le_bytes());
        enc.framed(3, &metadata.len().to_le_bytes());
    }
    digest(&enc)
}

/// A run of a main script: one namespace that it runs in.
struct Run {
    /// By address.
    namespace: usize,
    /// The holders of the namespace: while any of them lives no other one stands there.
    holders: Vec<Py<PyWeakrefReference>>,
    number: u64,
}

/// How many holders of a namespace are known.
const HOLDERS_MAX: usize = 16;

/// The number of the run of the main script that this frame is part of. A host that runs a script
/// again gives it a new namespace, and which one `sys.modules` has meanwhile is another session's as
/// soon as that runs.
fn round(py: Python<'_>, frame: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
    /// Locked only by who holds the interpreter, and nothing of Python's happens meanwhile.
    static RUNS: Mutex<(Vec<Run>, u64)> = Mutex::new((Vec::new(), 0));
    let Some(frame) = frame else {
        return Ok(0);
    };
    let namespace = main_namespace(frame)?;
    let at = namespace.as_ptr().addr();
    // Looking frees nothing.
    let lives = |it: &Py<PyWeakrefReference>| it.bind(py).upgrade().is_some();
    let is_on = |run: &Run| run.holders.iter().any(lives);
    let known = {
        let runs = guarded(&RUNS);
        let mut all = runs.0.iter();
        all.find(|run| run.namespace == at && is_on(run))
            .map(|run| run.number)
    };
    if let Some(number) = known {
        return Ok(number);
    }
    let holders = holders(frame, &namespace)?;
    let (over, number) = {
        let mut runs = guarded(&RUNS);
        let (all, last) = &mut *runs;
        let over: Vec<_> = all.extract_if(.., |run| !is_on(run)).collect();
        *last += 1;
        all.push(Run {
            namespace: at,
            holders,
            number: *last,
        });
        (over, *last)
    };
    drop(over);
    Ok(number)
}

/// The namespace of the main script that a frame was called from, or its own where that is none.
fn main_namespace<'py>(frame: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = frame.py();
    let mut at = frame.clone();
    for _ in 0..FRAMES_MAX {
        if at.is_none() {
            break;
        }
        let globals = at.getattr(intern!(py, "f_globals"))?;
        let globals = globals.cast_into::<PyDict>()?;
        let name = globals.get_item(intern!(py, "__name__"))?;
        if name.is_some_and(|name| {
            name.cast_exact::<PyString>()
                .is_ok_and(|it| it == "__main__")
        }) {
            return Ok(globals);
        }
        at = at.getattr(intern!(py, "f_back"))?;
    }
    let globals = frame.getattr(intern!(py, "f_globals"))?;
    Ok(globals.cast_into()?)
}

/// The holders of a namespace: the module, if it can be found, and functions that were defined in
/// it. Where there are none yet, the code of the frame has to do.
fn holders(
    frame: &Bound<'_, PyAny>,
    namespace: &Bound<'_, PyDict>,
) -> PyResult<Vec<Py<PyWeakrefReference>>> {
    let py = frame.py();
    let is_of = |it: &Bound<'_, PyFunction>| {
        it.getattr(intern!(py, "__globals__"))
            .is_ok_and(|globals| globals.is(namespace))
    };
    let module = modules::imported(py, intern!(py, "__main__"))
        .and_then(|main| main.cast_into::<PyModule>().ok())
        .filter(|main| main.dict().is(namespace));
    let functions = namespace
        .values()
        .iter()
        .filter_map(|it| it.cast_into_exact::<PyFunction>().ok())
        .filter(is_of)
        .map(Bound::into_any)
        .collect::<Vec<_>>();
    let mut holders: Vec<_> = module.map(Bound::into_any).into_iter().collect();
    holders.extend(functions);
    holders.truncate(HOLDERS_MAX);
    if holders.is_empty() {
        holders.push(frame.getattr(intern!(py, "f_code"))?);
    }
    let weakly = |it: &Bound<'_, PyAny>| Ok(PyWeakrefReference::new(it)?.unbind());
    holders.iter().map(weakly).collect()
}

fn guarded<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(|poison| poison.into_inner())
}
