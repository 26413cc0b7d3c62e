//! What can be read from compiled code without running it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyCode, PyDict, PyString, PyTuple};

/// What a piece of code and the code inside it use.
#[derive(Default)]
pub(super) struct Seen {
    /// Globals, attributes and imported modules, by name.
    pub(super) names: Vec<String>,
    /// What is called without arguments, as far as it has a name that may be an attribute's.
    pub(super) asked: Vec<String>,
}

/// The numbers of the instructions that are looked for, which differ by version.
struct Numbers {
    call: Option<u8>,
    extended: Option<u8>,
    attribute: Option<u8>,
    method: Option<u8>,
    /// What stands between a callable and its call.
    between: Vec<u8>,
    /// What names a global, which is no field.
    globals: Vec<u8>,
    /// Whether the lowest bit of an attribute's number means something else.
    shifted: bool,
}

fn numbers(py: Python<'_>) -> PyResult<&'static Numbers> {
    static NUMBERS: PyOnceLock<Numbers> = PyOnceLock::new();
    NUMBERS.get_or_try_init(py, || {
        let map = py.import("opcode")?.getattr("opmap")?;
        let map = map.cast::<PyDict>()?;
        let number = |name: &str| -> Option<u8> { map.get_item(name).ok()??.extract().ok() };
        let all = |names: &[&str]| names.iter().filter_map(|name| number(name)).collect();
        Ok(Numbers {
            call: number("CALL"),
            extended: number("EXTENDED_ARG"),
            attribute: number("LOAD_ATTR"),
            method: number("LOAD_METHOD"),
            between: all(&["CACHE", "PRECALL", "PUSH_NULL", "NOP"]),
            globals: all(&["LOAD_GLOBAL", "LOAD_NAME", "LOAD_BUILD_CLASS"]),
            shifted: py.version_info() >= (3, 12),
        })
    })
}

/// Reads a piece of code and the code inside it.
///
/// # Errors
///
/// What reading its attributes raises.
pub(super) fn read(code: &Bound<'_, PyCode>) -> PyResult<Seen> {
    let mut seen = Seen::default();
    read_into(code, &mut seen)?;
    Ok(seen)
}

fn read_into(code: &Bound<'_, PyCode>, seen: &mut Seen) -> PyResult<()> {
    let numbers = numbers(code.py())?;
    let names: Vec<String> = code.getattr("co_names")?.extract()?;
    let constants = code.getattr("co_consts")?;
    let constants = constants.cast::<PyTuple>()?;
    let bytes = code.getattr("co_code")?;
    let mut before = None;
    let mut high = 0usize;
    for unit in bytes.cast::<PyBytes>()?.as_bytes().chunks_exact(2) {
        let (op, argument) = (unit[0], high << 8 | usize::from(unit[1]));
        high = 0;
        if Some(op) == numbers.extended {
            high = argument;
        } else if Some(op) == numbers.call {
            if argument == 0 {
                match before {
                    Some((op, at)) if Some(op) == numbers.method => {
                        seen.asked.extend(names.get(at).cloned());
                    }
                    Some((op, at)) if Some(op) == numbers.attribute => {
                        let at = if numbers.shifted { at >> 1 } else { at };
                        seen.asked.extend(names.get(at).cloned());
                    }
                    Some((op, _)) if numbers.globals.contains(&op) => {}
                    // A variable or a result: it may come from whatever the code names.
                    _ => {
                        seen.asked.extend(names.iter().cloned());
                        for constant in constants {
                            if let Ok(text) = constant.cast_exact::<PyString>() {
                                seen.asked.push(text.to_string_lossy().into_owned());
                            }
                        }
                    }
                }
            }
            before = Some((op, argument));
        } else if !numbers.between.contains(&op) {
            before = Some((op, argument));
        }
    }
    seen.names.extend(names);
    for constant in constants {
        if let Ok(inner) = constant.cast::<PyCode>() {
            read_into(inner, seen)?;
        }
    }
    Ok(())
}
