//! A class's own account of itself: its members and slots, how its instances are pickled, whether
//! it is compiled, and the number of its present state.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString, PyType};

use crate::process::once::{Once, intern};

/// Whether a class was made while the program ran, by a `class` statement or its like.
pub(super) fn is_heap(class: &Bound<'_, PyType>) -> bool {
    // SAFETY: the class lives.
    unsafe { (*class.as_type_ptr()).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE != 0 }
}

pub(super) fn has_dict(class: &Bound<'_, PyType>) -> bool {
    // SAFETY: the class lives. Where the interpreter keeps the dict itself, this is -1.
    unsafe { (*class.as_type_ptr()).tp_dictoffset != 0 }
}

/// Whether a class was made by a `class` statement or its like, not by compiled code: instances
/// of those alone are let go of by the interpreter's own function for them.
pub(super) fn is_made_in_python(class: &Bound<'_, PyType>) -> bool {
    static ORDINARY: Once<Py<PyType>> = Once::new();
    let Ok(ordinary) = ORDINARY.import(class.py(), "abc", "ABC") else {
        return is_heap(class);
    };
    // SAFETY: both classes live.
    let frees = |class: &Bound<'_, PyType>| unsafe { (*class.as_type_ptr()).tp_dealloc };
    is_heap(class)
        && frees(class).map(|free| free as usize) == frees(ordinary).map(|free| free as usize)
}

/// The number of the present state of a class, which has CPython give it one; 0 if it has none left.
///
/// # Errors
///
/// What a look at an attribute of the class raises.
pub(super) fn state(class: &Bound<'_, PyType>) -> PyResult<u32> {
    // A look at an attribute that the metaclass has not.
    class.getattr_opt("__slots__")?;
    Ok(version(class.py(), class.as_type_ptr()))
}

/// The number of the present state of a class, or 0 if it has none now.
pub(super) fn version(py: Python<'_>, class: *mut ffi::PyTypeObject) -> u32 {
    /// Before Python 3.13 a flag says whether the number is valid.
    const VALID: std::ffi::c_ulong = 1 << 19;
    static FLAGGED: Once<bool> = Once::new();
    let flagged = *FLAGGED.get_or_init(py, || py.version_info() < (3, 13));
    // SAFETY: callers pass the class of a live object, with the interpreter attached.
    let (flags, version) = unsafe { ((*class).tp_flags, (*class).tp_version_tag) };
    if flagged && flags & VALID == 0 {
        0
    } else {
        version
    }
}

/// The dict in which an instance keeps its attributes, past whatever its class makes of it.
pub(super) fn own_dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    if has_dict(&value.get_type()) {
        // SAFETY: the class says so.
        unsafe { dict(value) }.map(Some)
    } else {
        Ok(None)
    }
}

/// What a class itself has under names, past those of its bases.
pub(super) fn own_items<'py>(
    class: &Bound<'py, PyType>,
) -> PyResult<Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>> {
    let items = class.getattr("__dict__")?.cast::<PyMapping>()?.items()?;
    let named = items.iter().filter_map(|item| item.extract().ok());
    Ok(named.collect())
}

/// The dict in which an instance keeps its attributes, where it was given any: a compiled class makes one when it is
/// first asked for, and pickles an instance that has one otherwise.
pub(super) fn made_dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    // SAFETY: the class lives; where its offset is positive, instances hold a pointer to their dict there.
    let is_unmade = unsafe {
        let offset = (*ffi::Py_TYPE(value.as_ptr())).tp_dictoffset;
        offset > 0 && {
            let place = value.as_ptr().cast::<u8>().offset(offset);
            place.cast::<*mut ffi::PyObject>().read().is_null()
        }
    };
    if is_unmade { Ok(None) } else { own_dict(value) }
}

