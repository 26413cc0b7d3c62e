//! Files: those on disk count by name, time of change and position, those in memory by content
//! and position (K14).
#![allow(unsafe_code)]

use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use crate::process::once::Once;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString, PyTuple};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Disk,
    Memory,
    /// An uploaded file, as Streamlit hands it out.
    Uploaded,
    /// A temporary file that may be in memory or on disk.
    Spooled,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "_io._IOBase" | "tempfile._TemporaryFileWrapper" => &Kind::Disk,
        "_io.BytesIO" | "_io.StringIO" => &Kind::Memory,
        "streamlit.runtime.uploaded_file_manager.UploadedFile" => &Kind::Uploaded,
        "tempfile.SpooledTemporaryFile" => &Kind::Spooled,
        _ => return None,
    })
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.file(*self, value, info)
    }

    fn covers_derived(&self) -> bool {
        true
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes a file.
    fn file(&mut self, kind: Kind, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        match kind {
            Kind::Disk => self.disk_file(value, info),
            Kind::Memory => self.memory_file(value, info),
            Kind::Uploaded => {
                self.memory_file(value, info)?;
                for name in ["name", "type"] {
                    self.inner(&value.getattr(name)?)?;
                }
                Ok(())
            }
            Kind::Spooled => self.own(value.getattr("_file")?.as_ptr()),
        }
    }

    fn memory_file(&mut self, file: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        self.enc.tag(tags::MEMORY_FILE);
        self.class_of_value(file, info)?;
        if file.getattr("closed")?.is_truthy()? {
            self.enc.tag(tags::ABSENT);
            return Ok(());
        }
        let failed = |error| Fault::raised(file.py(), class_of(file), "cannot be read", error);
        // `getvalue` of a BytesIO shares its memory where it can.
        let content = file.call_method0("getvalue").map_err(failed)?;
        self.inner(&content)?;
        let position = file.call_method0("tell").map_err(failed)?;
        self.inner(&position)
    }

    fn disk_file(&mut self, file: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        self.enc.tag(tags::FILE);
        self.class_of_value(file, info)?;
        let failed = |error| Fault::raised(file.py(), class_of(file), "cannot be read", error);
        match file.getattr_opt("name").map_err(failed)? {
            Some(name) => self.inner(&name)?,
            None => self.enc.tag(tags::ABSENT),
        }
        match file.getattr_opt("mode").map_err(failed)? {
            Some(mode) => self.inner(&mode)?,
            None => self.enc.tag(tags::ABSENT),
        }
        if let Some(text) = text_of(file)? {
            for name in ["encoding", "errors"] {
                self.inner(&text.getattr(name).map_err(failed)?)?;
            }
            self.inner(&newline(&text).map_err(failed)?)?;
        }
        if file.getattr("closed").map_err(failed)?.is_truthy()? {
            self.enc.tag(tags::ABSENT);
            return Ok(());
        }
        // What was written so far must show in the time of change.
        if truth(file, "writable") {
            file.call_method0("flush").map_err(failed)?;
        }
        let number = match file.call_method0("fileno") {
            Ok(number) if number.is_instance_of::<PyInt>() => number,
            Ok(_) => return Err(Fault::no_key(class_of(file), "is no file on disk")),
            Err(error) => return self.layer(file, error),
        };
        let facts = self
            .py
            .import("os")?
            .call_method1("fstat", (number,))
            .map_err(failed)?;
        for name in ["st_dev", "st_ino", "st_size", "st_mtime_ns"] {
            self.inner(&facts.getattr(name)?)?;
        }
        match position(file) {
            Some(position) => self.inner(&position),
            None => {
                self.enc.tag(tags::ABSENT);
                Ok(())
            }
        }
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes a file that has no number of its own by what it reads from, which may lie in memory.
    fn layer(&mut self, file: &Bound<'py, PyAny>, error: PyErr) -> Outcome {
        for name in ["buffer", "raw"] {
            // The base class of files has neither; a file that was detached raises.
            let Ok(inner) = file.getattr(name) else {
                continue;
            };
            self.own(inner.as_ptr())
                .map_err(|fault| fault.at(class_of(file), format!("its {name}")))?;
            match position(file) {
                Some(position) => self.inner(&position)?,
                None => self.enc.tag(tags::ABSENT),
            }
            return Ok(());
        }
        Err(Fault::raised(
            file.py(),
            class_of(file),
            "cannot be read",
            error,
        ))
    }
}

/// The layer of a file that makes texts of bytes, if it has one: the file itself, or what a temporary file wraps.
fn text_of<'py>(file: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = file.py();
    let text = TEXT.import(py, "io", "TextIOWrapper")?;
    if file.is_instance(text)? {
        return Ok(Some(file.clone()));
    }
    let wrapper = TEMPORARY.import(py, "tempfile", "_TemporaryFileWrapper")?;
    if file.is_instance(wrapper)? {
        let inner = file.getattr("file")?;
        return Ok(inner.is_instance(text)?.then_some(inner));
    }
    Ok(None)
}

