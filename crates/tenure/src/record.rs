//! Recordings: what a build put out, opaque to the engine, for a host to put out again.

use std::any::Any;
use std::fmt;

/// What one build put out, and which inputs it observed.
pub struct Recording {
    elements: Box<dyn Any + Send + Sync>,
}

impl Recording {
    /// Wraps what a host wants to see again at each hit.
    #[must_use]
    pub fn new(elements: impl Any + Send + Sync) -> Self {
        Self {
            elements: Box::new(elements),
        }
    }

    /// The host's own type back.
    #[must_use]
    pub fn elements<T: Any>(&self) -> Option<&T> {
        self.elements.downcast_ref()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}
