//! A reading of compiled code that does not run it.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCode, PyDict, PyFrozenSet, PyString, PyTuple};

use crate::process::once::Once;

/// The names that a piece of code and the code inside it use.
#[derive(Default)]
pub(super) struct Seen {
    /// Globals, attributes and imported modules, by name; where code asks for such by a text, its texts too.
    pub(super) names: Vec<String>,
    /// Those that are asked of something as attributes.
    pub(super) attributes: Vec<String>,
    /// Those that are looked up among the globals.
    pub(super) globals: Vec<String>,
    /// The texts among the constants.
    pub(super) texts: Vec<String>,
    /// Names called without arguments, as far as they may be an attribute's.
    pub(super) asked: Vec<String>,
    /// The modules that the code imports itself.
    pub(super) imports: Vec<String>,
    /// Names called with or without arguments as something's attribute.
    pub(super) methods: Vec<String>,
    /// Whether a global is called without arguments: what it gives is its own.
    pub(super) calls_out: bool,
}

/// The numbers of the instructions that are looked for, which differ by version.
struct Numbers {
    call: Option<u8>,
    extended: Option<u8>,
    import: Option<u8>,
    attribute: Option<u8>,
    super_attribute: Option<u8>,
    method: Option<u8>,
    global: Option<u8>,
    /// The instructions that may stand between a callable and its call.
    between: Vec<u8>,
    /// The instructions that name a global, which is no field.
    globals: Vec<u8>,
    /// The instructions that name an attribute which they set or delete.
    stores: Vec<u8>,
    /// Whether the lowest bit of an attribute's number means something else.
    shifted: bool,
}

