//! NumPy arrays, scalars and dtypes, read from memory without calling NumPy.
//!
//! An array is its dtype, its shape and its items in the order of the indices; how they lie in
//! memory makes no difference. Items are read in place where they lie in one run. Structured
//! dtypes are read field by field, because what lies between fields is not content; so is the
//! padding of long doubles. Objects are keyed by what they contain (K6).
#![allow(unsafe_code)]

use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::{class_of, write_id};
use crate::encode::scalars::bytes_of;
use crate::encode::stream::Strided;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use crate::encode::{memo, tags};
use crate::process::once::{Once, intern};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::ffi::{c_char, c_int};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Array,
    /// An array on a file, whose class keeps more than its content in its attributes.
    FileArray,
    Masked,
    /// The one masked value, which cannot even be read.
    MaskedItem,
    Scalar,
    Dtype,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "numpy.ndarray" => &Kind::Array,
        "numpy.memmap" => &Kind::FileArray,
        "numpy.ma.MaskedArray" | "numpy.ma.core.MaskedArray" => &Kind::Masked,
        "numpy.ma.MaskedConstant" | "numpy.ma.core.MaskedConstant" => &Kind::MaskedItem,
        "numpy.generic" => &Kind::Scalar,
        "numpy.dtype" => &Kind::Dtype,
        _ => return None,
    })
}

/// The beginning of an array object, which NumPy's binary interface fixes.
#[repr(C)]
struct ArrayObject {
    base: ffi::PyObject,
    data: *mut u8,
    nd: c_int,
    dimensions: *mut isize,
    strides: *mut isize,
    owner: *mut ffi::PyObject,
    descr: *mut ffi::PyObject,
}

/// The beginning of a dtype object, which is the same in all versions.
#[repr(C)]
struct DescrObject {
    base: ffi::PyObject,
    class: *mut ffi::PyTypeObject,
    kind: c_char,
    code: c_char,
    byteorder: c_char,
    flags: c_char,
    number: c_int,
}

/// A dtype whose items are plain numbers.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    kind: u8,
    order: u8,
    /// The size of an item, and how much of it is content.
    pub item: usize,
    pub used: usize,
}

/// The sizes of the numeric types that are numbered from 0, and of the half float.
fn plain_size(number: c_int) -> Option<(usize, usize)> {
    use std::ffi::{c_long, c_longlong};
    // On these processors a long double holds 80 bits, and the rest is whatever was there.
    const LONG: (usize, usize) = if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        (if cfg!(target_arch = "x86") { 12 } else { 16 }, 10)
    } else {
        (0, 0)
    };
    let size = match number {
        0..=2 => 1,
        3 | 4 | 23 => 2,
        5 | 6 | 11 => 4,
        7 | 8 => size_of::<c_long>(),
        9 | 10 => size_of::<c_longlong>(),
        12 | 14 => 8,
        15 => 16,
        13 if LONG.0 != 0 => return Some(LONG),
        16 if LONG.0 != 0 => return Some((2 * LONG.0, LONG.1)),
        _ => return None,
    };
    Some((size, size))
}

/// The numeric form of a dtype, if it has one.
///
/// # Safety
///
/// `dtype` is a live dtype object.
unsafe fn plain(dtype: *mut ffi::PyObject) -> Option<Plain> {
    // SAFETY: the caller's promise.
    let descr = unsafe { &*dtype.cast::<DescrObject>() };
    let (item, used) = plain_size(descr.number)?;
    let order = match descr.byteorder as u8 {
        b'>' => b'>',
        b'<' => b'<',
        b'|' => b'|',
        _ if cfg!(target_endian = "big") => b'>',
        _ => b'<',
    };
    Some(Plain {
        kind: descr.kind as u8,
        order,
        item,
        used,
    })
}

impl Plain {
    pub(super) fn id(self) -> [u8; 3] {
        [self.kind, self.order, self.item as u8]
    }

    /// The layout in which each item is one number: a complex long double is two, with padding
    /// behind each.
    fn numbers(self, mut layout: Strided) -> Strided {
        if self.kind == b'c' && self.used < self.item {
            layout.item = self.item / 2;
            layout.shape.push(2);
            layout.strides.push(layout.item as isize);
        }
        layout
    }
}

/// The layout of an array.
///
/// # Safety
///
/// `array` is a live array whose items have this size.
unsafe fn layout(array: *mut ffi::PyObject, item: usize) -> Strided {
    // SAFETY: the caller's promise; the shape and the strides have `nd` items.
    unsafe {
        let array = &*array.cast::<ArrayObject>();
        let dims = array.nd as usize;
        let (shape, strides): (&[isize], &[isize]) = if dims == 0 {
            (&[], &[])
        } else {
            (
                std::slice::from_raw_parts(array.dimensions, dims),
                std::slice::from_raw_parts(array.strides, dims),
            )
        };
        Strided {
            data: array.data,
            item,
            shape: shape.iter().map(|&len| len as usize).collect(),
            strides: strides.to_vec(),
        }
    }
}

