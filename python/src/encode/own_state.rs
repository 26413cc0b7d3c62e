//! Instances whose class answers from elsewhere: they show what they do not hold, and are refused (K18).

use super::class::own_dict;
use super::fault::{Fault, Outcome};
use super::names::class_of;
use super::reach;
use super::type_info::TypeInfo;
use pyo3::prelude::*;

/// Refuses an instance whose class was seen to answer from elsewhere.
pub(super) fn check(value: &Bound<'_, PyAny>, info: &TypeInfo) -> Outcome {
    if let Some(why) = &info.reach.elsewhere {
        return Err(refused(value, why));
    }
    let py = value.py();
    let dict = own_dict(value)?;
    for name in &info.reach.asks {
        let name = name.bind(py);
        let held = info.held(value, dict.as_ref(), name)?;
        if held.is_some_and(|held| reach::answers(&held)) {
            let why = format!("what it shows is what its field `{name}` gives when it is called");
            return Err(refused(value, &why));
        }
    }
    Ok(())
}

/// Refuses an instance that holds nothing, and whose class computes what it shows.
pub(super) fn check_empty(value: &Bound<'_, PyAny>, info: &TypeInfo) -> Outcome {
    match &info.reach.computes {
        Some(member) => {
            let why = format!("it has no fields, and {member} is computed");
            Err(refused(value, &why))
        }
        None => Ok(()),
    }
}

/// The fault of an object that shows what it does not hold, as can be seen by this.
pub(super) fn refused(value: &Bound<'_, PyAny>, why: &str) -> Box<Fault> {
    let text = format!(
        "does not keep what it is in its own fields: {why}. Pass what is meant, such as a name \
         or a copy"
    );
    Fault::elsewhere(class_of(value), text)
}
