//! What tasks wait for, and what is to be left: locks, events, queues and exit stacks of event loops.
//!
//! They hold next to nothing, and two of them look alike. Which one it is is all that they are: whoever waits
//! for one does not wait for another. So they have no key, as the locks of threads have none.

use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use pyo3::prelude::*;

struct WaitedFor;

/// By package. Which module of it a class is in differs between versions.
const CLASSES: [(&str, &[&str]); 4] = [
    (
        "asyncio",
        &[
            "Barrier",
            "Condition",
            "Event",
            "Lock",
            "Queue",
            "Semaphore",
            "TaskGroup",
            "Timeout",
        ],
    ),
    ("contextlib", &["_BaseExitStack"]),
    (
        "trio",
        &[
            "CancelScope",
            "CapacityLimiter",
            "Condition",
            "Event",
            "Lock",
            "MemoryReceiveChannel",
            "MemorySendChannel",
            "Nursery",
            "Semaphore",
            "StrictFIFOLock",
            "_LockImpl",
        ],
    ),
    (
        "anyio",
        &[
            "CancelScope",
            "CapacityLimiter",
            "Condition",
            "Event",
            "Lock",
            "MemoryObjectReceiveStream",
            "MemoryObjectSendStream",
            "ResourceGuard",
            "Semaphore",
            "TaskGroup",
        ],
    ),
];

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    let (package, _) = name.split_once('.')?;
    let (_, class) = name.rsplit_once('.')?;
    let is_one = CLASSES
        .iter()
        .any(|(of, classes)| *of == package && classes.contains(&class));
    is_one.then_some(&WaitedFor as &'static dyn Form)
}

impl Form for WaitedFor {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        _: &TypeInfo,
    ) -> Outcome {
        // As a lock: one that is made for a default tells no function from another.
        if walk.scope.in_default {
            walk.enc.tag(tags::LOCK);
            return Ok(());
        }
        Err(Fault::no_key(
            class_of(value),
            "is told from others only by which one it is: one that looks the same does not stand for it",
        ))
    }

    fn holds(&self) -> bool {
        false
    }

    fn covers_derived(&self) -> bool {
        true
    }

    fn goes_by_name(&self) -> bool {
        true
    }
}
