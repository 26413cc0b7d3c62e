//! Whether an attribute holds a result that follows from the rest of its object.

use super::Walk;
use crate::encode::class;
use crate::encode::fault::Outcome;
use crate::encode::kept_results::{How, Kept, METHODS, function_of, is_plain, made};
use crate::encode::type_info::TypeInfo;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tenure::Encoder;

impl<'py> Walk<'_, '_, 'py> {
    /// The names in an object's dict that do not count: those that hold results, and those that
    /// its known class keeps for itself.
    pub(in crate::encode) fn results(
        &self,
        owner: &Bound<'py, PyAny>,
        info: &TypeInfo,
        dict: &Bound<'py, PyDict>,
    ) -> Outcome<Vec<Py<PyAny>>> {
        let py = self.py;
        let mut names: Vec<_> = info.skip.iter().map(|name| name.clone_ref(py)).collect();
        for kept in &info.kept {
            let name = kept.name.bind(py);
            if let Some(value) = dict.get_item(name)?
                && self.is_result(owner, info, kept, &value)?
            {
                names.push(name.clone().into_any().unbind());
            }
        }
        Ok(names)
    }

    /// Whether a value that an object has under a name is a result and no more.
    pub(in crate::encode) fn is_result(
        &self,
        owner: &Bound<'py, PyAny>,
        info: &TypeInfo,
        kept: &Kept,
        value: &Bound<'py, PyAny>,
    ) -> Outcome<bool> {
        let py = self.py;
        let class = owner.get_type();
        let name = kept.name.bind(py);
        let How::Given(fields) = &kept.how else {
            let made = match class::answering(&class, name.to_str()?)? {
                Some(member) => made(&member)?,
                None => None,
            };
            return Ok(made.is_some_and(|made| value.get_type().is(&made)));
        };
        let Some(func) = function_of(&class, name)? else {
            return Ok(false);
        };
        let dict = class::own_dict(owner)?;
        for name in fields {
            let name = name.bind(py);
            let plain = match info.held(owner, dict.as_ref(), name)? {
                Some(field) => is_plain(&field)?,
                None => {
                    METHODS.contains(&&*name.to_string_lossy())
                        || class::is_in_class(&class, &name.to_string_lossy())?
                }
            };
            if !plain {
                return Ok(false);
            }
        }
        let Ok(anew) = func.call1((owner,)) else {
            return Ok(false);
        };
        Ok(is_plain(value)? && is_plain(&anew)? && self.same(value, &anew)?)
    }

    /// Whether two values are one to a key.
    fn same(&self, one: &Bound<'py, PyAny>, other: &Bound<'py, PyAny>) -> Outcome<bool> {
        let written = |value: &Bound<'py, PyAny>| -> Outcome<Encoder> {
            let mut enc = Encoder::with(self.enc.digests());
            Walk::new(self.py, &mut enc, None, self.classes).own(value.as_ptr())?;
            Ok(enc)
        };
        Ok(written(one)?.as_bytes() == written(other)?.as_bytes())
    }
}
