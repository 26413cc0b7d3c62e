//! Which rule a class falls under, found out once per class and version of it.
//!
//! What was found out is kept in a table of fixed size. A place is valid for one version tag:
//! CPython gives each state of each class a number that it never uses again, so a class that was
//! changed, or another one at the address of one that is gone, does not match, and the table
//! needs no reference to any class.
#![allow(unsafe_code)]

use super::fault::{Fault, Outcome};
use super::kept::{self, Kept};
use super::made::Origin;
use super::parts::Reducer;
use super::reach::{self, Reach};
use super::{
    arrow, buffers, callables, classes, files, images, numpy, pandas, parts, stand_in, stdlib, tags,
};
use crate::modules;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};
use std::sync::{Arc, Mutex, OnceLock};
use tenure::Encoder;

/// How an instance is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// As the known class that it is of or derives from.
    Known(Known),
    /// By its attributes.
    Object,
    /// As a member of an enumeration.
    Enum,
    /// By what it gives to be pickled.
    Reduce,
    /// By what it stands for now.
    StandIn(stand_in::Way),
}

/// A class with a form of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Int,
    Float,
    Complex,
    Str,
    Bytes,
    Tuple,
    List,
    Dict,
    Set,
    FrozenSet,
    Ordered,
    Counter,
    Defaulting,
    Deque,
    Proxy,
    Keys,
    Values,
    Items,
    Range,
    Slice,
    Singleton(u8),
    Std(stdlib::Kind),
    Parts(parts::Kind),
    Callable(callables::Kind),
    Buffer(buffers::Kind),
    Numpy(numpy::Kind),
    Arrow(arrow::Kind),
    Pandas(pandas::Kind),
    Image(images::Kind),
    File(files::Kind),
}

impl Known {
    /// Whether it can hold other objects, and so itself.
    pub(super) fn holds(self) -> bool {
        match self {
            Self::Int
            | Self::Float
            | Self::Complex
            | Self::Str
            | Self::Bytes
            | Self::Range
            | Self::Singleton(_) => false,
            Self::Std(kind) => kind.holds(),
            Self::Buffer(_) | Self::Arrow(_) => false,
            _ => true,
        }
    }

    /// Whether what derives from it is written as it is itself.
    fn covers_derived(self) -> bool {
        match self {
            Self::Callable(kind) => kind.covers_derived(),
            Self::Numpy(kind) => kind.covers_derived(),
            Self::Parts(kind) => kind.covers_derived(),
            // Each writes its class itself.
            Self::Arrow(_) | Self::Pandas(_) | Self::Image(_) | Self::File(_) => true,
            _ => false,
        }
    }

    /// Where attributes that instances are given count beside what they are written as, the names
    /// of those that the known class keeps in their dict for itself.
    fn keeps(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Ordered | Self::Counter => Some(&[]),
            Self::Numpy(kind) => kind.keeps(),
            Self::Pandas(kind) => kind.keeps(),
            Self::Arrow(kind) => kind.keeps(),
            _ => None,
        }
    }

    /// Whether instances of the class itself can be given attributes that count.
    fn is_given_attributes(self) -> bool {
        matches!(
            self,
            Self::Ordered | Self::Counter | Self::Numpy(numpy::Kind::Masked)
        )
    }

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "builtins.int" => Self::Int,
            "builtins.float" => Self::Float,
            "builtins.complex" => Self::Complex,
            "builtins.str" => Self::Str,
            "builtins.bytes" => Self::Bytes,
            "builtins.tuple" => Self::Tuple,
            "builtins.list" => Self::List,
            "builtins.dict" => Self::Dict,
            "builtins.set" => Self::Set,
            "builtins.frozenset" => Self::FrozenSet,
            "builtins.mappingproxy" => Self::Proxy,
            "builtins.dict_keys" => Self::Keys,
            "builtins.dict_values" => Self::Values,
            "builtins.dict_items" => Self::Items,
            "builtins.range" => Self::Range,
            "builtins.slice" => Self::Slice,
            "builtins.ellipsis" => Self::Singleton(tags::ELLIPSIS),
            "builtins.NotImplementedType" => Self::Singleton(tags::NOT_IMPLEMENTED),
            "collections.OrderedDict" => Self::Ordered,
            "collections.Counter" => Self::Counter,
            "collections.defaultdict" => Self::Defaulting,
            "collections.deque" => Self::Deque,
            _ => {
                return stdlib::Kind::from_name(name)
                    .map(Self::Std)
                    .or_else(|| parts::Kind::from_name(name).map(Self::Parts))
                    .or_else(|| callables::Kind::from_name(name).map(Self::Callable))
                    .or_else(|| buffers::Kind::from_name(name).map(Self::Buffer))
                    .or_else(|| numpy::Kind::from_name(name).map(Self::Numpy))
                    .or_else(|| arrow::Kind::from_name(name).map(Self::Arrow))
                    .or_else(|| pandas::Kind::from_name(name).map(Self::Pandas))
                    .or_else(|| images::Kind::from_name(name).map(Self::Image))
                    .or_else(|| files::Kind::from_name(name).map(Self::File));
            }
        })
    }
}

