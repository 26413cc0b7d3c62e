//! The fields of an instance that its class says nothing of: they count beside its state.

use super::Walk;
use crate::encode::class;
use crate::encode::fault::Outcome;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::untold::{Untold, is_told};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

impl<'py> Walk<'_, '_, 'py> {
    /// Writes the fields that neither a reduction tells, if there is one, nor code of the class that says
    /// what counts stores.
    pub(in crate::encode) fn untold(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
        untold: &Untold,
        parts: Option<&Bound<'py, PyTuple>>,
    ) -> Outcome {
        let fields = self.untold_fields(value, info, untold, parts)?;
        let start = self.enc.len();
        self.sorted(fields.len(), |walk, at| {
            let (name, field) = &fields[at];
            walk.own(name.as_ptr())?;
            walk.value(field.as_ptr()).map_err(|fault| {
                walk.at(fault, value.as_ptr(), || format!("its attribute `{name}`"))
            })
        })?;
        self.piece(start);
        self.enc.tag(tags::END);
        Ok(())
    }

    fn untold_fields(
        &self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
        untold: &Untold,
        parts: Option<&Bound<'py, PyTuple>>,
    ) -> Outcome<Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>> {
        let mut fields = Vec::new();
        let is_untold =
            |name: &Bound<'py, PyString>, field: &Bound<'py, PyAny>| -> PyResult<bool> {
                Ok(!untold.is_known(&name.to_string_lossy())
                    && !parts.map_or(Ok(false), |parts| is_told(parts, name, field))?)
            };
        if !info.dict_beside
            && let Some(dict) = class::made_dict(value)?
        {
            let mut results = None;
            for (name, field) in dict.iter() {
                let Ok(name) = name.cast_into::<PyString>() else {
                    continue;
                };
                if !is_untold(&name, &field)? {
                    continue;
                }
                if results.is_none() {
                    results = Some(self.results(value, info, &dict)?);
                }
                let is_result = results
                    .iter()
                    .flatten()
                    .any(|it| it.bind(self.py).eq(&name).unwrap_or(false));
                if !is_result {
                    fields.push((name, field));
                }
            }
        }
        for slot in &untold.slots {
            let name = slot.name.bind(self.py);
            if let Some(field) = slot.part_of(value)?
                && is_untold(name, &field)?
            {
                fields.push((name.clone(), field));
            }
        }
        Ok(fields)
    }
}