/// The dict of an instance whose class is known to give it one.
///
/// # Safety
///
/// The instances of the object's class have a dict.
#[inline(always)]
pub(super) unsafe fn dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    // SAFETY: the caller's promise; the call gives a new reference to the dict or NULL with an
    // exception set.
    unsafe {
        let found = ffi::PyObject_GenericGetDict(value.as_ptr(), std::ptr::null_mut());
        let found = Bound::from_owned_ptr_or_err(value.py(), found)?;
        Ok(found.cast_into_unchecked::<PyDict>())
    }
}

/// The values that a class and its bases keep under a name, the one that answers first.
pub(super) fn all_answering<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut all = Vec::new();
    for base in class.mro() {
        let members = base.getattr("__dict__")?;
        if members.contains(name)? {
            all.push(members.get_item(name)?);
        }
    }
    Ok(all)
}

/// The value that a class or the first of its bases that has the name keeps under it.
pub(super) fn answering<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match holder(class, name)? {
        Some(base) => base.getattr("__dict__")?.get_item(name).map(Some),
        None => Ok(None),
    }
}

/// A class or the first of its bases that has the name.
pub(super) fn holder<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyType>>> {
    for base in class.mro() {
        if base.getattr("__dict__")?.contains(name)? {
            return Ok(Some(base.cast_into()?));
        }
    }
    Ok(None)
}

pub(super) fn is_in_class(class: &Bound<'_, PyType>, name: &str) -> PyResult<bool> {
    Ok(answering(class, name)?.is_some())
}

/// Whether the instances of a class may claim to be of another one.
pub(super) fn claims(class: &Bound<'_, PyType>) -> PyResult<bool> {
    differs_from_object(class, &["__class__"])
}

/// Whether a class says itself what its instances are made anew from.
pub(super) fn reduces_itself(class: &Bound<'_, PyType>) -> PyResult<bool> {
    differs_from_object(class, &["__reduce_ex__", "__reduce__"])
}