/// What is known of a class.
pub(super) struct TypeInfo {
    pub rule: Rule,
    /// Whether it is the known class itself, not one derived from it.
    pub exact: bool,
    /// Whether it is written as a known class, with the attributes of the derived one.
    pub attached: bool,
    /// Its module and qualified name, as they are written.
    pub id: Box<[u8]>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is made of, once that was asked for, if its name does not say it.
    pub made: OnceLock<Option<u128>>,
    /// Whether its instances have a dict of attributes.
    pub has_dict: bool,
    /// The attributes that are not in that dict.
    pub fields: Vec<Py<PyString>>,
    /// The attributes that the known class keeps for itself.
    pub skip: Vec<Py<PyAny>>,
    /// The attributes that may hold results of others.
    pub kept: Vec<Kept>,
    /// What its members were seen to reach beside those.
    pub reach: Reach,
    /// State that neither attributes nor reductions show.
    pub beside: Vec<parts::Described>,
    /// Whether reductions leave out what instances have in their dict.
    pub dict_beside: bool,
}

impl TypeInfo {
    /// Whether instances keep an attribute of this name outside their dict.
    pub(super) fn is_field(&self, name: &Bound<'_, PyString>) -> bool {
        let same = |field: &Py<PyString>| name.as_any().eq(field).unwrap_or(false);
        self.fields.iter().any(same)
    }

    /// What an instance holds under a name in its dict or in a field, past what its class makes of
    /// names.
    pub(super) fn held<'py>(
        &self,
        value: &Bound<'py, PyAny>,
        dict: Option<&Bound<'py, PyDict>>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(dict) = dict
            && let Some(held) = dict.get_item(name)?
        {
            return Ok(Some(held));
        }
        match self.is_field(name) {
            true => value.getattr_opt(name),
            false => Ok(None),
        }
    }
}

const PLACES: usize = 1 << 9;

type Place = Option<(usize, u32, Arc<TypeInfo>)>;

// Nothing but a comparison and a copy of an `Arc` happens while this is locked.
static TABLE: Mutex<[Place; PLACES]> = Mutex::new([const { None }; PLACES]);

/// What is known of the class of an object.
#[inline]
pub(super) fn info(value: &Bound<'_, PyAny>) -> Outcome<Arc<TypeInfo>> {
    // SAFETY: the object lives, and with it its class.
    let class = unsafe { ffi::Py_TYPE(value.as_ptr()) };
    let at = (class as usize >> 4) % PLACES;
    let version = version(value.py(), class);
    if version != 0 {
        let table = TABLE.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some((ptr, seen, info)) = &table[at]
            && *ptr == class as usize
            && *seen == version
        {
            return Ok(Arc::clone(info));
        }
    }
    learn(value, class, at)
}

