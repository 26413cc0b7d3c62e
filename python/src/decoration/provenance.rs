//! The parts of a resource that can be seen to come from modules that are loaded anew.
//!
//! A resource is made of a module where its class is, or a function in it, or anything that it holds:
//! the items of a container, the attributes of an instance, the object of a bound method, what a
//! partial or a closure was given. The look goes by what each type shows the garbage collector, so
//! no code of the user's runs; nearest first, and no further than [`OBJECTS_MAX`].
//!
//! It does not go into classes, modules and the names that a function finds in its module, from
//! where everything else could be reached; a class or a function is judged by the module it names.
#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::ffi::{c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyFunction, PyModule, PyString, PyType};

use crate::process::once::intern;

/// So many objects are looked at.
const OBJECTS_MAX: usize = 10_000;

/// So many references are followed, to what holds nothing too.
const REFERENCES_MAX: usize = 1_000_000;

/// Whether anything of these modules can be seen in the resource.
pub(crate) fn is_made_of(resource: &Bound<'_, PyAny>, modules: &Bound<'_, PyFrozenSet>) -> bool {
    let mut look = Look {
        modules,
        classes: HashMap::new(),
        met: HashSet::new(),
        queue: Vec::new(),
        references: 0,
        found: false,
    };
    look.meet(resource.as_ptr());
    let mut at = 0;
    while !look.found && at < look.queue.len() && at < OBJECTS_MAX {
        let object = look.queue[at].clone();
        look.follow(&object);
        at += 1;
    }
    look.found
}

struct Look<'a, 'py> {
    modules: &'a Bound<'py, PyFrozenSet>,
    /// The answers for the classes that were met.
    classes: HashMap<*mut ffi::PyTypeObject, bool>,
    met: HashSet<*mut ffi::PyObject>,
    /// Objects that hold others, each held so that it stays.
    queue: Vec<Bound<'py, PyAny>>,
    references: usize,
    found: bool,
}

impl<'py> Look<'_, 'py> {
    /// Judges an object, and notes it if it may hold others. Nothing of Python's runs or is freed.
    fn meet(&mut self, object: *mut ffi::PyObject) {
        let py = self.modules.py();
        self.references += 1;
        // SAFETY: callers pass live objects, and nothing that is called here lets go of any.
        let (class, holds) = unsafe { (ffi::Py_TYPE(object), ffi::PyObject_IS_GC(object) != 0) };
        if self.is_stale(class) {
            self.found = true;
        } else if holds && self.queue.len() < OBJECTS_MAX && self.met.insert(object) {
            // SAFETY: as above.
            self.queue
                .push(unsafe { Bound::from_borrowed_ptr(py, object) });
        }
    }

    /// Judges what an object holds.
    fn follow(&mut self, object: &Bound<'py, PyAny>) {
        let py = object.py();
        if let Ok(class) = object.cast::<PyType>() {
            self.found = self.is_stale(class.as_type_ptr());
        } else if let Ok(module) = object.cast::<PyModule>() {
            // In its dict: a module that is loaded only when it is used is asked by any attribute.
            let name = module.dict().get_item(intern!(py, "__name__"));
            self.found = name.is_ok_and(|name| name.is_some_and(|name| self.names(&name)));
        } else if let Ok(function) = object.cast::<PyFunction>() {
            let module = function.getattr(intern!(py, "__module__"));
            self.found = module.is_ok_and(|module| self.names(&module));
            for name in ["__closure__", "__defaults__", "__kwdefaults__", "__dict__"] {
                if let Ok(held) = function.getattr(name) {
                    self.meet(held.as_ptr());
                }
            }
        } else {
            // SAFETY: a live object of a class whose instances the collector can look into, as was
            // asked before it was noted; `visit` does what a visitor may.
            unsafe {
                if let Some(traverse) = (*ffi::Py_TYPE(object.as_ptr())).tp_traverse {
                    traverse(object.as_ptr(), visit, (&raw mut *self).cast());
                }
            }
        }
    }

    /// Whether a class, or one that it inherits from, is of one of the modules.
    fn is_stale(&mut self, class: *mut ffi::PyTypeObject) -> bool {
        if let Some(known) = self.classes.get(&class) {
            return *known;
        }
        // SAFETY: the class of a live object, or such an object itself. What a class that is ready
        // inherits from is a tuple of classes.
        let is_stale = unsafe {
            let bases = (*class).tp_mro;
            let count = if bases.is_null() {
                0
            } else {
                ffi::PyTuple_GET_SIZE(bases)
            };
            (0..count).any(|at| self.is_of(ffi::PyTuple_GET_ITEM(bases, at).cast()))
        };
        self.classes.insert(class, is_stale);
        is_stale
    }

    /// Whether a class names one of the modules as its own. Its metaclass is not asked.
    ///
    /// # Safety
    /// The class is alive.
    unsafe fn is_of(&self, class: *mut ffi::PyTypeObject) -> bool {
        let py = self.modules.py();
        // SAFETY: the caller's promise. The dict of a class that was made at run time stays as long
        // as the class; its keys are strings.
        unsafe {
            if (*class).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE == 0 || (*class).tp_dict.is_null() {
                return false;
            }
            let module =
                ffi::PyDict_GetItemWithError((*class).tp_dict, intern!(py, "__module__").as_ptr());
            if module.is_null() {
                ffi::PyErr_Clear();
                return false;
            }
            self.names(&Bound::from_borrowed_ptr(py, module))
        }
    }

    fn names(&self, name: &Bound<'py, PyAny>) -> bool {
        name.is_exact_instance_of::<PyString>() && self.modules.contains(name).unwrap_or(false)
    }
}

/// Judges one thing that an object holds. Gives something else than zero where that is enough.
unsafe extern "C" fn visit(object: *mut ffi::PyObject, look: *mut c_void) -> c_int {
    // SAFETY: `follow` passes itself, and uses nothing of it meanwhile.
    let look = unsafe { &mut *look.cast::<Look<'_, '_>>() };
    if !object.is_null() {
        look.meet(object);
    }
    c_int::from(look.found || look.references >= REFERENCES_MAX)
}
