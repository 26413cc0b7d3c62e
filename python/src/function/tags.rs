//! The tags of a function's resources: one list for all of them, or what a callable says of the arguments of
//! each call.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple};
use tenure::Tags;

use crate::caller::user_code;
use crate::function::plan::Arguments;
use crate::function::shape::is_async_function;
use crate::life::awaitables::{can_be_awaited, refused_tags};
use crate::process::once::intern;
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

/// The text of a tag.
///
/// # Errors
/// A `ValueError` where it has lone surrogates, as file names have that were decoded so.
pub(crate) fn text_of<'a>(tag: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    tag.to_str().map_err(|_| {
        PyValueError::new_err(format!(
            "the tag {tag:?} has surrogates in it, which are no characters by themselves. Write a tag without them: \
             os.fsencode(name).hex() for a file name, say"
        ))
    })
}

/// Checks that tags can be called as the function named is.
///
/// # Errors
/// A `TypeError`, with what to write.
pub(crate) fn check_fit(
    callable: &Bound<'_, PyAny>,
    function: &str,
    signature: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = callable.py();
    let inspect = py.import(intern!(py, "inspect"))?;
    let Ok(own) = inspect.call_method1(intern!(py, "signature"), (callable,)) else {
        // One that does not tell what it takes is called, and tells then.
        return Ok(());
    };
    let empty = inspect.getattr("Parameter")?.getattr("empty")?;
    let bare = PyDict::new(py);
    bare.set_item("annotation", &empty)?;
    bare.set_item("default", &empty)?;
    let (params, args, kwargs) = (PyList::empty(py), PyList::empty(py), PyDict::new(py));
    for param in signature
        .getattr("parameters")?
        .call_method0("values")?
        .try_iter()?
    {
        let param = param?;
        // As of_call gives them: a call may have nothing for `*args` and `**kwargs`.
        match param.getattr("kind")?.extract::<u8>()? {
            0 | 1 => args.append(py.None())?,
            3 => kwargs.set_item(param.getattr("name")?, py.None())?,
            _ => {}
        }
        params.append(param.call_method("replace", (), Some(&bare))?)?;
    }
    let fit = own.call_method("bind", args.to_tuple(), Some(&kwargs));
    let Err(misfit) = fit else {
        return Ok(());
    };
    let called = inspect.getattr("Signature")?.call1((params,))?.to_string();
    let names = called.trim_start_matches('(').trim_end_matches(')');
    let space = if names.is_empty() { "" } else { " " };
    let error = errors::setting_type(
        py,
        format!(
            "tags of {function} cannot be called as {function}{called} is: {}. They get its arguments. Write \
             tags=lambda{space}{names}: […]",
            misfit.value(py)
        ),
    );
    error.set_cause(py, Some(misfit));
    Err(error)
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
            Ok(text) => tags.push(Arc::from(text_of(text)?)),
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
    let (args, kwargs) = arguments.packed(py)?;
    let bound = signature.call_method(intern!(py, "bind"), args, kwargs.as_ref())?;
    bound.call_method0(intern!(py, "apply_defaults"))?;
    let args = bound.getattr(intern!(py, "args"))?.cast_into::<PyTuple>()?;
    let kwargs = bound
        .getattr(intern!(py, "kwargs"))?
        .cast_into::<PyDict>()?;
    user_code::room()?;
    let answer = user_code::held(|| callable.call(args, Some(&kwargs)));
    let answer = answer.map_err(|error| errors::raised_by(py, "tags", function, error))?;
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
