//! The place in the program that calls.

use pyo3::prelude::*;
use tenure::front::EndedBy;

use crate::process::once::intern;

/// The frame of the program that the present code was called from, and which one that is, counted from 1 for the
/// innermost; nothing where no part of the program calls.
pub(crate) fn program(py: Python<'_>) -> PyResult<Option<(Bound<'_, PyAny>, usize)>> {
    let sys = py.import(intern!(py, "sys"))?;
    let mut frame = sys.call_method0(intern!(py, "_getframe"))?;
    for level in 1.. {
        let globals = frame.getattr(intern!(py, "f_globals"))?;
        let name = globals.call_method1(intern!(py, "get"), ("__name__", ""))?;
        let name: String = name.extract().unwrap_or_default();
        if name != "tenure" && !name.starts_with("tenure.") {
            return Ok(Some((frame, level)));
        }
        frame = frame.getattr(intern!(py, "f_back"))?;
        if frame.is_none() {
            break;
        }
    }
    Ok(None)
}

/// The place in the program that the present code was called from, as `file:line`; nothing where no part of the program
/// calls.
pub(crate) fn here(py: Python<'_>) -> PyResult<Option<String>> {
    let Some((frame, _)) = program(py)? else {
        return Ok(None);
    };
    let file: String = frame
        .getattr(intern!(py, "f_code"))?
        .getattr(intern!(py, "co_filename"))?
        .extract()?;
    let line: Option<u32> = frame.getattr(intern!(py, "f_lineno"))?.extract()?;
    Ok(Some(format!("{file}:{}", line.unwrap_or_default())))
}

/// Has what this thread ends meanwhile be ended by this call, unless it is a part of another one.
pub(crate) fn ends(py: Python<'_>, call: &str) -> EndedBy {
    EndedBy::enter_with(|| match here(py) {
        Ok(Some(place)) => format!("{call} at {place}"),
        // Nobody's frame, or an audit that forbids the look: the call is known all the same.
        Ok(None) | Err(_) => call.to_owned(),
    })
}
