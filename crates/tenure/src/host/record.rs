//! Recordings: what a build put out, and the inputs it observed, both opaque to the engine.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::key::{Key, KeyRef};

/// The output of one build, and the inputs that it observed.
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
#[derive(Clone)]
pub struct Recording {
    elements: Arc<dyn Any + Send + Sync>,
    observed: Option<Observed>,
}

impl Recording {
    /// Wraps what a host wants to see again at each hit.
    ///
    /// ```
    /// # use tenure::Recording;
    /// let recording = Recording::new(vec!["<h1>Report</h1>", "<p>all is well</p>"]);
    /// let elements: &Vec<&str> = recording.elements().unwrap();
    /// assert_eq!(elements.concat(), "<h1>Report</h1><p>all is well</p>");
    /// ```
    #[must_use]
    pub fn new(elements: impl Any + Send + Sync) -> Self {
        Self {
            elements: Arc::new(elements),
            observed: None,
        }
    }

    /// Adds the inputs that the build observed. They count as arguments where
    /// [`Settings::observes`](crate::Settings::observes) is set, and are left alone elsewhere.
    ///
    /// ```
    /// # use tenure::{Encoder, Observed, Recording};
    /// # let mut shape = Encoder::new();
    /// # shape.framed(1, b"slider");
    /// let slider = Observed::new("slider", &shape.finish());
    /// let recording = Recording::new("<svg/>").observing(slider);
    /// assert_eq!(recording.observed().unwrap().ids(), Some(&"slider"));
    /// ```
    #[must_use]
    pub fn observing(mut self, observed: Observed) -> Self {
        self.observed = Some(observed);
        self
    }

    /// The host's own type back. `None`: it was made of another type.
    ///
    /// ```
    /// # use tenure::Recording;
    /// let recording = Recording::new(7u32);
    /// assert_eq!(recording.elements::<u32>(), Some(&7));
    /// assert_eq!(recording.elements::<String>(), None);
    /// ```
    #[must_use]
    pub fn elements<T: Any>(&self) -> Option<&T> {
        self.elements.downcast_ref()
    }

    /// The inputs that the build observed, if any.
    ///
    /// ```
    /// # use tenure::Recording;
    /// assert!(Recording::new("<svg/>").observed().is_none());
    /// ```
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
    ///
    /// ```
    /// # use tenure::{Encoder, Observed};
    /// let ids = vec!["slider", "colour"];
    /// let mut shape = Encoder::new();
    /// ids.iter().for_each(|id| shape.framed(1, id.as_bytes()));
    /// let observed = Observed::new(ids, &shape.finish());
    /// assert_eq!(observed.ids::<Vec<&str>>().unwrap().len(), 2);
    /// ```
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
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenure::{
    /// #     BuildStart, Encoder, Engine, Function, Host, HostBuild, Interrupt, KeyRef, Observed,
    /// #     Recording, SessionId, Settings,
    /// # };
    /// # struct Page;
    /// # impl Host for Page {
    /// #     fn session(&self) -> Result<Option<SessionId>, Interrupt> { Ok(None) }
    /// #     fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
    /// #         Ok(Some(Arc::new(Build)))
    /// #     }
    /// #     fn replay(&self, _: &Recording) -> Result<(), Interrupt> { Ok(()) }
    /// #     fn observe(&self, _: &Observed, values: &mut Encoder) -> Result<(), Interrupt> {
    /// #         values.framed(1, b"red");
    /// #         Ok(())
    /// #     }
    /// # }
    /// # struct Build;
    /// # impl HostBuild for Build {
    /// #     fn show(&self) {}
    /// #     fn end(&self, _: bool) -> Option<Recording> {
    /// #         let (mut shape, mut values) = (Encoder::new(), Encoder::new());
    /// #         shape.framed(1, b"colour");
    /// // At the end of a build that saw blue, where `Host::observe` would say red by now:
    /// values.framed(1, b"blue");
    /// let observed = Observed::new("colour", &shape.finish()).with_values(&values.finish());
    /// #         Some(Recording::new(()).observing(observed))
    /// #     }
    /// # }
    /// # let engine = Engine::new();
    /// # engine.set_host(Some(Arc::new(Page)));
    /// # let settings = Settings::default().observes(true);
    /// # let charts = Function::<u32, ()>::plain(&engine, "chart", settings).unwrap();
    /// # let chart = || charts.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    ///
    /// let blue = chart();
    /// assert!(!chart().same_entry(&blue)); // no entry for whoever sees red
    /// ```
    #[must_use]
    pub fn with_values(mut self, values: &KeyRef<'_>) -> Self {
        self.values = Some(values.to_key());
        self
    }

    /// The host's own type back. `None`: it was made of another type.
    ///
    /// ```
    /// # use tenure::{KeyRef, Observed};
    /// let observed = Observed::new("slider", &KeyRef::EMPTY);
    /// assert_eq!(observed.ids::<&str>(), Some(&"slider"));
    /// assert_eq!(observed.ids::<String>(), None);
    /// ```
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