#[cold]
fn learn(
    value: &Bound<'_, PyAny>,
    class: *mut ffi::PyTypeObject,
    at: usize,
) -> Outcome<Arc<TypeInfo>> {
    let py = value.py();
    let before = state(&value.get_type())?;
    let info = Arc::new(classify(value)?);
    if before != 0 && before == version(py, class) {
        let dropped = {
            let mut table = TABLE.lock().unwrap_or_else(|poison| poison.into_inner());
            table[at].replace((class as usize, before, Arc::clone(&info)))
        };
        drop(dropped);
    }
    Ok(info)
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
fn version(py: Python<'_>, class: *mut ffi::PyTypeObject) -> u32 {
    /// Before Python 3.13 a flag says whether the number is valid.
    const VALID: std::ffi::c_ulong = 1 << 19;
    static FLAGGED: PyOnceLock<bool> = PyOnceLock::new();
    let flagged = *FLAGGED.get_or_init(py, || py.version_info() < (3, 13));
    // SAFETY: callers pass the class of a live object, with the interpreter attached.
    let (flags, version) = unsafe { ((*class).tp_flags, (*class).tp_version_tag) };
    if flagged && flags & VALID == 0 {
        0
    } else {
        version
    }
}

fn classify(value: &Bound<'_, PyAny>) -> Outcome<TypeInfo> {
    let class = value.get_type();
    let mut info = TypeInfo {
        rule: Rule::Reduce,
        exact: false,
        attached: false,
        id: id(&class)?,
        origin: Origin::of(&class),
        made: OnceLock::new(),
        has_dict: has_dict(&class),
        fields: Vec::new(),
        skip: Vec::new(),
        kept: kept::of_class(&class)?,
        reach: Reach::default(),
        beside: parts::hidden_slots(&class)?,
        dict_beside: false,
    };
    let bases = class.mro();
    // What members mix in, `int` say, says nothing that their class and name do not.
    if bases
        .iter()
        .any(|base| full_name(base.as_ptr().cast()) == "enum.Enum")
    {
        info.rule = Rule::Enum;
        // Its name and value are all that a member holds.
        info.reach.elsewhere = reach::of_class(&class, None)?.elsewhere;
        return Ok(info);
    }
    if let Some(way) = stand_in::way(&class)? {
        info.rule = Rule::StandIn(way);
        if let Some(library) = stand_in::library(&class, way)? {
            info.reach.elsewhere = reach::of_class(&class, Some(&library))?.elsewhere;
        }
        return Ok(info);
    }
    for (depth, base) in bases.iter().enumerate() {
        let base = base.cast_into::<PyType>().map_err(PyErr::from)?;
        let name = full_name(base.as_type_ptr());
        if let Some(known) = Known::from_name(&name)
            && (is_itself(&base) || name.starts_with("tenure."))
        {
            let covered = known.covers_derived();
            if depth > 0 {
                info.reach = reach::of_class(&class, Some(&base))?;
                // What it holds as the known class is state enough.
                info.reach.computes = None;
            }
            info.exact = depth == 0 || covered;
            info.rule = if info.exact || !classes::pickles_itself(&class, &base)? {
                Rule::Known(known)
            } else {
                Rule::Reduce
            };
            if known == Known::Parts(parts::Kind::Exception) {
                info.beside = parts::exception_state(&class)?;
            }
            if !info.exact {
                info.fields = classes::own_slots(&class, &base)?;
            } else if let Some(kept) = known.keeps()
                && info.has_dict
                && (depth > 0 || known.is_given_attributes())
            {
                info.attached = true;
                let py = value.py();
                let kept = kept.iter();
                info.skip
                    .extend(kept.map(|name| PyString::intern(py, name).unbind().into_any()));
            }
            return Ok(info);
        }
    }
    info.reach = reach::of_class(&class, None)?;
    if info.reach.elsewhere.is_some() {
        return Ok(info);
    }
    if info.reach.is_own() && stand_in::pretends(value)? {
        info.rule = Rule::StandIn(stand_in::Way::Closed);
        return Ok(info);
    }
    if let Some(fields) = classes::declared_fields(&class)? {
        info.rule = Rule::Object;
        for field in &fields {
            info.kept
                .extend(kept::in_slot(&class, field.bind(value.py()))?);
        }
        info.fields = fields;
    } else if classes::is_plain(value)? {
        info.rule = Rule::Object;
        info.fields = classes::slots(&class)?;
        info.skip.append(&mut parts::remembered_facts(&class));
    } else {
        match Reducer::of(&class)? {
            Reducer::Object => {}
            Reducer::Python => info.beside.clear(),
            Reducer::Compiled { slots, dict } => {
                info.beside = slots;
                info.dict_beside = dict;
            }
        }
    }
    Ok(info)
}

/// Whether a class is what its name says, not one of the user's under the same name: it is either
/// part of a compiled module, or what its module has under its name.
pub(super) fn is_itself(class: &Bound<'_, PyType>) -> bool {
    !is_heap(class) || importable(class).unwrap_or(false)
}

/// Whether an object with a module and a qualified name is what is found there.
pub(super) fn importable(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(found(value)?.is_some_and(|found| found.is(value)))
}

/// What is found under an object's module and qualified name.
pub(super) fn found<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (Some(module), Some(name)) = (
        value.getattr_opt("__module__")?,
        value.getattr_opt("__qualname__")?,
    ) else {
        return Ok(None);
    };
    found_under(&module, name.cast::<PyString>()?.to_str()?)
}

