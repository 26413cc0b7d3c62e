//! The tags of a function's resources: one list for all of them, or what a callable says of the arguments of
//! each call.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple};
use tenure::Tags;

use crate::caller::user_code;
use crate::function::plan::Arguments;
use crate::function::shape::is_async_function;
use crate::life::awaitables::{can_be_awaited, refused_tags};
use crate::words::errors;

const FORMS: &str = "Accepted are a list of strings, and a function of the arguments that returns one. \
                     Example: tags=lambda tenant: [f\"tenant:{tenant}\"]";

/// The setting, as it was written.
#[derive(Default)]
pub(crate) struct Tagging {
    /// The tags of all resources.
    pub(crate) all: Tags,
    /// What says those of each call.
    pub(crate) each: Option<Py<PyAny>>,
}

impl Tagging {
    /// Reads the setting.
    ///
    /// # Errors
    /// A `TypeError`, with the accepted forms.
    pub(crate) fn read(value: Bound<'_, PyAny>) -> PyResult<Self> {
        let py = value.py();
        if value.is_none() {
            return Ok(Self::default());
        }
        if let Ok(text) = value.cast::<PyString>() {
            return Err(errors::setting_type(
                py,
                format!("tags={text:?} is one text and no list. Write tags=[{text:?}]"),
            ));
        }
        if value.is_callable() {
            if is_async_function(&value)? {
                return Err(errors::setting_type(
                    py,
                    format!(
                        "tags cannot be an async function, since nothing awaits it: {value:?}. Write `def` for \
                         it. {FORMS}"
                    ),
                ));
            }
            return Ok(Self {
                all: Tags::default(),
                each: Some(value.unbind()),
            });
        }
        let mut all = match listed(&value)? {
            Listed::Tags(tags) => tags,
            Listed::Has(wrong) => {
                return Err(errors::setting_type(
                    py,
                    format!("tags cannot have {wrong:?} in it: each tag is a string. {FORMS}"),
                ));
            }
            Listed::None => {
                return Err(errors::setting_type(
                    py,
                    format!("tags cannot be {value:?}. {FORMS}"),
                ));
            }
        };
        // A set has them in any order, and another run of the script in another one.
        all.sort_unstable();
        Ok(Self {
            all: all.into_iter().collect(),
            each: None,
        })
    }
}

/// What was given or returned for tags.
enum Listed<'py> {
    Tags(Vec<Arc<str>>),
    /// A list, with this in it that is no string.
    Has(Bound<'py, PyAny>),
    /// Neither a list, a tuple nor a set.
    None,
}

fn listed<'py>(value: &Bound<'py, PyAny>) -> PyResult<Listed<'py>> {
    let is_list = value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PySet>()
        || value.is_instance_of::<PyFrozenSet>();
    if !is_list {
        return Ok(Listed::None);
    }
    let mut tags = Vec::new();
    for tag in value.try_iter()? {
        let tag = tag?;
        match tag.cast::<PyString>() {
            Ok(text) => tags.push(Arc::from(text.to_str()?)),
            Err(_) => return Ok(Listed::Has(tag)),
        }
    }
    Ok(Listed::Tags(tags))
}

/// The tags that a callable gives for a call of the function named, which it is called as: with the
/// defaults filled in.
///
/// # Errors
/// What it raises, and a `TypeError` for an answer that is no list of strings.
pub(crate) fn of_call(
    callable: &Bound<'_, PyAny>,
    function: &str,
    signature: &Bound<'_, PyAny>,
    arguments: Arguments,
) -> PyResult<Tags> {
    let py = callable.py();
    // SAFETY: the arguments of a call, which the caller holds.
    #[allow(unsafe_code)]
    let (args, kwargs) = unsafe {
        user_code::packed(
            py,
            arguments.first(),
            arguments.positional(),
            arguments.names(),
        )?
    };
    let bound = signature.call_method(intern!(py, "bind"), args, kwargs.as_ref())?;
    bound.call_method0(intern!(py, "apply_defaults"))?;
    let args = bound.getattr(intern!(py, "args"))?.cast_into::<PyTuple>()?;
    let kwargs = bound
        .getattr(intern!(py, "kwargs"))?
        .cast_into::<PyDict>()?;
    let answer = user_code::held(|| callable.call(args, Some(&kwargs)))?;
    if can_be_awaited(&answer) {
        return Err(refused_tags(function, &answer));
    }
    match listed(&answer)? {
        Listed::Tags(tags) => Ok(tags.into_iter().collect()),
        Listed::Has(wrong) => Err(PyTypeError::new_err(format!(
            "tags of {function} returned a list with {wrong:?} in it: each tag is a string. {FORMS}"
        ))),
        Listed::None => Err(PyTypeError::new_err(format!(
            "tags of {function} returned {answer:?}, which is no list of strings. {FORMS}"
        ))),
    }
}
