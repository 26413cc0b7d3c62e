//! Who asks for a resource: the function that is called, and the host as it stands around the caller.

use crate::ground::sync::Arc;
use crate::host::record::Observed;
use crate::host::shown::Shown;
use crate::host::{BuildStart, Host};
use crate::key::{Encoder, Key};
use crate::life::circle::{Edge, Frame, Inside};
use crate::life::core::Core;
use crate::life::flight::Flight;
use crate::life::lease::Lease;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{Error, Interrupt};

/// Who asks for a resource.
pub(crate) struct Asker<V> {
    pub(crate) core: Arc<Core<V>>,
    pub(crate) host: Option<Arc<dyn Host>>,
}

impl<V> Clone for Asker<V> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            host: self.host.clone(),
        }
    }
}

impl<V: Resource> Asker<V> {
    /// Puts out again what the build has put out.
    pub(crate) fn replayed<F>(&self, lease: Lease<V>) -> Result<Lease<V>, Error<F>> {
        if let (Some(recording), Some(host)) = (lease.recording(), &self.host) {
            host.replay(recording).map_err(Error::Interrupted)?;
        }
        Ok(lease)
    }

    /// Whether a build that has observed these inputs gave what this caller asks for.
    pub(crate) fn sees_the_same<F>(&self, observed: Option<&Observed>) -> Result<bool, Error<F>> {
        let Some(observed) = observed else {
            return Ok(true);
        };
        let present = self.present(observed).map_err(Error::Interrupted)?;
        Ok(observed.values() == Some(&present))
    }

    /// The present values of these inputs, as this caller has them.
    pub(crate) fn present(&self, observed: &Observed) -> Result<Key, Interrupt> {
        let mut values = Encoder::new();
        if let Some(host) = &self.host {
            host.observe(observed, &mut values)?;
        }
        Ok(values.finish().to_key())
    }

    /// Tells the host of a build or a wait, and has its spinner shown after the delay.
    pub(crate) fn begin<F: Failure>(
        &self,
        flight: &Flight<V, F>,
        nested: bool,
        waits: bool,
    ) -> Result<Option<Shown>, Error<F>> {
        let Some(host) = &self.host else {
            return Ok(None);
        };
        let core = &self.core;
        let looks = core.looks.lock().clone();
        // The outermost build shows what its author chose; those within it show nothing.
        let text = if nested {
            None
        } else {
            looks.spinner.text(&core.name, !flight.key.is_empty())
        };
        let shows = text.is_some();
        let start = BuildStart {
            function: &core.name,
            text,
            show_time: looks.show_time,
            observes: core.settings.observes,
            waits,
        };
        let build = host.begin(&start).map_err(Error::Interrupted)?;
        Ok(build.map(|build| Shown::new(build, shows, &core.services)))
    }

    /// Notes that the build this code belongs to, if any, needs `flight`.
    pub(crate) fn edge<F>(&self, flight: &Flight<V, F>) -> Result<Option<Edge>, Error<F>> {
        let graph = &self.core.services.graph;
        match Inside::current() {
            Some(parent) => {
                let name = &self.core.name;
                let edge = graph.need(&parent, flight.id, name);
                edge.map(Some).map_err(Error::Cycle)
            }
            None => Ok(None),
        }
    }

    /// The build as code can be inside of it.
    pub(crate) fn frame<F>(&self, flight: &Flight<V, F>) -> Frame {
        Frame::new(flight.id, &self.core.name, self.core.reach())
    }

    /// Marks this thread's code as part of the build.
    pub(crate) fn inside<F>(&self, flight: &Flight<V, F>) -> Inside {
        Inside::at(self.frame(flight))
    }
}
