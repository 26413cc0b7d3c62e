//! The code that decorates a function: an edit changes it, and running it again does not.
//!
//! Two frames count: the one that calls the decorator, and the one further out that has the function's
//! own code among its constants. Often they are one: the factory's for a function that a factory
//! makes, the class body's for a method, the module's for what stands at its top. So a factory is the
//! same code whatever it is given and whatever is edited around it, and a decorator with settings of
//! its own, which calls Tenure's, is so only together with the place where it is used. A function that
//! another one goes around, which wraps it or captures it, is a part of that one's code: what defines it
//! counts as well. For a function that was defined elsewhere the module's frame takes the place of the
//! second one, if it has a file.
//! Code at another place, in another function or file or reached without the second frame, is no edit
//! of the first: both are there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::UNIX_EPOCH;

use pyo3::prelude::*;
use pyo3::types::{
    PyDict, PyFunction, PyModule, PyString, PyTuple, PyWeakrefMethods, PyWeakrefReference,
};
use tenure::Encoder;
use tenure::front::{Digests, Origin, Stamp};

use crate::decoration::code::{Code, defined_by, is_module};
use crate::decoration::files::{is_from_file, typed_lines};
use crate::decoration::identity::{code_of, digest};
use crate::process::once::intern;
use crate::program::modules;

/// The code that decorates, as the engine's registry is told of it.
pub(crate) struct Maker {
    /// The code itself, by content.
    pub(crate) digest: [u8; 16],
    /// The function's own code and that of those within it, as far as frames define them.
    pub(crate) code: Arc<[[u8; 16]]>,
    /// The code of everything that these frames define, and the module around the outermost one.
    pub(crate) beside: Arc<[Arc<[[u8; 16]]>]>,
    /// The names of its files and functions.
    pub(crate) place: [u8; 16],
    /// The state of the files that it and the function were read from, or of the lines that were typed.
    pub(crate) stamp: Stamp,
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

/// How many functions are looked at, of those that one goes around.
const CAPTURED_MAX: usize = 16;

/// The code that decorates the function with these layers now.
///
/// # Errors
/// What the parts of the frames raise when they are read.
pub(crate) fn of(py: Python<'_>, layers: &[Bound<'_, PyAny>]) -> PyResult<Maker> {
    let mut made_of = Encoder::with(Digests::Own);
    let mut run = Encoder::with(Digests::Own);
    let mut states = Encoder::with(Digests::Own);
    let (mut has_files, mut has_lines) = (true, true);
    let mut note_state = |globals: Option<Bound<'_, PyAny>>, file: &str| -> PyResult<()> {
        if is_from_file(py, file) {
            states.raw(&source_state(globals, file)?);
            return Ok(());
        }
        has_files = false;
        match typed_lines(py, file) {
            Some(lines) => states.framed(1, lines.as_bytes()),
            None => has_lines = false,
        }
        Ok(())
    };
    let mut codes = Vec::new();
    for layer in layers {
        if let Some(code) = code_of(layer)? {
            note_state(
                layer.getattr_opt(intern!(py, "__globals__"))?,
                &file_of(&code)?,
            )?;
            codes.push(code);
        }
    }
    codes.extend(captured(layers)?);
    let frames = frames(py, &codes)?;
    let is_seen = frames.iter().any(|(_, defined)| !defined.is_empty());
    let mut place = Encoder::with(Digests::Own);
    let (mut own, mut beside) = (Vec::new(), Vec::new());
    let mut names = Encoder::with(Digests::Own);
    let mut has_name = true;
    let mut codes = Vec::new();
    for (frame, defined) in &frames {
        let executed = frame.getattr(intern!(py, "f_code"))?;
        let file = file_of(&executed)?;
        let has_file = is_from_file(py, &file);
        // Lines of input that use what an earlier one has defined are no edits of each other.
        if has_file || is_seen {
            let Code {
                digest, defines, ..
            } = Code::read(&executed)?;
            made_of.raw(&digest);
            for (at, code) in defined {
                let name = name_of(code)?;
                own.push(defines[*at]);
                names.framed(1, name.as_bytes());
                has_name &= name != "<lambda>" || !is_module(&executed)?;
            }
            if !defined.is_empty() {
                beside.push(defines);
            }
        }
        if has_file {
            place.framed(1, file.as_bytes());
        }
        place.framed(2, name_of(&executed)?.as_bytes());
        let globals = frame.getattr(intern!(py, "f_globals"))?;
        run.raw(&globals.as_ptr().addr().to_le_bytes());
        run.raw(&executed.as_ptr().addr().to_le_bytes());
        note_state(Some(globals), &file)?;
        codes.push(executed.unbind());
    }
    let (inner, outer) = (frames.first(), frames.last());
    let round = round(py, inner.map(|(frame, _)| frame))?;
    if is_seen
        && let Some((frame, _)) = outer
        && let Some(module) = module_around(frame)?
    {
        beside.push(Code::read(&module)?.holds);
    }
    let stamp = match (has_files, has_lines) {
        (true, _) => Stamp::File(digest(&states)),
        (false, true) => Stamp::Typed(digest(&states)),
        (false, false) => Stamp::Unknown,
    };
    if !has_files {
        // Wrappers that one decorator makes have one name, and what they go around need not stand together.
        place.framed(3, &digest(&names));
    }
    if matches!(stamp, Stamp::Typed(_)) && !has_name {
        // What somebody types later takes the name of what it replaces, and this has none.
        place.framed(4, &digest(&made_of));
    }
    Ok(Maker {
        digest: digest(&made_of),
        code: own.into(),
        beside: beside.into(),
        place: digest(&place),
        stamp,
        run: digest(&run),
        round,
        origin: origin(py, outer.map(|(frame, _)| frame), round)?,
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

/// Code that a frame defines, by where it stands among all that it defines.
type Defined<'py> = Vec<(usize, Bound<'py, PyAny>)>;

/// The frames whose code makes the function, from the inside out, each with what it defines of the function.
fn frames<'py>(
    py: Python<'py>,
    codes: &[Bound<'py, PyAny>],
) -> PyResult<Vec<(Bound<'py, PyAny>, Defined<'py>)>> {
    let which = |code: &Bound<'py, PyAny>| -> PyResult<Defined<'py>> {
        let all = defined_by(code)?.into_iter().enumerate();
        let own = all.filter(|(_, it)| codes.iter().any(|code| code.is(it)));
        Ok(own.collect())
    };
    let mut frames: Vec<(Bound<'py, PyAny>, Defined<'py>)> = Vec::new();
    let mut missing = codes.len();
    let sys = py.import(intern!(py, "sys"))?;
    let mut frame = sys.call_method0(intern!(py, "_getframe"))?;
    for _ in 0..FRAMES_MAX {
        if frame.is_none() {
            break;
        }
        let outer = frame.getattr(intern!(py, "f_back"))?;
        let code = frame.getattr(intern!(py, "f_code"))?;
        if !frames.is_empty() || !is_own(&frame)? {
            let own = which(&code)?;
            let is_module = is_module(&code)?;
            missing = missing.saturating_sub(own.len());
            // In the place of a frame that defines it: the module's, which may be edited.
            let is_seen = !own.is_empty() || frames.iter().any(|(_, defined)| !defined.is_empty());
            let stands_in = is_module && !is_seen && is_from_file(py, &file_of(&code)?);
            if frames.is_empty() || !own.is_empty() || stands_in {
                frames.push((frame, own));
            }
            if missing == 0 || is_module {
                break;
            }
        }
        frame = outer;
    }
    // Called by a server or on a thread: what stands further out says nothing of the function.
    Ok(frames)
}

/// The code of the module that a frame is of, while that is still run.
fn module_around<'py>(frame: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = frame.py();
    let globals = frame.getattr(intern!(py, "f_globals"))?;
    let mut frame = frame.clone();
    while !frame.is_none() && frame.getattr(intern!(py, "f_globals"))?.is(&globals) {
        let code = frame.getattr(intern!(py, "f_code"))?;
        if is_module(&code)? {
            return Ok(Some(code));
        }
        frame = frame.getattr(intern!(py, "f_back"))?;
    }
    Ok(None)
}