/// Whether a class has any of these names from elsewhere than `object`.
pub(super) fn differs_from_object(class: &Bound<'_, PyType>, names: &[&str]) -> PyResult<bool> {
    let object = class.py().get_type::<PyAny>();
    for name in names {
        let differs = match (answering(class, name)?, answering(&object, name)?) {
            (Some(own), Some(inherited)) => !own.is(&inherited),
            (own, _) => own.is_some(),
        };
        if differs {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether instances hold nothing but attributes, in their dict and in slots: no compiled class
/// but `object` is among the bases.
fn is_made_of_attributes(class: &Bound<'_, PyType>) -> bool {
    let object = class.py().get_type::<PyAny>();
    class
        .mro()
        .iter()
        .all(|base| base.is(&object) || base.cast::<PyType>().is_ok_and(is_heap))
}

/// The names that a class's instances keep outside their dict, in a fixed order.
pub(super) fn slots(class: &Bound<'_, PyType>) -> PyResult<Vec<Py<PyString>>> {
    static SLOT_NAMES: Once<Py<PyAny>> = Once::new();
    let names = SLOT_NAMES
        .import(class.py(), "copyreg", "_slotnames")?
        .call1((class,))?;
    strings(&names)
}

/// The slots that a class adds to those of a class it derives from.
pub(super) fn own_slots(
    class: &Bound<'_, PyType>,
    base: &Bound<'_, PyType>,
) -> PyResult<Vec<Py<PyString>>> {
    slots_without(class, &slots(base)?)
}

/// The slots of a class but for those of these names.
fn slots_without(class: &Bound<'_, PyType>, names: &[Py<PyString>]) -> PyResult<Vec<Py<PyString>>> {
    let mut others = slots(class)?;
    others.retain(|other| {
        let other = other.bind(class.py()).as_any();
        !names.iter().any(|name| other.eq(name).unwrap_or(false))
    });
    Ok(others)
}

/// Where an attrs class keeps the hash of an instance once it was asked for.
const KEPT_HASH: &str = "_attrs_cached_hash";

/// The name in the dict of an instance under which the maker of its class keeps what follows from the rest.
pub(super) fn kept_by_maker(class: &Bound<'_, PyType>) -> PyResult<Option<Py<PyString>>> {
    let is_kept = class.hasattr("__attrs_attrs__")?;
    Ok(is_kept.then(|| PyString::intern(class.py(), KEPT_HASH).unbind()))
}

/// The attributes that a dataclass, an attrs class or a pydantic model declares, and those that
/// it has in slots besides; `None` for another class, and for one whose instances hold more than
/// attributes, as exceptions do.
pub(super) fn declared_fields(class: &Bound<'_, PyType>) -> PyResult<Option<Vec<Py<PyString>>>> {
    let py = class.py();
    if !is_made_of_attributes(class) {
        return Ok(None);
    }
    if let Some(fields) = class.getattr_opt("__dataclass_fields__")? {
        let mut names = Vec::new();
        for (name, field) in fields.cast::<PyDict>()? {
            // Class variables and parameters of `__init__` only are listed too.
            if field.getattr("_field_type")?.repr()?.to_string_lossy() == "_FIELD" {
                names.push(name.cast_into::<PyString>()?.unbind());
            }
        }
        names.append(&mut slots_without(class, &names)?);
        return Ok(Some(names));
    }
    if class.hasattr("__pydantic_core_schema__")? {
        // Which fields were set and which kept their defaults makes no difference to pydantic's
        // own comparison, nor here.
        return Ok(Some(vec![
            PyString::intern(py, "__pydantic_extra__").unbind(),
            PyString::intern(py, "__pydantic_private__").unbind(),
        ]));
    }
    if class.hasattr("__post_root_validators__")?
        && let Some(private) = class.getattr_opt("__private_attributes__")?
    {
        return strings(&private).map(Some);
    }
    if let Some(fields) = class.getattr_opt("__attrs_attrs__")? {
        let mut names = Vec::new();
        for field in fields.try_iter()? {
            names.push(field?.getattr("name")?.cast_into::<PyString>()?.unbind());
        }
        // Among the slots are those for the results that a `cached_property` keeps.
        let mut slots = slots_without(class, &names)?;
        slots.retain(|slot| slot.bind(py).as_any().ne(KEPT_HASH).unwrap_or(true));
        names.append(&mut slots);
        return Ok(Some(names));
    }
    Ok(None)
}

fn strings(names: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyString>>> {
    names
        .try_iter()?
        .map(|name| Ok(name?.cast_into::<PyString>()?.unbind()))
        .collect()
}

/// Whether a class derived from a known one says itself how it is pickled, and so what counts.
pub(super) fn pickles_itself(
    class: &Bound<'_, PyType>,
    known: &Bound<'_, PyType>,
) -> PyResult<bool> {
    for name in ["__reduce_ex__", "__reduce__", "__getstate__"] {
        for base in class.mro() {
            if base.is(known) {
                break;
            }
            if base.getattr("__dict__")?.contains(name)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a class leaves it to `object` how it is pickled, and holds nothing but attributes.
pub(super) fn is_plain(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static DISPATCH: Once<Py<PyAny>> = Once::new();
    let py = value.py();
    let class = value.get_type();
    let object = py.get_type::<PyAny>();
    for name in ["__reduce_ex__", "__reduce__"] {
        if !class.getattr(name)?.is(&object.getattr(name)?) {
            return Ok(false);
        }
    }
    for name in ["__getnewargs__", "__getnewargs_ex__"] {
        if class.hasattr(name)? {
            return Ok(false);
        }
    }
    if !class
        .getattr("__getstate__")?
        .is(&object.getattr("__getstate__")?)
    {
        return Ok(false);
    }
    let registered = DISPATCH.import(py, "copyreg", "dispatch_table")?;
    if registered.contains(&class)? {
        return Ok(false);
    }
    // `object` refuses instances that hold something that is no attribute.
    Ok(value.call_method1("__reduce_ex__", (4,)).is_ok())
}

/// Whether an object is a lock of Python's own.
pub(super) fn is_lock(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    let locks = py.import(intern!(py, "_thread"))?;
    let class = value.get_type();
    Ok(class.is(locks.getattr("LockType")?) || class.is(locks.getattr("RLock")?))
}
