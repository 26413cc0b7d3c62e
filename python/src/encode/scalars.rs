//! Numbers, strings and bytes, written without running Python.
#![allow(unsafe_code)]

use super::tags;
use pyo3::ffi;
use tenure::Encoder;

/// Strings and bytes up to this length are written without a look at the memo.
const SHORT: usize = 1 << 12;

/// Writes a built-in scalar of an exact type; `false` if it is something else, with nothing
/// written. It never runs Python code.
///
/// # Safety
///
/// `value` is a live object and the interpreter is attached.
#[inline(always)]
pub(crate) unsafe fn encode_scalar(enc: &mut Encoder, value: *mut ffi::PyObject) -> bool {
    // SAFETY: the object lives, so its type can be read; each branch reads the layout that the
    // exact type has.
    unsafe {
        let class = ffi::Py_TYPE(value);
        if class == &raw mut ffi::PyUnicode_Type {
            let Some((tag, bytes)) = str_bytes(value) else {
                return false;
            };
            if bytes.len() > SHORT {
                return false;
            }
            enc.framed(tag, bytes);
            true
        } else if class == &raw mut ffi::PyLong_Type {
            int(enc, value)
        } else if value == ffi::Py_None() {
            enc.tag(tags::NONE);
            true
        } else if class == &raw mut ffi::PyFloat_Type {
            float(enc, ffi::PyFloat_AS_DOUBLE(value));
            true
        } else if class == &raw mut ffi::PyBool_Type {
            enc.tag(if value == ffi::Py_True() {
                tags::TRUE
            } else {
                tags::FALSE
            });
            true
        } else if class == &raw mut ffi::PyBytes_Type {
            let bytes = bytes_of(value);
            if bytes.len() > SHORT {
                return false;
            }
            enc.framed(tags::BYTES, bytes);
            true
        } else {
            false
        }
    }
}

/// Writes an integer that fits 64 bits, in the shortest form that holds it.
#[inline(always)]
pub(super) unsafe fn int(enc: &mut Encoder, value: *mut ffi::PyObject) -> bool {
    let mut overflow = 0;
    // SAFETY: the caller passes a live `int` or an instance of a subclass; no Python code runs
    // for those.
    let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value, &mut overflow) };
    if overflow != 0 {
        return false;
    }
    small_int(enc, number);
    true
}

/// Writes an integer in the shortest form that holds it.
#[inline(always)]
pub(super) fn small_int(enc: &mut Encoder, number: i64) {
    if let Ok(short) = i8::try_from(number) {
        enc.raw(&[tags::INT8, short as u8]);
    } else if let Ok(middle) = i32::try_from(number) {
        let [a, b, c, d] = middle.to_le_bytes();
        enc.raw(&[tags::INT32, a, b, c, d]);
    } else {
        let mut bytes = [tags::INT64, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[1..].copy_from_slice(&number.to_le_bytes());
        enc.raw(&bytes);
    }
}

/// Writes a float by its bits: `0.0` and `-0.0` differ, and a NaN is equal to itself (K2).
#[inline(always)]
pub(super) fn float(enc: &mut Encoder, number: f64) {
    let mut bytes = [tags::FLOAT, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[1..].copy_from_slice(&number.to_bits().to_le_bytes());
    enc.raw(&bytes);
}

/// The characters of a string as they lie in memory, with the tag that says how wide they are.
/// Equal strings lie in memory alike, and lone surrogates need no special care.
///
/// # Safety
///
/// `value` is a live `str` or an instance of a subclass, and outlives the slice.
#[inline(always)]
#[allow(
    deprecated,
    reason = "from Python 3.12 on every string is ready, and this is nothing"
)]
pub(super) unsafe fn str_bytes<'a>(value: *mut ffi::PyObject) -> Option<(u8, &'a [u8])> {
    // SAFETY: the caller's promise; only a string that is ready has its data in place, which is
    // asked first.
    unsafe {
        if ffi::PyUnicode_IS_READY(value) == 0 {
            return None;
        }
        let len = ffi::PyUnicode_GET_LENGTH(value) as usize;
        let (tag, width) = match ffi::PyUnicode_KIND(value) {
            1 => (tags::STR1, 1),
            2 => (tags::STR2, 2),
            _ => (tags::STR4, 4),
        };
        let data = ffi::PyUnicode_DATA(value).cast::<u8>();
        Some((tag, std::slice::from_raw_parts(data, len * width)))
    }
}

/// The content of a `bytes` object.
///
/// # Safety
///
/// `value` is a live `bytes` or an instance of a subclass, and outlives the slice.
#[inline(always)]
pub(super) unsafe fn bytes_of<'a>(value: *mut ffi::PyObject) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        let len = ffi::Py_SIZE(value) as usize;
        std::slice::from_raw_parts(ffi::PyBytes_AS_STRING(value).cast(), len)
    }
}