/// What is found under a qualified name in a module that has been imported, given by its name.
pub(super) fn found_under<'py>(
    module: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(mut found) = modules::all(module.py()).get_item(module)? else {
        return Ok(None);
    };
    for part in name.split('.') {
        match found.getattr_opt(part)? {
            Some(next) => found = next,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// Whether a class was made while the program ran, by a `class` statement or its like.
pub(super) fn is_heap(class: &Bound<'_, PyType>) -> bool {
    // SAFETY: the class lives.
    unsafe { (*class.as_type_ptr()).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE != 0 }
}

pub(super) fn has_dict(class: &Bound<'_, PyType>) -> bool {
    // SAFETY: the class lives. Where the interpreter keeps the dict itself, this is -1.
    unsafe { (*class.as_type_ptr()).tp_dictoffset != 0 }
}

/// The module and qualified name of a class, as they are written.
fn id(class: &Bound<'_, PyType>) -> PyResult<Box<[u8]>> {
    let mut enc = Encoder::new();
    write_id(&mut enc, class)?;
    Ok(enc.as_bytes().into())
}

/// Writes the module and qualified name of a class (K7).
pub(super) fn write_id(enc: &mut Encoder, class: &Bound<'_, PyType>) -> PyResult<()> {
    for (tag, name) in [
        (tags::MODULE, "__module__"),
        (tags::QUALNAME, "__qualname__"),
    ] {
        let text = match class.getattr_opt(name)? {
            Some(text) => text.str()?,
            None => PyString::new(class.py(), ""),
        };
        enc.framed(tag, text.to_string_lossy().as_bytes());
    }
    Ok(())
}

/// The last part of the name that the class was made with.
///
/// # Safety
///
/// `class` is a live class, and outlives the slice.
pub(super) unsafe fn type_name<'a>(class: *mut ffi::PyTypeObject) -> &'a str {
    // SAFETY: the name of a class ends in NUL and lives as long as the class.
    let name = unsafe { std::ffi::CStr::from_ptr((*class).tp_name) };
    let name = name.to_str().unwrap_or_default();
    name.rsplit('.').next().unwrap_or(name)
}

/// The module and qualified name of a class, as a fully-qualified name.
pub(super) fn full_name(class: *mut ffi::PyTypeObject) -> String {
    // SAFETY: callers pass a live class with the interpreter attached.
    let class = unsafe {
        let py = Python::assume_attached();
        Bound::from_borrowed_ptr(py, class.cast()).cast_into_unchecked::<PyType>()
    };
    let text = |name: &str| -> Option<String> {
        let text = class.getattr(name).ok()?;
        Some(text.cast::<PyString>().ok()?.to_string_lossy().into_owned())
    };
    let name = text("__qualname__").unwrap_or_else(|| {
        // SAFETY: the class lives.
        unsafe { type_name(class.as_type_ptr()) }.to_owned()
    });
    match text("__module__") {
        Some(module) => format!("{module}.{name}"),
        None => name,
    }
}

/// The fully-qualified name as a reader would write it: built-in classes without their module.
pub(super) fn display_name(class: *mut ffi::PyTypeObject) -> String {
    let name = full_name(class);
    match name.strip_prefix("builtins.") {
        Some(short) => short.to_owned(),
        None => name,
    }
}

/// The first part of a module's name.
pub(super) fn module_root(module: &Bound<'_, PyAny>) -> Option<String> {
    let module = module.cast::<PyString>().ok()?.to_string_lossy();
    Some(module.split('.').next()?.to_owned())
}

/// The name of an object's class for messages.
pub(super) fn class_of(value: &Bound<'_, PyAny>) -> String {
    display_name(value.get_type().as_type_ptr())
}

/// The fault of an object whose reading raised.
pub(super) fn unreadable(value: &Bound<'_, PyAny>, error: PyErr) -> Box<Fault> {
    Fault::raised(value.py(), class_of(value), "could not be read", error)
}