/// The layout of an array of plain numbers; `None` for other dtypes.
pub(super) fn plain_layout(array: &Bound<'_, PyAny>) -> Option<(Plain, Strided)> {
    // SAFETY: callers pass arrays only.
    unsafe {
        let descr = (*array.as_ptr().cast::<ArrayObject>()).descr;
        let plain = plain(descr)?;
        Some((plain, layout(array.as_ptr(), plain.item)))
    }
}

/// Whether an object is an array, of this class or a derived one.
pub(super) fn is_array(value: &Bound<'_, PyAny>) -> bool {
    value.get_type().mro().iter().any(|base| {
        // SAFETY: the bases of a live class live.
        let class = unsafe { &*base.as_ptr().cast::<ffi::PyTypeObject>() };
        // SAFETY: the name of a class ends in NUL and lives as long as the class.
        let name = unsafe { std::ffi::CStr::from_ptr(class.tp_name) };
        class.tp_flags & ffi::Py_TPFLAGS_HEAPTYPE == 0 && name == c"numpy.ndarray"
    })
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.numpy(*self, value, info)
    }

    fn covers_derived(&self) -> bool {
        matches!(
            self,
            Self::Scalar | Self::Dtype | Self::FileArray | Self::Masked | Self::MaskedItem
        )
    }

    fn keeps(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Scalar => Some(&[]),
            Self::FileArray => Some(&["_mmap", "filename", "offset", "mode"]),
            Self::Masked => Some(&[
                "_mask",
                "_data",
                "_fill_value",
                "_hardmask",
                "_sharedmask",
                "_isfield",
                "_baseclass",
                "_optinfo",
                "_basedict",
            ]),
            _ => None,
        }
    }

    fn is_given_attributes(&self) -> bool {
        *self == Self::Masked
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes something of NumPy's.
    fn numpy(&mut self, kind: Kind, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        match kind {
            Kind::Array => self.array(value),
            Kind::FileArray => {
                self.enc.tag(tags::DERIVED);
                self.class_of_value(value, info)?;
                self.array(value)
            }
            Kind::Masked => {
                self.enc.tag(tags::DERIVED);
                self.class_of_value(value, info)?;
                self.array(value)?;
                // No mask at all is the mask that hides nothing.
                static MASK: Once<Py<PyAny>> = Once::new();
                let mask = MASK.import(self.py, "numpy.ma", "getmaskarray")?;
                self.own(mask.call1((value,))?.as_ptr())
                    .map_err(|fault| fault.at(class_of(value), "its mask".to_owned()))?;
                self.named(value, &["fill_value", "hardmask", "baseclass", "_optinfo"])
            }
            Kind::MaskedItem => {
                self.enc.tag(tags::SCALAR);
                self.class_of_value(value, info)?;
                Ok(())
            }
            Kind::Scalar => {
                self.enc.tag(tags::SCALAR);
                self.class_of_value(value, info)?;
                // A scalar is an array without dimensions, whatever a derived class makes of it.
                static ARRAY: Once<Py<PyAny>> = Once::new();
                let array = ARRAY
                    .get_or_try_init(self.py, || {
                        let class = self.py.import("numpy")?.getattr("generic")?;
                        class.getattr("__array__").map(Bound::unbind)
                    })?
                    .bind(self.py)
                    .call1((value,))?;
                if !is_array(&array) {
                    return Err(Fault::no_key(class_of(value), "gave no array"));
                }
                self.array(&array)
            }
            Kind::Dtype => {
                self.enc.tag(tags::DTYPE);
                self.dtype(value)
            }
        }
    }

    /// Writes an array's dtype, shape and items.
    fn array(&mut self, array: &Bound<'py, PyAny>) -> Outcome {
        // SAFETY: the rule is given to arrays only, which keep their dtype alive.
        let descr = unsafe { (*array.as_ptr().cast::<ArrayObject>()).descr };
        // SAFETY: as above.
        self.metadata(&unsafe { Bound::from_borrowed_ptr(self.py, descr) })?;
        // SAFETY: as above.
        if let Some(plain) = unsafe { plain(descr) } {
            // SAFETY: the items have the size of their type.
            let layout = unsafe { layout(array.as_ptr(), plain.item) };
            let [kind, order, item] = plain.id();
            self.enc.raw(&[tags::NDARRAY, kind, order, item]);
            self.shape(&layout.shape);
            self.items(array, &plain.numbers(layout), plain.used);
            return Ok(());
        }
        // SAFETY: as above.
        let dtype = unsafe { Bound::from_borrowed_ptr(self.py, descr) };
        let item: usize = dtype.getattr("itemsize")?.extract()?;
        // SAFETY: as above.
        let layout = unsafe { layout(array.as_ptr(), item) };
        // No plain dtype begins with a zero.
        self.enc.raw(&[tags::NDARRAY, 0]);
        self.dtype(&dtype)?;
        self.shape(&layout.shape);
        self.items_of(array, &dtype, layout)
    }

    /// Writes items that are nothing but bytes. Those that lie in a `bytes` object cannot change,
    /// so their digest is remembered.
    fn items(&mut self, array: &Bound<'py, PyAny>, layout: &Strided, used: usize) {
        // SAFETY: the array is held, and keeps its data and its owner; an array whose data is in
        // a `bytes` object reads only that object.
        unsafe {
            if used == layout.item
                && layout.bytes() >= memo::WORTH
                && let Some(run) = layout.as_slice()
                && let Some(owner) = memory_owner(array.as_ptr(), run)
            {
                self.immutable(tags::DATA, owner, run);
            } else {
                self.strided(layout, used);
            }
        }
    }

    /// Writes the items of an array of any other dtype.
    fn items_of(
        &mut self,
        array: &Bound<'py, PyAny>,
        dtype: &Bound<'py, PyAny>,
        layout: Strided,
    ) -> Outcome {
        let kind: char = dtype.getattr("kind")?.extract()?;
        if let Ok(names) = dtype.getattr("names")?.cast::<PyTuple>() {
            let fields = dtype.getattr("fields")?;
            for name in names {
                let field = fields.get_item(&name)?;
                let (inner, offset) = (field.get_item(0)?, field.get_item(1)?.extract()?);
                // SAFETY: a field lies within its item.
                let data = unsafe { layout.data.add(offset) };
                let layout = Strided {
                    data,
                    ..layout.clone()
                };
                self.field(array, &inner, layout)
                    .map_err(|fault| fault.at(class_of(array), format!("the field {name}")))?;
            }
            return Ok(());
        }
        match kind {
            'O' => self.objects(array, &layout),
            'T' => {
                // The items say where strings are that are kept elsewhere.
                let list = array
                    .call_method1("astype", ("O",))?
                    .call_method1("ravel", ("C",))?
                    .call_method0("tolist")?;
                self.own(list.as_ptr())
                    .map_err(|fault| fault.at(class_of(array), "its items".to_owned()))
            }
            'U' | 'S' | 'V' | 'M' | 'm' => {
                let used = layout.item;
                self.items(array, &layout, used);
                Ok(())
            }
            _ if dtype.getattr("hasobject")?.is_truthy()? => Err(Fault::no_key(
                class_of(array),
                format!("has items of the dtype `{dtype}`, which holds references"),
            )),
            _ => {
                let used = layout.item;
                self.items(array, &layout, used);
                Ok(())
            }
        }
    }

    /// Writes one field of all items of a structured array.
    fn field(
        &mut self,
        array: &Bound<'py, PyAny>,
        dtype: &Bound<'py, PyAny>,
        mut layout: Strided,
    ) -> Outcome {
        let mut dtype = dtype.clone();
        // A field can be an array itself.
        if let Ok(inner) = dtype.getattr("subdtype")?.cast::<PyTuple>() {
            let shape: Vec<usize> = inner.get_item(1)?.extract()?;
            let base = inner.get_item(0)?;
            let item: usize = base.getattr("itemsize")?.extract()?;
            let mut stride = (item * shape.iter().product::<usize>()) as isize;
            for len in shape {
                stride /= len.max(1) as isize;
                layout.shape.push(len);
                layout.strides.push(stride);
            }
            dtype = base;
        }
        layout.item = dtype.getattr("itemsize")?.extract()?;
        // SAFETY: `dtype` is held.
        if let Some(plain) = unsafe { plain(dtype.as_ptr()) } {
            // SAFETY: the array keeps its data.
            unsafe { self.strided(&plain.numbers(layout), plain.used) };
            return Ok(());
        }
        let kind: char = dtype.getattr("kind")?.extract()?;
        if kind == 'O' {
            return self.objects(array, &layout);
        }
        self.items_of(array, &dtype, layout)
    }

    /// Writes items that are pointers to objects, by what those contain.
    fn objects(&mut self, array: &Bound<'py, PyAny>, layout: &Strided) -> Outcome {
        self.enc.tag(tags::LIST);
        let mut piece = self.enc.len();
        if layout.count() > 0 {
            // SAFETY: the array is held, and with it its data, whose items are objects.
            unsafe { self.objects_of(layout, layout.data, 0, &mut piece) }
                .map_err(|fault| fault.at(class_of(array), "its items".to_owned()))?;
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Goes through the dimensions from the first to the last.
    ///
    /// # Safety
    ///
    /// The items from `data` on in this dimension are pointers to live objects or NULL.
    unsafe fn objects_of(
        &mut self,
        layout: &Strided,
        data: *const u8,
        dim: usize,
        piece: &mut usize,
    ) -> Outcome {
        let (len, stride) = match layout.shape.get(dim) {
            Some(&len) => (len, layout.strides[dim]),
            // An array without dimensions has one item.
            None => (1, 0),
        };
        for at in 0..len {
            // SAFETY: the index is within the shape. Code that runs for an item may put another
            // one in its place, so it is held meanwhile; an item that was never set is NULL and
            // stands for `None`.
            unsafe {
                let data = data.offset(at as isize * stride);
                if dim + 1 < layout.shape.len() {
                    self.objects_of(layout, data, dim + 1, piece)?;
                    continue;
                }
                let mut item = data.cast::<*mut ffi::PyObject>().read_unaligned();
                if item.is_null() {
                    item = ffi::Py_None();
                }
                if !self.simple(item) {
                    let item = Bound::from_borrowed_ptr(self.py, item);
                    self.value(item.as_ptr())?;
                }
                *piece = self.piece(*piece);
            }
        }
        Ok(())
    }

    /// Writes what the user noted on a dtype, which few have.
    fn metadata(&mut self, dtype: &Bound<'py, PyAny>) -> Outcome {
        let noted = dtype.getattr(intern!(self.py, "metadata"))?;
        if noted.is_none() {
            return Ok(());
        }
        self.enc.tag(tags::NOTED);
        self.own(noted.as_ptr())
            .map_err(|fault| fault.at("numpy.dtype".to_owned(), "its metadata".to_owned()))
    }

    /// Writes what a dtype is.
    fn dtype(&mut self, dtype: &Bound<'py, PyAny>) -> Outcome {
        self.metadata(dtype)?;
        // SAFETY: callers pass live dtypes.
        if let Some(plain) = unsafe { plain(dtype.as_ptr()) } {
            self.enc.raw(&plain.id());
        } else {
            self.enc.raw(&[0]);
            write_id(self.enc, &dtype.get_type())?;
            self.inner(&dtype.getattr("str")?)?;
            self.inner(&dtype.getattr("alignment")?)?;
            if let Ok(inner) = dtype.getattr("subdtype")?.cast::<PyTuple>() {
                self.dtype(&inner.get_item(0)?)?;
                self.inner(&inner.get_item(1)?)?;
            }
            self.enc.tag(tags::END);
            if let Ok(names) = dtype.getattr("names")?.cast::<PyTuple>() {
                let fields = dtype.getattr("fields")?;
                for name in names {
                    self.inner(&name)?;
                    let field = fields.get_item(&name)?.cast_into::<PyTuple>();
                    let field = field.map_err(PyErr::from)?;
                    self.dtype(&field.get_item(0)?)?;
                    for at in 1..field.len() {
                        self.inner(&field.get_item(at)?)?;
                    }
                    self.enc.tag(tags::END);
                }
            }
            self.enc.tag(tags::END);
            // Only strings of any length have it.
            match dtype.getattr_opt("na_object")? {
                Some(missing) => self.inner(&missing)?,
                None => self.enc.tag(tags::ABSENT),
            }
        }
        Ok(())
    }
}

/// The `bytes` object that an array's data lies in, through views of views.
///
/// # Safety
///
/// `array` is a live array, and `run` its data.
unsafe fn memory_owner(array: *mut ffi::PyObject, run: &[u8]) -> Option<*mut ffi::PyObject> {
    // SAFETY: the caller's promise; an array keeps the owner of its data.
    unsafe {
        let mut owner = (*array.cast::<ArrayObject>()).owner;
        while !owner.is_null() && ffi::Py_TYPE(owner) == ffi::Py_TYPE(array) {
            owner = (*owner.cast::<ArrayObject>()).owner;
        }
        if owner.is_null() || ffi::Py_TYPE(owner) != &raw mut ffi::PyBytes_Type {
            return None;
        }
        let whole = bytes_of(owner).as_ptr_range();
        let part = run.as_ptr_range();
        (whole.start <= part.start && part.end <= whole.end).then_some(owner)
    }
}
