//! Recordings: what a build put out, and the inputs it observed, both opaque to the engine.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::key::{Key, KeyRef};

/// What one build put out, and which inputs it observed.
///
/// ```
/// use tenure::{Encoder, Observed, Recording};
///
/// let mut shape = Encoder::new();
/// shape.framed(1, b"colour");
/// let recording = Recording::new(vec!["<p>blue</p>"])
///     .observing(Observed::new(vec!["colour"], &shape.finish()));
/// assert_eq!(recording.elements::<Vec<&str>>().unwrap().len(), 1);
/// assert!(recording.observed().is_some());
/// ```
pub struct Recording {
    elements: Box<dyn Any + Send + Sync>,
    observed: Option<Observed>,
}

impl Recording {
    /// Wraps what a host wants to see again at each hit.
    #[must_use]
    pub fn new(elements: impl Any + Send + Sync) -> Self {
        Self {
            elements: Box::new(elements),
            observed: None,
        }
    }

    /// Adds the inputs that the build observed. They count as arguments where
    /// [`Settings::observes`](crate::Settings::observes) is set, and are left alone elsewhere.
    #[must_use]
    pub fn observing(mut self, observed: Observed) -> Self {
        self.observed = Some(observed);
        self
    }

    /// The host's own type back.
    #[must_use]
    pub fn elements<T: Any>(&self) -> Option<&T> {
        self.elements.downcast_ref()
    }

    /// The inputs that the build observed, if any.
    #[must_use]
    pub fn observed(&self) -> Option<&Observed> {
        self.observed.as_ref()
    }

    pub(crate) fn observed_mut(&mut self) -> Option<&mut Observed> {
        self.observed.as_mut()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("observed", &self.observed)
            .finish_non_exhaustive()
    }
}

/// Which inputs a build observed: the host's own ids of them, and what tells one set of ids from
/// another. Cheap to clone.
///
/// The values are the build's own where [`with_values`](Self::with_values) gives them; otherwise
/// the engine asks [`Host::observe`](crate::Host::observe) when the build has ended.
///
/// ```
/// use tenure::{Encoder, Observed};
///
/// let mut shape = Encoder::new();
/// shape.framed(1, b"slider");
/// let observed = Observed::new(vec!["slider"], &shape.finish());
/// assert_eq!(observed.ids::<Vec<&str>>(), Some(&vec!["slider"]));
/// ```
#[derive(Clone)]
pub struct Observed {
    ids: Arc<dyn Any + Send + Sync>,
    shape: Key,
    values: Option<Key>,
}

impl Observed {
    /// Wraps the ids, which the host gets back when it is asked for their present values; equal
    /// ids must have equal shapes, and different ids different ones.
    #[must_use]
    pub fn new(ids: impl Any + Send + Sync, shape: &KeyRef<'_>) -> Self {
        Self {
            ids: Arc::new(ids),
            shape: shape.to_key(),
            values: None,
        }
    }

    /// Adds the values that the build saw, written as [`Host::observe`](crate::Host::observe)
    /// writes them.
    #[must_use]
    pub fn with_values(mut self, values: &KeyRef<'_>) -> Self {
        self.values = Some(values.to_key());
        self
    }

    /// The host's own type back.
    #[must_use]
    pub fn ids<T: Any>(&self) -> Option<&T> {
        self.ids.downcast_ref()
    }

    pub(crate) fn shape(&self) -> &Key {
        &self.shape
    }

    pub(crate) fn values(&self) -> Option<&Key> {
        self.values.as_ref()
    }

    pub(crate) fn set_values(&mut self, values: Key) {
        self.values = Some(values);
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}