/// The code of the functions that these go around, as they have captured them.
fn captured<'py>(layers: &[Bound<'py, PyAny>]) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut met: Vec<Bound<'py, PyAny>> = layers.to_vec();
    let mut codes = Vec::new();
    let mut at = 0;
    while at < met.len() && met.len() < CAPTURED_MAX {
        let function = met[at].clone();
        at += 1;
        let Ok(function) = function.cast_into_exact::<PyFunction>() else {
            continue;
        };
        let closure = function.getattr(intern!(function.py(), "__closure__"))?;
        let Ok(cells) = closure.cast_into::<PyTuple>() else {
            continue;
        };
        for cell in cells {
            // One without a value raises.
            let Ok(value) = cell.getattr(intern!(cell.py(), "cell_contents")) else {
                continue;
            };
            if value.is_exact_instance_of::<PyFunction>() && !met.iter().any(|it| it.is(&value)) {
                codes.extend(code_of(&value)?);
                met.push(value);
            }
        }
    }
    Ok(codes)
}

/// The qualified name of code, where its Python has one.
fn name_of(code: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = code.py();
    let name = match code.getattr_opt(intern!(py, "co_qualname"))? {
        Some(name) => name,
        None => code.getattr(intern!(py, "co_name"))?,
    };
    Ok(name.str()?.to_string_lossy().into_owned())
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
