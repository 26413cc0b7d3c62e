//! The Arrow C data interface: the type of a column and its values, as libraries hand them out.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};

/// `struct ArrowSchema` of the C data interface.
#[repr(C)]
pub(super) struct Schema {
    pub format: *const c_char,
    pub name: *const c_char,
    pub metadata: *const c_char,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut Schema,
    pub dictionary: *mut Schema,
    release: Option<unsafe extern "C" fn(*mut Schema)>,
    private_data: *mut c_void,
}

/// `struct ArrowArray` of the C data interface.
#[repr(C)]
pub(super) struct Array {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *mut *const c_void,
    pub children: *mut *mut Array,
    pub dictionary: *mut Array,
    pub release: Option<unsafe extern "C" fn(*mut Array)>,
    private_data: *mut c_void,
}

impl Schema {
    pub(super) fn empty() -> Self {
        Self {
            format: std::ptr::null(),
            name: std::ptr::null(),
            metadata: std::ptr::null(),
            flags: 0,
            n_children: 0,
            children: std::ptr::null_mut(),
            dictionary: std::ptr::null_mut(),
            release: None,
            private_data: std::ptr::null_mut(),
        }
    }

    pub(super) fn format(&self) -> &[u8] {
        text(self.format)
    }

    pub(super) fn child(&self, at: usize) -> &Self {
        assert!((at as i64) < self.n_children, "a type has its children");
        // SAFETY: a schema has as many children as it says.
        unsafe { &**self.children.add(at) }
    }

    /// The type of the values that a dictionary-encoded column refers to.
    pub(super) fn dictionary(&self) -> Option<&Self> {
        // SAFETY: it is NULL or another schema.
        unsafe { self.dictionary.as_ref() }
    }
}

impl Array {
    pub(super) fn empty() -> Self {
        Self {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: std::ptr::null_mut(),
            children: std::ptr::null_mut(),
            dictionary: std::ptr::null_mut(),
            release: None,
            private_data: std::ptr::null_mut(),
        }
    }

    /// A buffer, or NULL if it has none there.
    pub(super) fn buffer(&self, at: usize) -> *const u8 {
        if at as i64 >= self.n_buffers {
            return std::ptr::null();
        }
        // SAFETY: an array has as many buffers as it says.
        unsafe { (*self.buffers.add(at)).cast() }
    }

    pub(super) fn child(&self, at: usize) -> &Self {
        assert!((at as i64) < self.n_children, "an array has its children");
        // SAFETY: an array has as many children as it says.
        unsafe { &**self.children.add(at) }
    }

    pub(super) fn dictionary(&self) -> Option<&Self> {
        // SAFETY: it is NULL or another array.
        unsafe { self.dictionary.as_ref() }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it was handed out to us and not released yet.
            unsafe { release(self) }
        }
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: as above.
            unsafe { release(self) }
        }
    }
}

/// A text of a schema, which callers hold.
pub(super) fn text<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: texts of a schema end in NUL and live as long as it, which callers hold.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}
