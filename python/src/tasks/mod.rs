//! Callers that are tasks of an event loop, and builds that are carried by tasks of their own.
//!
//! What runs where is said in Python, by the carrier of each kind of loop (`tenure._aio`,
//! `tenure._trio`); what is found, who builds and what becomes of it is the engine's, step by step.

pub(crate) mod build;
pub(crate) mod call;
pub(crate) mod coroutines;
pub(crate) mod frames;
pub(crate) mod release;
pub(crate) mod ticket;
pub(crate) mod waiter;

use pyo3::prelude::*;

/// Adds what the carriers use to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_class::<call::TaskCall>()?;
    module.add_class::<build::TaskBuild>()?;
    module.add_class::<waiter::TaskWaiter>()?;
    module.add_class::<waiter::TaskLanding>()?;
    module.add_class::<frames::Frame>()?;
    module.add_class::<ticket::Releasing>()?;
    module.add_class::<ticket::LoopState>()?;
    module.add_class::<release::PlaceEnds>()?;
    module.add("inside", frames::variable(py)?)?;
    module.add("READY", call::READY)?;
    module.add("CHECK", call::CHECK)?;
    module.add("BUILD", call::BUILD)?;
    module.add("WAIT", call::WAIT)?;
    module.add_function(wrap_pyfunction!(frames::in_session, module)?)?;
    module.add_function(wrap_pyfunction!(release::end_place, module)?)?;
    module.add_function(wrap_pyfunction!(release::look_at_place, module)?)?;
    module.add_function(wrap_pyfunction!(release::release_of_keeper, module)?)?;
    module.add_function(wrap_pyfunction!(release::shutdown_timeout, module)?)?;
    module.add_function(wrap_pyfunction!(release::tell_late_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(release::tell_leased, module)?)?;
    module.add_function(wrap_pyfunction!(release::hold_place, module)?)?;
    module.add_function(wrap_pyfunction!(release::tell_teardown, module)?)?;
    module.add_function(wrap_pyfunction!(release::yielded_twice, module)?)?;
    Ok(())
}
