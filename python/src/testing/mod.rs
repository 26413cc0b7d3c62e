//! What the tests of programs use; `tenure.testing` and the pytest plugin are its public faces.

pub(crate) mod clock;
mod isolated;
mod replaced;

use pyo3::prelude::*;
use pyo3::wrap_pyfunction;

use crate::life::traces;

/// Adds them to the native module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<clock::Clock>()?;
    module.add_class::<isolated::Isolated>()?;
    module.add_class::<replaced::Override>()?;
    module.add_function(wrap_pyfunction!(traces::trace_builds, module)?)?;
    Ok(())
}

/// A child process is outside the clock of its parent, and of its tests.
pub(crate) fn after_fork() {
    clock::after_fork();
    traces::after_fork();
}