fn numbers(py: Python<'_>) -> PyResult<&'static Numbers> {
    static NUMBERS: Once<Numbers> = Once::new();
    NUMBERS.get_or_try_init(py, || {
        let map = py.import("opcode")?.getattr("opmap")?;
        let map = map.cast::<PyDict>()?;
        let number = |name: &str| -> Option<u8> { map.get_item(name).ok()??.extract().ok() };
        let all = |names: &[&str]| names.iter().filter_map(|name| number(name)).collect();
        Ok(Numbers {
            call: number("CALL"),
            extended: number("EXTENDED_ARG"),
            import: number("IMPORT_NAME"),
            attribute: number("LOAD_ATTR"),
            super_attribute: number("LOAD_SUPER_ATTR"),
            global: number("LOAD_GLOBAL"),
            method: number("LOAD_METHOD"),
            between: all(&["CACHE", "PRECALL", "PUSH_NULL", "NOP"]),
            globals: all(&["LOAD_GLOBAL", "LOAD_NAME", "LOAD_BUILD_CLASS"]),
            stores: all(&["STORE_ATTR", "DELETE_ATTR"]),
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
    let mut seen = Seen {
        texts: texts(code)?,
        ..Seen::default()
    };
    read_into(code, &mut seen)?;
    if seen.names.iter().any(|name| FINDS.contains(&name.as_str())) {
        seen.names.extend(seen.texts.iter().cloned());
    }
    Ok(seen)
}

/// What finds a global or an attribute under a text.
const FINDS: [&str; 6] = [
    "__dict__",
    "attrgetter",
    "getattr",
    "globals",
    "methodcaller",
    "vars",
];

/// Whether the code calls a variable or a result with nothing in hand, which may come from whatever it names.
fn read_into(code: &Bound<'_, PyCode>, seen: &mut Seen) -> PyResult<bool> {
    let numbers = numbers(code.py())?;
    let names: Vec<String> = code.getattr("co_names")?.extract()?;
    let constants = code.getattr("co_consts")?;
    let constants = constants.cast::<PyTuple>()?;
    let bytes = code.getattr("co_code")?;
    let mut before = None;
    let mut is_loose = false;
    let mut high = 0usize;
    for unit in bytes.cast::<PyBytes>()?.as_bytes().chunks_exact(2) {
        let (op, argument) = (unit[0], high << 8 | usize::from(unit[1]));
        high = 0;
        if numbers.globals.contains(&op) {
            let at = if Some(op) == numbers.global {
                argument >> 1
            } else {
                argument
            };
            seen.globals.extend(names.get(at).cloned());
        } else if Some(op) == numbers.super_attribute {
            seen.attributes.extend(names.get(argument >> 2).cloned());
        } else if Some(op) == numbers.method || Some(op) == numbers.attribute {
            let is_shifted = numbers.shifted && Some(op) == numbers.attribute;
            let at = if is_shifted { argument >> 1 } else { argument };
            seen.attributes.extend(names.get(at).cloned());
        }
        if Some(op) == numbers.import {
            seen.imports.extend(names.get(argument).cloned());
        } else if Some(op) == numbers.method {
            seen.methods.extend(names.get(argument).cloned());
        } else if Some(op) == numbers.attribute && numbers.shifted && argument & 1 == 1 {
            seen.methods.extend(names.get(argument >> 1).cloned());
        }
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
                    Some((op, at)) if numbers.globals.contains(&op) => {
                        let is_super = [at, at >> 1]
                            .iter()
                            .any(|&at| names.get(at).is_some_and(|name| name == "super"));
                        seen.calls_out |= !is_super;
                    }
                    // A variable or a result: it may come from whatever the code names.
                    _ => {
                        is_loose = true;
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
    for constant in constants {
        if let Ok(inner) = constant.cast::<PyCode>() {
            let calls_out = seen.calls_out;
            let inner_is_loose = read_into(inner, seen)?;
            // An inner function runs when it is called; a comprehension, at once.
            let name: String = inner.getattr("co_name")?.extract()?;
            if !name.starts_with('<') {
                seen.calls_out = calls_out;
            } else if inner_is_loose {
                seen.asked.extend(names.iter().cloned());
            }
        }
    }
    seen.names.extend(names);
    Ok(is_loose)
}

/// The names under which a piece of code and the code inside it store something in an object: by a statement, or as
/// texts where it sets attributes by their names.
///
/// # Errors
///
/// What reading its attributes raises.
pub(super) fn stored(code: &Bound<'_, PyCode>) -> PyResult<Vec<String>> {
    let mut stored = Vec::new();
    for code in all(code)? {
        let names: Vec<String> = code.getattr("co_names")?.extract()?;
        let by_name = |name: &String| name.contains("setattr") || BY_NAME.contains(&name.as_str());
        if names.iter().any(by_name) {
            stored.extend(texts(&code)?);
        }
        let numbers = numbers(code.py())?;
        for (op, argument) in units(&code)? {
            if numbers.stores.contains(&op) {
                stored.extend(names.get(argument).cloned());
            }
        }
    }
    Ok(stored)
}

/// What gives the dict of an object.
const BY_NAME: [&str; 2] = ["__dict__", "vars"];

/// The texts among the constants of a piece of code and of the code inside it, tuples and sets of them included.
///
/// # Errors
///
/// What reading its attributes raises.
pub(super) fn texts(code: &Bound<'_, PyCode>) -> PyResult<Vec<String>> {
    let mut texts = Vec::new();
    for code in all(code)? {
        for constant in code.getattr("co_consts")?.cast::<PyTuple>()? {
            if let Ok(text) = constant.cast_exact::<PyString>() {
                texts.push(text.to_string_lossy().into_owned());
            } else if constant.is_exact_instance_of::<PyTuple>()
                || constant.is_exact_instance_of::<PyFrozenSet>()
            {
                let inner = constant.try_iter()?.flatten();
                texts.extend(inner.filter_map(|text| text.extract::<String>().ok()));
            }
        }
    }
    Ok(texts)
}

/// A piece of code and the code inside it, at any depth.
fn all<'py>(code: &Bound<'py, PyCode>) -> PyResult<Vec<Bound<'py, PyCode>>> {
    let mut all = vec![code.clone()];
    let mut at = 0;
    while at < all.len() {
        for constant in all[at].getattr("co_consts")?.cast::<PyTuple>()? {
            if let Ok(inner) = constant.cast_into::<PyCode>() {
                all.push(inner);
            }
        }
        at += 1;
    }
    Ok(all)
}

/// The instructions of a piece of code with their arguments.
fn units(code: &Bound<'_, PyCode>) -> PyResult<Vec<(u8, usize)>> {
    let extended = numbers(code.py())?.extended;
    let bytes = code.getattr("co_code")?;
    let mut units = Vec::new();
    let mut high = 0usize;
    for unit in bytes.cast::<PyBytes>()?.as_bytes().chunks_exact(2) {
        let argument = high << 8 | usize::from(unit[1]);
        high = if Some(unit[0]) == extended {
            argument
        } else {
            0
        };
        units.push((unit[0], argument));
    }
    Ok(units)
}

/// The names that code without loops or changes to anything uses.
#[derive(Default)]
pub(super) struct Names {
    pub(super) globals: Vec<String>,
    pub(super) attributes: Vec<String>,
}

/// The instructions that such code may have: they read, call and compare, and make new values.
const STRAIGHT: [&str; 61] = [
    "BINARY_OP",
    "BINARY_SLICE",
    "BINARY_SUBSCR",
    "BUILD_CONST_KEY_MAP",
    "BUILD_LIST",
    "BUILD_MAP",
    "BUILD_SET",
    "BUILD_SLICE",
    "BUILD_STRING",
    "BUILD_TUPLE",
    "CACHE",
    "CALL",
    "CALL_KW",
    "COMPARE_OP",
    "CONTAINS_OP",
    "CONVERT_VALUE",
    "COPY",
    "EXTENDED_ARG",
    "FORMAT_SIMPLE",
    "FORMAT_VALUE",
    "FORMAT_WITH_SPEC",
    "IS_OP",
    "JUMP_FORWARD",
    "JUMP_IF_FALSE_OR_POP",
    "JUMP_IF_TRUE_OR_POP",
    "KW_NAMES",
    "LIST_EXTEND",
    "LOAD_ATTR",
    "LOAD_COMMON_CONSTANT",
    "LOAD_CONST",
    "LOAD_CONST_IMMORTAL",
    "LOAD_FAST",
    "LOAD_FAST_BORROW",
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
    "LOAD_FAST_CHECK",
    "LOAD_FAST_LOAD_FAST",
    "LOAD_GLOBAL",
    "LOAD_METHOD",
    "LOAD_SMALL_INT",
    "NOP",
    "NOT_TAKEN",
    "POP_JUMP_FORWARD_IF_FALSE",
    "POP_JUMP_FORWARD_IF_NONE",
    "POP_JUMP_FORWARD_IF_NOT_NONE",
    "POP_JUMP_FORWARD_IF_TRUE",
    "POP_JUMP_IF_FALSE",
    "POP_JUMP_IF_NONE",
    "POP_JUMP_IF_NOT_NONE",
    "POP_JUMP_IF_TRUE",
    "POP_TOP",
    "PRECALL",
    "PUSH_NULL",
    "RESUME",
    "RETURN_CONST",
    "RETURN_VALUE",
    "STORE_FAST",
    "STORE_FAST_LOAD_FAST",
    "SWAP",
    "TO_BOOL",
    "UNARY_NEGATIVE",
    "UNARY_NOT",
];

/// Reads code that has no loops, holds no other code, and changes nothing but its own variables;
/// `None` for any other.
///
/// # Errors
///
/// What reading its attributes raises.
pub(super) fn straight(code: &Bound<'_, PyCode>) -> PyResult<Option<Names>> {
    static DIS: Once<Py<PyAny>> = Once::new();
    let constants = code.getattr("co_consts")?;
    let holds_code = constants
        .cast::<PyTuple>()?
        .iter()
        .any(|constant| constant.is_instance_of::<PyCode>());
    let free: usize = code.getattr("co_freevars")?.len()?;
    let cells: usize = code.getattr("co_cellvars")?.len()?;
    let count: usize = code.getattr("co_argcount")?.extract()?;
    if holds_code || free + cells > 0 || count != 1 {
        return Ok(None);
    }
    let mut names = Names::default();
    let instructions = DIS
        .import(code.py(), "dis", "get_instructions")?
        .call1((code,))?;
    for instruction in instructions.try_iter()? {
        let instruction = instruction?;
        let name: String = instruction.getattr("opname")?.extract()?;
        if !STRAIGHT.contains(&name.as_str()) {
            return Ok(None);
        }
        let argument = || instruction.getattr("argval")?.extract::<String>();
        match name.as_str() {
            "LOAD_GLOBAL" => names.globals.push(argument()?),
            "LOAD_ATTR" | "LOAD_METHOD" => names.attributes.push(argument()?),
            // `x += y` may change what `x` is elsewhere.
            "BINARY_OP"
                if instruction
                    .getattr("argrepr")?
                    .extract::<String>()?
                    .ends_with('=') =>
            {
                return Ok(None);
            }
            _ => {}
        }
    }
    Ok(Some(names))
}
