//! A forked child, which forgets what it has of its parent.

use pyo3::prelude::*;

use crate::caller::attach;
use crate::process::{self, exit};
use crate::testing;

/// Has every file that keeps something for its process forget it.
#[pyfunction]
pub(crate) fn after_fork() {
    process::after_fork();
    attach::after_fork_in_child();
    testing::after_fork();
    exit::after_fork();
}