static TEXT: Once<Py<PyAny>> = Once::new();
static TEMPORARY: Once<Py<PyAny>> = Once::new();

/// The ends of lines that a text file was opened with. It shows them nowhere: among the objects that it holds
/// they come after its encoding, where they are not `None`, and before what it has decoded and not yet given,
/// beside which a tuple says where that began.
fn newline<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = text.py();
    let mut layers = Layers::of(text)?;
    if layers.is_universal && layers.has_begun && layers.texts.len() == 1 {
        // A text alone may be either. A file that is sought to where it stands holds nothing decoded.
        let place = text.call_method0("tell");
        if let Ok(place) = place
            && text.call_method1("seek", (place,)).is_ok()
        {
            layers = Layers::of(text)?;
        }
    }
    let ends: &[&str] = match layers.is_universal {
        true => &[""],
        false => &["", "\n", "\r", "\r\n"],
    };
    let first = layers.texts.into_iter().next();
    Ok(first
        .filter(|first| ends.iter().any(|end| first.eq(end).unwrap_or(false)))
        .unwrap_or_else(|| py.None().into_bound(py)))
}

/// What a text file holds beside its encoding and how it meets errors.
struct Layers<'py> {
    texts: Vec<Bound<'py, PyAny>>,
    /// Whether any end of a line ends one.
    is_universal: bool,
    /// Whether it says where something decoded began.
    has_begun: bool,
}

impl<'py> Layers<'py> {
    fn of(text: &Bound<'py, PyAny>) -> PyResult<Self> {
        let (encoding, errors) = (text.getattr("encoding")?, text.getattr("errors")?);
        let mut layers = Self {
            texts: Vec::new(),
            is_universal: false,
            has_begun: false,
        };
        let held = text
            .py()
            .import("gc")?
            .call_method1("get_referents", (text,))?
            .extract::<Vec<Bound<'py, PyAny>>>()?;
        for held in held {
            if held.is_instance_of::<PyString>() {
                if !held.is(&encoding) && !held.is(&errors) {
                    layers.texts.push(held);
                }
            } else {
                layers.is_universal |= class_of(&held) == "_io.IncrementalNewlineDecoder";
                layers.has_begun |= held.is_instance_of::<PyTuple>();
            }
        }
        Ok(layers)
    }
}

/// Whether a file says so; one that cannot say does not.
fn truth(file: &Bound<'_, PyAny>, method: &str) -> bool {
    file.call_method0(method)
        .and_then(|answer| answer.is_truthy())
        .unwrap_or(false)
}

/// Where a file stands. A text file that is being iterated over cannot say, but what it reads
/// from can; a pipe has no position.
fn position<'py>(file: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = file.py();
    if !truth(file, "seekable") {
        return None;
    }
    match file.call_method0("tell") {
        Ok(position) => Some(position),
        Err(error) if error.is_instance_of::<PyException>(py) => {
            file.getattr("buffer").ok()?.call_method0("tell").ok()
        }
        Err(_) => None,
    }
}
