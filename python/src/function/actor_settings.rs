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
pub(crate) struct ActorSettings {
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

/// The least of each that is a number.
const NUMBERS: [(&str, f64); 5] = [
    ("num_cpus", 0.0),
    ("num_gpus", 0.0),
    ("memory", 0.0),
    ("object_store_memory", 0.0),
    ("max_concurrency", 1.0),
];

/// What else Ray knows, and looks at itself.
const OTHERS: [&str; 13] = [
    "resources",
    "accelerator_type",
    "runtime_env",
    "scheduling_strategy",
    "label_selector",
    "fallback_strategy",
    "max_pending_calls",
    "allow_out_of_order_execution",
    "enable_task_events",
    "enable_tensor_transport",
    "placement_group",
    "placement_group_bundle_index",
    "placement_group_capture_child_tasks",
];

const FORMS: &str = "Accepted are the options of a Ray actor, by name. \
                     Example: ray_options={\"num_gpus\": 1, \"num_cpus\": 2, \"resources\": {\"fast_disk\": 1}}";

/// Refuses an option that there is not, and a number that cannot be, before a call finds that out, or nobody does.
///
/// # Errors
/// A `ValueError` or a `TypeError`, with the accepted forms and an example.
fn check_option(name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = value.py();
    let Some((_, least)) = NUMBERS.iter().find(|(known, _)| *known == name) else {
        if name == "resources" {
            return check_resources(value);
        }
        if OTHERS.contains(&name) {
            return Ok(());
        }
        let numbers = NUMBERS.iter().map(|(known, _)| *known);
        let known: Vec<&str> = numbers.chain(OTHERS).collect();
        let known = known.join(", ");
        let text = format!("ray_options knows no {name:?}. Known are {known}. {FORMS}");
        return Err(errors::setting_value(py, text));
    };
    if value.is_none() {
        return Ok(());
    }
    check_number(&format!("{name:?}"), value, *least)
}

fn check_resources(value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() {
        return Ok(());
    }
    let Ok(given) = value.cast::<PyMapping>() else {
        let text = format!("ray_options cannot have {value:?} for \"resources\". {FORMS}");
        return Err(errors::setting_type(value.py(), text));
    };
    for item in given.items()?.iter() {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        check_number(&format!("{name:?} of \"resources\""), &value, 0.0)?;
    }
    Ok(())
}

fn check_number(name: &str, value: &Bound<'_, PyAny>, least: f64) -> PyResult<()> {
    match value.extract::<f64>() {
        Ok(number) if number >= least => Ok(()),
        Ok(_) => {
            let text = format!(
                "ray_options cannot have {value:?} for {name}: it is a number from {least} on. {FORMS}"
            );
            Err(errors::setting_value(value.py(), text))
        }
        Err(_) => {
            let text = format!(
                "ray_options cannot have {value:?} for {name}: it is a number from {least} on, as in \
                 {{\"num_gpus\": 1}}"
            );
            Err(errors::setting_type(value.py(), text))
        }
    }
}

impl ActorSettings {
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
                check_option(text, &value)?;
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
