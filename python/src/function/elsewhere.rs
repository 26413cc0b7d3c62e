//! What holds where the resource of a function lives that is not in this process: its settings there, and what
//! the actor needs of its node.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use pyo3::{PyTraverseError, PyVisit};
use tenure::Encoder;
use tenure::front::Digests;

use crate::encode::{self, Context};
use crate::words::errors;

/// The settings of an actor that holds one resource, checked.
pub(crate) struct Elsewhere {
    /// The settings of the function there, by name.
    pub(crate) settings: Py<PyDict>,
    /// What Ray is asked for.
    pub(crate) ray_options: Py<PyDict>,
    /// What tells these options from others, in this process.
    pub(crate) mark: [u8; 16],
}

/// What Tenure sets itself.
const SET: [(&str, &str); 7] = [
    ("name", "is derived from the function and its arguments"),
    (
        "namespace",
        "is the same for all programs that share a resource",
    ),
    ("lifetime", "is as long as a program uses the resource"),
    ("get_if_exists", "is what Tenure does"),
    (
        "max_restarts",
        "would give a resource that nobody has counted",
    ),
    ("max_task_retries", "would run calls twice"),
    ("concurrency_groups", "are Tenure's own"),
];

const FORMS: &str = "Accepted are the options of a Ray actor, by name. \
                     Example: ray_options={\"num_gpus\": 1, \"num_cpus\": 2, \"resources\": {\"fast_disk\": 1}}";

impl Elsewhere {
    /// Reads the settings, of which those that are none are left out.
    ///
    /// # Errors
    /// `TypeError` or `ValueError`, with the accepted forms and an example.
    pub(crate) fn read(
        there: &[(&str, &Bound<'_, PyAny>)],
        ray_options: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = ray_options.py();
        let settings = PyDict::new(py);
        for (name, value) in there {
            if !value.is_none() {
                settings.set_item(name, value)?;
            }
        }
        let options = PyDict::new(py);
        if !ray_options.is_none() {
            let Ok(given) = ray_options.cast::<PyMapping>() else {
                let text = format!("ray_options cannot be {ray_options:?}. {FORMS}");
                return Err(errors::setting_type(py, text));
            };
            for item in given.items()?.iter() {
                let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
                let Ok(text) = name.cast::<PyString>() else {
                    let text = format!("ray_options has {name:?} for a name. {FORMS}");
                    return Err(errors::setting_type(py, text));
                };
                let text = text.to_str()?;
                if let Some((_, why)) = SET.iter().find(|(set, _)| *set == text) {
                    let text = format!("ray_options cannot have {name:?}: it {why}. {FORMS}");
                    return Err(errors::setting_value(py, text));
                }
                options.set_item(name, value)?;
            }
        }
        let mut enc = Encoder::with(Digests::Own);
        encode::encode(py, &mut enc, options.as_ptr(), "ray_options", &OF_SETTINGS)?;
        Ok(Self {
            settings: settings.unbind(),
            ray_options: options.unbind(),
            mark: Digests::Own.of(enc.as_bytes()).to_le_bytes(),
        })
    }

    /// Writes the settings, for a name that other processes derive too.
    pub(crate) fn encode(&self, py: Python<'_>, enc: &mut Encoder) -> PyResult<()> {
        for (name, value) in self.settings.bind(py) {
            let name: String = name.extract()?;
            enc.framed(1, name.as_bytes());
            encode::encode(py, enc, value.as_ptr(), &name, &OF_SETTINGS)?;
        }
        encode::encode(
            py,
            enc,
            self.ray_options.as_ptr(),
            "ray_options",
            &OF_SETTINGS,
        )
        .map(drop)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.settings)?;
        visit.call(&self.ray_options)
    }
}

/// Settings are read as arguments are, for which messages name this in the place of the function.
const OF_SETTINGS: Context<'static> = Context {
    function: "cache_resource",
    hash_funcs: None,
};
