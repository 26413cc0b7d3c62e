//! Values of the standard library that have a short form of their own.
#![allow(unsafe_code)]

use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use crate::process::once::Once;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefProxy};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    DateTime,
    Date,
    Time,
    Delta,
    FixedZone,
    NamedZone,
    Decimal,
    Fraction,
    Uuid,
    Path,
    Pattern,
    Weak,
    WeakProxy,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "datetime.datetime" => &Kind::DateTime,
        "datetime.date" => &Kind::Date,
        "datetime.time" => &Kind::Time,
        "datetime.timedelta" => &Kind::Delta,
        "datetime.timezone" => &Kind::FixedZone,
        "zoneinfo.ZoneInfo" => &Kind::NamedZone,
        "decimal.Decimal" => &Kind::Decimal,
        "fractions.Fraction" => &Kind::Fraction,
        "uuid.UUID" => &Kind::Uuid,
        "re.Pattern" => &Kind::Pattern,
        "weakref.ReferenceType" | "weakref.WeakMethod" => &Kind::Weak,
        "weakref.ProxyType" | "weakref.CallableProxyType" => &Kind::WeakProxy,
        _ => {
            // The module that the classes stand in differs between Python versions.
            let class = name
                .strip_prefix("pathlib._local.")
                .or_else(|| name.strip_prefix("pathlib."))?;
            match class {
                "PurePath" | "PurePosixPath" | "PureWindowsPath" | "Path" | "PosixPath"
                | "WindowsPath" => &Kind::Path,
                _ => return None,
            }
        }
    })
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.standard(*self, value, info)
    }

    fn holds(&self) -> bool {
        matches!(
            self,
            Self::DateTime | Self::Time | Self::Weak | Self::WeakProxy
        )
    }

    fn stands_in(&self) -> bool {
        matches!(self, Self::Weak | Self::WeakProxy)
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes a value of the standard library.
    fn standard(&mut self, kind: Kind, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        let ptr = value.as_ptr();
        match kind {
            Kind::DateTime => self.datetime(value),
            Kind::Time => self.time(value),
            Kind::Date => {
                // SAFETY: the rule is given to dates only.
                let [year, month, day] = unsafe { date_parts(ptr) };
                self.enc.tag(tags::DATE);
                self.enc.raw(&year.to_le_bytes());
                self.enc.raw(&[month as u8, day as u8]);
                Ok(())
            }
            Kind::Delta => {
                // SAFETY: the rule is given to time deltas only.
                let parts = unsafe {
                    [
                        ffi::PyDateTime_DELTA_GET_DAYS(ptr),
                        ffi::PyDateTime_DELTA_GET_SECONDS(ptr),
                        ffi::PyDateTime_DELTA_GET_MICROSECONDS(ptr),
                    ]
                };
                self.enc.tag(tags::DELTA);
                for part in parts {
                    self.enc.raw(&part.to_le_bytes());
                }
                Ok(())
            }
            Kind::FixedZone => {
                self.enc.tag(tags::ZONE);
                self.inner(&value.call_method0("__getinitargs__")?)
            }
            Kind::NamedZone => {
                // One that was read from a file has whatever name it was given: it refuses.
                value.call_method0("__reduce__").map_err(|error| {
                    Fault::raised(self.py, class_of(value), "cannot be pickled", error)
                })?;
                self.enc.tag(tags::ZONE);
                self.inner(&value.getattr("key")?)
            }
            Kind::Decimal => {
                static TEXT: Once<Py<PyAny>> = Once::new();
                let text = text_of(&TEXT, value, "decimal", "Decimal")?;
                self.enc.tag(tags::DECIMAL);
                self.string(text.as_ptr())
            }
            Kind::Fraction => {
                self.enc.tag(tags::FRACTION);
                self.inner(&value.getattr("_numerator")?)?;
                self.inner(&value.getattr("_denominator")?)
            }
            Kind::Uuid => {
                self.enc.tag(tags::UUID);
                self.inner(&value.getattr("int")?)
            }
            Kind::Path => {
                self.enc.tag(tags::PATH);
                self.class_of_value(value, info)?;
                static TEXT: Once<Py<PyAny>> = Once::new();
                let text = text_of(&TEXT, value, "pathlib", "PurePath")?;
                static WINDOWS: Once<Py<PyAny>> = Once::new();
                let windows = WINDOWS.import(self.py, "pathlib", "PureWindowsPath")?;
                // These are equal whatever the case, unless a derived class compares otherwise.
                if info.exact && value.is_instance(windows)? {
                    self.inner(&text.call_method0("lower")?)
                } else {
                    self.inner(&text)
                }
            }
            Kind::Pattern => {
                self.enc.tag(tags::PATTERN);
                self.inner(&value.getattr("pattern")?)?;
                self.inner(&value.getattr("flags")?)
            }
            Kind::Weak => {
                self.enc.tag(tags::WEAK);
                self.class_of_value(value, info)?;
                let target = value.call0()?;
                self.value(target.as_ptr())
                    .map_err(|fault| fault.at(class_of(value), "what it refers to".to_owned()))
            }
            Kind::WeakProxy => {
                self.enc.tag(tags::WEAK);
                self.class_of_value(value, info)?;
                // SAFETY: the rule is given to proxies only.
                let proxy = unsafe { value.cast_unchecked::<PyWeakrefProxy>() };
                match proxy.upgrade() {
                    Some(target) => self.value(target.as_ptr()).map_err(|fault| {
                        fault.at(
                            "weakref.ProxyType".to_owned(),
                            "what it refers to".to_owned(),
                        )
                    }),
                    None => {
                        self.enc.tag(tags::NONE);
                        Ok(())
                    }
                }
            }
        }
    }

    fn datetime(&mut self, value: &Bound<'py, PyAny>) -> Outcome {
        let ptr = value.as_ptr();
        // SAFETY: the rule is given to datetimes only.
        let ([year, month, day], clock, fold, zone) = unsafe {
            (
                date_parts(ptr),
                [
                    ffi::PyDateTime_DATE_GET_HOUR(ptr),
                    ffi::PyDateTime_DATE_GET_MINUTE(ptr),
                    ffi::PyDateTime_DATE_GET_SECOND(ptr),
                    ffi::PyDateTime_DATE_GET_MICROSECOND(ptr),
                ],
                ffi::PyDateTime_DATE_GET_FOLD(ptr),
                ffi::PyDateTime_DATE_GET_TZINFO(ptr),
            )
        };
        self.enc.tag(tags::DATETIME);
        self.enc.raw(&year.to_le_bytes());
        self.enc.raw(&[month as u8, day as u8]);
        self.clock(value, clock, fold, zone)
    }

    fn time(&mut self, value: &Bound<'py, PyAny>) -> Outcome {
        let ptr = value.as_ptr();
        // SAFETY: the rule is given to times only.
        let (clock, fold, zone) = unsafe {
            (
                [
                    ffi::PyDateTime_TIME_GET_HOUR(ptr),
                    ffi::PyDateTime_TIME_GET_MINUTE(ptr),
                    ffi::PyDateTime_TIME_GET_SECOND(ptr),
                    ffi::PyDateTime_TIME_GET_MICROSECOND(ptr),
                ],
                ffi::PyDateTime_TIME_GET_FOLD(ptr),
                ffi::PyDateTime_TIME_GET_TZINFO(ptr),
            )
        };
        self.enc.tag(tags::TIME);
        self.clock(value, clock, fold, zone)
    }

    /// Writes a time of day and its zone, which the value keeps alive.
    fn clock(
        &mut self,
        value: &Bound<'py, PyAny>,
        [hour, minute, second, micro]: [i32; 4],
        fold: u8,
        zone: *mut ffi::PyObject,
    ) -> Outcome {
        self.enc
            .raw(&[hour as u8, minute as u8, second as u8, fold]);
        self.enc.raw(&micro.to_le_bytes());
        self.value(zone)
            .map_err(|fault| fault.at(class_of(value), "its tzinfo".to_owned()))
    }
}

/// The text that `__str__` of a class gives for an instance, whatever a derived class makes of it.
fn text_of<'py>(
    method: &Once<Py<PyAny>>,
    value: &Bound<'py, PyAny>,
    module: &str,
    class: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    method
        .get_or_try_init(py, || {
            let class = py.import(module)?.getattr(class)?;
            class.getattr("__str__").map(Bound::unbind)
        })?
        .bind(py)
        .call1((value,))
}

/// The year, month and day of a date.
///
/// # Safety
///
/// `value` is a live `date` or an instance of a subclass.
unsafe fn date_parts(value: *mut ffi::PyObject) -> [i32; 3] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            ffi::PyDateTime_GET_YEAR(value),
            ffi::PyDateTime_GET_MONTH(value),
            ffi::PyDateTime_GET_DAY(value),
        ]
    }
}
