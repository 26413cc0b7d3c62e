//! A fork: what waits for it, what a child process has of its parent, and what it forgets.

use pyo3::prelude::*;

use crate::caller::attach;
use crate::function::heirs;
use crate::process::{self, exit, fleet};
use crate::testing;

/// Before a fork, on the thread that forks.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    attach::before_fork(py);
    fleet::before_fork(py, heirs::is_any_aside(py));
    heirs::before_fork(py);
}

/// After a fork, in the parent.
#[pyfunction]
pub(crate) fn after_fork_in_parent(py: Python<'_>) {
    attach::after_fork_in_parent();
    heirs::after_fork_in_parent(py);
}

/// Has every file that keeps something for its process forget it, but for what is kept over a fork.
#[pyfunction]
pub(crate) fn after_fork(py: Python<'_>) {
    process::after_fork();
    fleet::after_fork();
    attach::after_fork_in_child();
    testing::after_fork();
    exit::after_fork();
    heirs::after_fork_in_child(py);
}
