//! Code objects by content: what a piece of code is, wherever it was compiled, and what it defines.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyCode, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use tenure::Encoder;
use tenure::front::Digests;

use crate::decoration::identity::digest;
use crate::encode::{self, Context};
use crate::process::once::intern;

/// A code object by content, without names of files and numbers of lines.
#[derive(Clone)]
pub(super) struct Code {
    /// The digest of it and all code in it.
    pub(super) digest: [u8; 16],
    /// The digest of each that it defines.
    pub(super) defines: Arc<[[u8; 16]]>,
    /// The digest of each that it defines, and that those define in turn.
    pub(super) holds: Arc<[[u8; 16]]>,
}

impl Code {
    /// Reads a code object, once while it lives.
    pub(super) fn read(code: &Bound<'_, PyAny>) -> PyResult<Self> {
        /// By address.
        type Known = HashMap<usize, (Py<PyWeakrefReference>, Code)>;
        /// Locked only by who holds the interpreter, and nothing of Python's happens meanwhile.
        static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
        let py = code.py();
        let at = code.as_ptr().addr();
        let known = {
            let known = KNOWN.lock().unwrap_or_else(|poison| poison.into_inner());
            let known = known.as_ref().and_then(|known| known.get(&at));
            known.map(|(known, read)| (known.clone_ref(py), read.clone()))
        };
        if let Some((known, read)) = known
            && known.bind(py).upgrade().is_some_and(|known| known.is(code))
        {
            return Ok(read);
        }
        let defined = defined_by(code)?;
        let count = defined.len();
        let holds = held_by(defined)?;
        let holds: Arc<[_]> = holds.iter().map(content).collect::<PyResult<_>>()?;
        let read = Self {
            digest: content(code)?,
            defines: holds[..count].into(),
            holds,
        };
        let known = PyWeakrefReference::new(code)?.unbind();
        let gone = {
            let mut all = KNOWN.lock().unwrap_or_else(|poison| poison.into_inner());
            let all = all.get_or_insert_default();
            // Amortised: what is gone is swept when the table would grow. Looking frees nothing.
            let mut gone: Vec<_> = if all.len() == all.capacity() {
                let is_gone = |it: &Py<PyWeakrefReference>| it.bind(py).upgrade().is_none();
                all.extract_if(|_, (code, _)| is_gone(code)).collect()
            } else {
                Vec::new()
            };
            let before = all.insert(at, (known, read.clone()));
            gone.extend(before.map(|before| (at, before)));
            gone
        };
        drop(gone);
        Ok(read)
    }
}

/// Whether code is a module's, or a text's that is run as one is.
pub(super) fn is_module(code: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = code.py();
    code.getattr(intern!(py, "co_name"))?
        .eq(intern!(py, "<module>"))
}

fn content(code: &Bound<'_, PyAny>) -> PyResult<[u8; 16]> {
    let mut enc = Encoder::with(Digests::Own);
    let cx = Context {
        function: "the code that decorates",
        hash_funcs: None,
    };
    encode::encode(code.py(), &mut enc, code.as_ptr(), "code", &cx)?;
    Ok(digest(&enc))
}

/// The code objects given, and then all that they define in turn.
fn held_by(mut all: Vec<Bound<'_, PyAny>>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let mut at = 0;
    while let Some(code) = all.get(at) {
        let within = defined_by(code)?;
        all.extend(within);
        at += 1;
    }
    Ok(all)
}

/// The code that this code defines functions and classes of, in the order in which it was compiled.
/// That of a generic one stands within code of its own, which holds the type parameters.
pub(super) fn defined_by<'py>(code: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let py = code.py();
    let constants = code.getattr(intern!(py, "co_consts"))?;
    let mut defined = Vec::new();
    for it in constants.cast_into::<PyTuple>()? {
        if !it.is_exact_instance_of::<PyCode>() {
            continue;
        }
        let name = it.getattr(intern!(py, "co_name"))?.str()?;
        match name
            .to_string_lossy()
            .starts_with("<generic parameters of ")
        {
            true => defined.extend(defined_by(&it)?),
            false => defined.push(it),
        }
    }
    Ok(defined)
}
