//! Stand-ins for another object.
//!
//! A stand-in says of itself that it is of another class. Where its class offers one of the two
//! ways by which such objects are asked what they stand for, it is keyed by that as it is now,
//! together with what it keeps beside; where it says itself how it is pickled, by that. Anything
//! else that shows more than its fields has no key (K18).

use crate::encode::class::{self, answering};
use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::own_state::refused;
use crate::encode::pins::Role;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use crate::program::modules;
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyMapping, PyString, PyType};

/// How a stand-in is asked what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Way {
    /// By the method of Werkzeug's and Celery's proxies.
    Call,
    /// By the attribute of wrappers.
    Attribute,
    /// By what it gives to be pickled.
    Pickle,
    /// By the dict that it gives of itself: settings that a process has one of.
    Settings,
    /// Not at all: it is for the run or the user that has it.
    OfTheMoment,
    /// Not at all: it is what whoever asks now has sent, and the rest of it is the server's.
    Request,
    /// Not at all, and its class is compiled: nothing of what it does can be seen.
    Closed,
}

const CALL: &str = "_get_current_object";
const ATTRIBUTE: &str = "__wrapped__";

/// The values that compiled wrappers keep for themselves have names that begin like this.
const KEPT: &str = "_self_";

/// Classes that do not say of themselves that their instances stand for something else, by the module
/// and the name that they are found under.
const KNOWN: [(&str, &str, Way); 8] = [
    ("streamlit.runtime.secrets", "Secrets", Way::Settings),
    (
        "streamlit.delta_generator",
        "DeltaGenerator",
        Way::OfTheMoment,
    ),
    ("django.utils.functional", "Promise", Way::OfTheMoment),
    // FastAPI's are these, and each of them is for WebSockets too, but for those of aiohttp and Django.
    ("starlette.requests", "HTTPConnection", Way::Request),
    ("litestar.connection", "ASGIConnection", Way::Request),
    // Flask's and Quart's derive from it.
    ("werkzeug.sansio.request", "Request", Way::Request),
    ("django.http.request", "HttpRequest", Way::Request),
    ("aiohttp.web_request", "BaseRequest", Way::Request),
];

fn known(class: &Bound<'_, PyType>) -> PyResult<Option<Way>> {
    for (module, name, way) in KNOWN {
        let module = PyString::new(class.py(), module);
        if let Some(module) = modules::imported(class.py(), &module)
            && let Some(kind) = module.getattr_opt(name)?
            && class.mro().contains(kind)?
        {
            return Ok(Some(way));
        }
    }
    Ok(None)
}

/// Up to which base the members of a stand-in's class are those of the library that made it.
///
/// # Errors
///
/// What reading the class raises.
pub(in crate::encode) fn library<'py>(
    class: &Bound<'py, PyType>,
    way: Way,
) -> PyResult<Option<Bound<'py, PyType>>> {
    let name = match way {
        Way::Call => CALL,
        Way::Attribute => ATTRIBUTE,
        _ => return Ok(None),
    };
    class::holder(class, name)
}

/// Whether an instance says now that it is of another class, by code that answers for any name.
///
/// # Errors
///
/// What its own code raises.
pub(in crate::encode) fn pretends(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let class = value.get_type();
    let answers = answering(&class, "__getattribute__")?;
    Ok(answers.is_some_and(|it| it.is_instance_of::<PyFunction>())
        && !value.getattr("__class__")?.is(&class))
}

/// How the instances of a class are asked what they stand for; `None` if they claim to be of no
/// class but their own, or by a property, which is looked at like any other.
pub(in crate::encode) fn way(class: &Bound<'_, PyType>) -> PyResult<Option<Way>> {
    if let Some(way) = known(class)? {
        return Ok(Some(way));
    }
    if !class::claims(class)? {
        return Ok(None);
    }
    Ok(if class::is_in_class(class, CALL)? {
        Some(Way::Call)
    } else if class::is_in_class(class, ATTRIBUTE)? {
        Some(Way::Attribute)
    } else if class::reduces_itself(class)? {
        Some(Way::Pickle)
    } else if answering(class, "__class__")?.is_some_and(|claim| class_of(&claim) == "property") {
        None
    } else {
        Some(Way::Closed)
    })
}

impl Form for Way {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.stand_in(*self, value, info)
    }
}

impl Way {
    /// As the form of the instances.
    pub(in crate::encode) fn form(self) -> &'static dyn Form {
        match self {
            Self::Call => &Self::Call,
            Self::Attribute => &Self::Attribute,
            Self::Pickle => &Self::Pickle,
            Self::Settings => &Self::Settings,
            Self::OfTheMoment => &Self::OfTheMoment,
            Self::Request => &Self::Request,
            Self::Closed => &Self::Closed,
        }
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes what a stand-in stands for now, and what it keeps beside.
    fn stand_in(&mut self, way: Way, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        if way == Way::Call && self.scope.role == Some(Role::Function) && !self.scope.in_default {
            return Err(refused(value, "it stands for another object at each call"));
        }
        let current = match way {
            Way::Call => value.call_method0(CALL),
            Way::Attribute => value.getattr(ATTRIBUTE),
            Way::Pickle => return self.reduce(value, info),
            Way::Settings => value.call_method0("to_dict"),
            Way::OfTheMoment => {
                let text = "is for whoever has it now: another run or user has another one. Pass what \
                            is meant, such as a name or a text";
                return Err(Fault::no_key(class_of(value), text));
            }
            Way::Request => {
                let text = "stands for whoever asks now. Pass what counts of it, request.headers[\"…\"] say";
                return Err(Fault::no_key(class_of(value), text));
            }
            Way::Closed => {
                return Err(refused(value, "it claims to be of another class"));
            }
        };
        let current = current.map_err(|error| {
            let py = value.py();
            let why = "stands for an object that is not there now";
            match Fault::raised(py, class_of(value), why, error) {
                fault if fault.is_no_key() => fault.into_elsewhere(),
                fault => fault,
            }
        })?;
        self.enc.tag(tags::STAND_IN);
        self.class_of_value(value, info)?;
        self.value(current.as_ptr())
            .map_err(|fault| fault.at(class_of(value), "what it stands for now".to_owned()))?;
        for name in kept_beside(value)? {
            let Some(kept) = value.getattr_opt(&name)? else {
                continue;
            };
            self.inner(name.as_any())?;
            self.value(kept.as_ptr())
                .map_err(|fault| fault.at(class_of(value), format!("its attribute `{name}`")))?;
        }
        self.enc.tag(tags::END);
        self.attributes(value, info)
    }
}

/// The names under which a compiled wrapper keeps what it does to what it wraps.
fn kept_beside<'py>(value: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyString>>> {
    let mut names = Vec::new();
    for base in value.get_type().mro() {
        for name in base.getattr("__dict__")?.cast::<PyMapping>()?.keys()? {
            if let Ok(name) = name.cast_into::<PyString>()
                && name.to_string_lossy().starts_with(KEPT)
            {
                names.push(name);
            }
        }
    }
    Ok(names)
}
