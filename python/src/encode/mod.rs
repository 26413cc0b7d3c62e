//! The canonical encoding of Python arguments.
//!
//! One walk writes one argument. Each value begins with its tag ([`tags`]); exact built-in types
//! are found by the address of their class, everything else by the rule that its class was given
//! when it was first met ([`types`]). Which rule that is depends on the class alone, so that
//! equal values always take the same road.
//!
//! A container that holds itself is written as a step back (K10). What is nested deeply goes on
//! on a [piece of stack](stack) of our own, up to [`DEPTH_MAX`] levels. What is large is replaced by its digest
//! piece by piece, at boundaries that depend on the content alone, so that the buffer stays
//! small; and what was large and is met again in the same argument is not walked twice.
#![allow(unsafe_code)]

mod arrow;
mod bits;
mod buffers;
mod builtin;
mod bytecode;
mod callables;
mod classes;
mod columns;
mod containers;
mod defaults;
mod dictionaries;
mod fault;
mod files;
mod first;
mod hash_funcs;
mod images;
mod kept;
mod lines;
mod made;
mod memo;
mod numpy;
mod pandas;
mod parts;
mod reach;
mod reduce;
mod runs;
mod stack;
mod stand_in;
mod stdlib;
mod steady;
mod stream;
mod tags;
mod types;

pub(crate) use builtin::encode_scalar;
pub(crate) use callables::Pin;
pub(crate) use defaults::settle;
pub(crate) use first::First;
pub(crate) use hash_funcs::HashFuncs;
pub(crate) use steady::{Reading, check};

use fault::{Fault, Outcome};
use pyo3::ffi;
use pyo3::prelude::*;
use smallvec::SmallVec;
use std::sync::Arc;
use steady::Trace;
use tenure::{Encoder, Hasher128};
use types::{Known, Rule, TypeInfo};

/// How many levels of nesting are read.
pub(crate) const DEPTH_MAX: usize = 10_000;

/// A run of written members from this length on is replaced by its digest.
const PIECE: usize = 1 << 16;

/// What took this many bytes to write is worth remembering in case it is met again.
const SHARED: u64 = 1 << 14;

/// From this length on data is digested without the interpreter.
const DETACH: usize = 1 << 16;

/// What is written of an instance that holds no attributes: the ends of its dict and its slots.
const NOTHING_HELD: [u8; 2] = [tags::END, tags::END];

/// What an encoding is made for.
pub(crate) struct Context<'a> {
    /// The function's qualified name, for messages.
    pub function: &'a str,
    /// The user's own rules.
    pub hash_funcs: Option<&'a HashFuncs>,
}

/// Writes the canonical encoding of one argument, a live object that the caller keeps alive.
/// `param` is for messages only.
pub(crate) fn encode(
    py: Python<'_>,
    enc: &mut Encoder,
    value: *mut ffi::PyObject,
    param: &str,
    cx: &Context<'_>,
) -> PyResult<Reading> {
    let mut walk = Walk::new(py, enc, cx);
    match walk.value(value) {
        Ok(()) => Ok(walk.reading),
        Err(fault) => Err(fault.raise(py, param, cx)),
    }
}

/// What a callable is to the function that is decorated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The function itself: what it holds counts as arguments do.
    Function,
    /// One of its settings: what it holds counts as it was when it was [first met](first).
    Callback,
}

/// What a callable holds that must be kept alive for what was written of it to mean it.
#[derive(Default)]
pub(crate) struct Holds {
    /// What has no key.
    pub(crate) pins: Vec<Pin>,
    /// What counts as it was when it was first met.
    pub(crate) firsts: Vec<Arc<First>>,
    /// The variables that functions close over, and their defaults, with the digest of each.
    pub(crate) captured: Vec<(String, u128)>,
}

/// Writes what makes a callable what it is. What it closes over or is bound to and has no key is
/// told apart by which object it is. What must be kept alive is given back.
pub(crate) fn encode_callable(
    py: Python<'_>,
    enc: &mut Encoder,
    callable: &Bound<'_, PyAny>,
    name: &str,
    role: Role,
) -> PyResult<Holds> {
    let cx = Context {
        function: name,
        hash_funcs: None,
    };
    let mut walk = Walk::new(py, enc, &cx);
    walk.role = Some(role);
    // SAFETY: the interpreter is attached, and the caller's reference keeps the callable alive.
    let callable = unsafe { Bound::from_borrowed_ptr(py, callable.as_ptr()) };
    walk.or_pinned(&callable, "the object itself", &callable)
        .map_err(|fault| fault.raise_held(py, &cx))?;
    Ok(walk.holds)
}

/// One walk through one argument.
struct Walk<'e, 'a, 'py> {
    py: Python<'py>,
    enc: &'e mut Encoder,
    /// The user's own rules, where they apply.
    rules: Option<&'a HashFuncs>,
    /// Whether there are any.
    ruled: bool,
    /// The containers that are being written, outermost first.
    open: SmallVec<[*mut ffi::PyObject; 16]>,
    /// From which of them on what is written can point back: further out it is read apart.
    floor: usize,
    /// Whether a class is read, and if so, whether members without a key are passed over.
    reads_class: Option<bool>,
    /// The outermost open container that what was written since points back to.
    lowest: usize,
    /// How many bytes were digested and left the buffer.
    digested: u64,
    /// What was large and may be met again.
    shared: Vec<Shared>,
    /// The class whose hash function's result is being written, for which it is not asked again.
    converted: *mut ffi::PyTypeObject,
    /// The objects that users' functions are at work on.
    converting: SmallVec<[*mut ffi::PyObject; 4]>,
    /// What the callable is whose parts are written, if this is no argument.
    role: Option<Role>,
    /// What of it must be kept alive.
    holds: Holds,
    /// Which stack the walk is on.
    stacks: stack::Stacks,
    /// What is let go of on the thread's own stack.
    spent: Vec<Bound<'py, PyAny>>,
    /// Whether what is written is a default of the callable whose parts are written.
    in_default: bool,
    /// Whether what is written is a default, on which a decorated function settles once.
    settling: bool,
    /// Whether a part of it must be read at each call all the same.
    is_read_now: bool,
    /// Whether a part of it has no key.
    lacks_key: bool,
    /// How what was written is known.
    reading: Reading,
    /// What an earlier reading wrote, where this is one of two.
    trace: Option<Box<Trace>>,
}

/// A container that was written before in this walk.
struct Shared {
    value: Py<PyAny>,
    bytes: Box<[u8]>,
    /// Where it stood, if it points back to something around it and so means the same only there.
    level: Option<usize>,
}

impl<'e, 'a, 'py> Walk<'e, 'a, 'py> {
    fn new(py: Python<'py>, enc: &'e mut Encoder, cx: &'a Context<'a>) -> Self {
        Self {
            py,
            enc,
            rules: cx.hash_funcs,
            ruled: cx.hash_funcs.is_some(),
            open: SmallVec::new(),
            floor: 0,
            reads_class: None,
            lowest: usize::MAX,
            digested: 0,
            shared: Vec::new(),
            converted: std::ptr::null_mut(),
            converting: SmallVec::new(),
            role: None,
            holds: Holds::default(),
            stacks: stack::Stacks::default(),
            spent: Vec::new(),
            in_default: false,
            settling: false,
            is_read_now: false,
            lacks_key: false,
            reading: Reading::Seen,
            trace: None,
        }
    }

    /// Writes any value. The caller keeps it alive.
    fn value(&mut self, value: *mut ffi::PyObject) -> Outcome {
        if self.trace.is_some() {
            return self.traced(value);
        }
        if let Some(funcs) = self.rules
            && self.converted_by(funcs, value)?
        {
            return Ok(());
        }
        self.own(value)
    }

    /// Writes what the user's rule for a value gives: `true` if there is one.
    fn converted_by(&mut self, funcs: &HashFuncs, value: *mut ffi::PyObject) -> Outcome<bool> {
        self.on_own(|walk| walk.convert(funcs, value))
    }

    /// Writes a value that is part of what holds it and no argument of the user's by itself: the
    /// user's rules apply to what it holds only.
    fn own(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: the caller keeps the value alive.
        if unsafe { encode_scalar(self.enc, value) } {
            return Ok(());
        }
        self.compound(value)
    }

    /// Writes a name, a number or the like that says what a value is: the user's rules have no
    /// part in it.
    fn inner(&mut self, value: &Bound<'py, PyAny>) -> Outcome {
        let rules = self.rules.take();
        let outcome = self.own(value.as_ptr());
        self.rules = rules;
        outcome
    }

    /// Writes a value that may be short and simple: `true` if it was. With `hash_funcs`, and where
    /// two readings are compared, nothing is.
    ///
    /// # Safety
    ///
    /// `value` is a live object.
    #[inline(always)]
    unsafe fn simple(&mut self, value: *mut ffi::PyObject) -> bool {
        // SAFETY: the caller's promise.
        self.rules.is_none() && self.trace.is_none() && unsafe { encode_scalar(self.enc, value) }
    }

    fn compound(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: the caller keeps the value alive; the addresses of the built-in classes are
        // only compared.
        let class = unsafe { ffi::Py_TYPE(value) };
        if class == &raw mut ffi::PyList_Type {
            self.nested(value, |walk| walk.with_room(|walk| walk.list(value)))
        } else if class == &raw mut ffi::PyDict_Type {
            self.nested(value, |walk| {
                walk.with_room(|walk| walk.dict(tags::DICT, value))
            })
        } else if class == &raw mut ffi::PyTuple_Type {
            self.nested(value, |walk| walk.with_room(|walk| walk.tuple(value)))
        } else if class == &raw mut ffi::PyLong_Type {
            self.integer(value)
        } else if class == &raw mut ffi::PyUnicode_Type {
            self.string(value)
        } else if class == &raw mut ffi::PyBytes_Type {
            self.bytes(value);
            Ok(())
        } else {
            self.by_class(value)
        }
    }

    /// Writes what is not of an exact built-in type. That may run Python, but for an instance's
    /// attributes: chains of instances are as long as lists are deep.
    fn by_class(&mut self, value: *mut ffi::PyObject) -> Outcome {
        // SAFETY: the caller keeps the value alive.
        let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        if self.in_default && self.on_own(|_| Ok(defaults::is_lock(&value)?))? {
            self.enc.tag(tags::LOCK);
            return Ok(());
        }
        let info = self.on_own(|walk| {
            let info = types::info(&value)?;
            if walk.settling {
                walk.mind_stand_in(&value, &info);
            }
            if !info.reach.is_own() {
                stand_in::check(&value, &info)?;
            }
            Ok(info)
        })?;
        let start = self.enc.len();
        let outcome = match info.rule {
            Rule::Known(_) if info.exact => {
                let outcome = self.on_own(|walk| walk.by_rule(&value, &info));
                return self.or_settled(start, outcome);
            }
            Rule::Object => self.by_rule(&value, &info),
            _ => self.on_own(|walk| walk.by_rule(&value, &info)),
        };
        match outcome {
            Err(fault) if fault.is_no_key() && !fault.is_elsewhere() => {
                let mut fault = Some(fault);
                // What either of them holds of an exception is let go of there too.
                let tried = self.on_own(|walk| {
                    if matches!(walk.wrapped(&value, start), Ok(true)) {
                        fault = None;
                    }
                    Ok(())
                });
                match fault {
                    Some(fault) => self.on_own(|walk| walk.or_settled(start, Err(fault))),
                    None => tried,
                }
            }
            outcome => outcome,
        }
    }

    /// Goes on past what has no key where a default is written: something else in it may stand for
    /// whoever asks.
    fn or_settled(&mut self, start: usize, outcome: Outcome) -> Outcome {
        match outcome {
            Err(fault) if self.settling && fault.is_no_key() && !fault.is_elsewhere() => {
                self.enc.truncate(start);
                self.enc.tag(tags::OPAQUE);
                self.lacks_key = true;
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn by_rule(&mut self, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        match info.rule {
            Rule::Known(known) if info.exact => {
                if info.attached {
                    self.nested(value.as_ptr(), |walk| {
                        walk.content(known, value, info)?;
                        walk.attributes(value, info)
                    })
                } else if known.holds() {
                    self.nested(value.as_ptr(), |walk| walk.content(known, value, info))
                } else {
                    self.content(known, value, info)
                }
            }
            Rule::Known(known) => self.nested(value.as_ptr(), |walk| {
                walk.enc.tag(tags::DERIVED);
                walk.class_of_value(value, info)?;
                walk.content(known, value, info)?;
                walk.attributes(value, info)
            }),
            Rule::Object => self.nested(value.as_ptr(), |walk| {
                walk.enc.tag(tags::OBJECT);
                walk.class_of_value(value, info)?;
                walk.with_room(|walk| {
                    let start = walk.enc.len();
                    walk.attributes(value, info)?;
                    if walk.enc.as_bytes()[start..] == NOTHING_HELD {
                        walk.on_own(|_| stand_in::check_empty(value, info))?;
                    }
                    Ok(())
                })
            }),
            Rule::Enum => self.nested(value.as_ptr(), |walk| walk.enumeration(value, info)),
            Rule::Reduce => self.nested(value.as_ptr(), |walk| walk.reduce(value)),
            Rule::StandIn(way) => {
                self.nested(value.as_ptr(), |walk| walk.stand_in(way, value, info))
            }
        }
    }

    /// Writes what an instance of a known class, or of one derived from it, holds as such.
    fn content(&mut self, known: Known, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        let ptr = value.as_ptr();
        match known {
            Known::Int => self.integer(ptr),
            Known::Float => {
                // SAFETY: the rule is given to `float` and its subclasses only.
                builtin::float(self.enc, unsafe { ffi::PyFloat_AS_DOUBLE(ptr) });
                Ok(())
            }
            Known::Complex => {
                self.complex(ptr);
                Ok(())
            }
            Known::Str => self.string(ptr),
            Known::Bytes => {
                self.bytes(ptr);
                Ok(())
            }
            Known::Singleton(tag) => {
                self.enc.tag(tag);
                Ok(())
            }
            Known::Range => self.range(value),
            Known::Slice => self.slice(value),
            Known::Tuple => self.tuple(ptr),
            Known::List => self.list(ptr),
            Known::Dict => self.dict(tags::DICT, ptr),
            Known::Set => self.set(tags::SET, value),
            Known::FrozenSet => self.set(tags::FROZENSET, value),
            Known::Counter => self.dict(tags::COUNTER, ptr),
            Known::Defaulting => {
                self.dict(tags::DEFAULTING, ptr)?;
                self.value(value.getattr("default_factory")?.as_ptr())
            }
            Known::Ordered => self.ordered(value),
            Known::Deque => self.deque(value),
            Known::Proxy => self.proxy(value),
            Known::Keys | Known::Items | Known::Values => self.view(known, value),
            Known::Std(kind) => self.standard(kind, value, info),
            Known::Parts(kind) => self.by_parts(kind, value, info),
            Known::Callable(kind) => self.callable(kind, value),
            Known::Buffer(kind) => self.buffer(kind, value),
            Known::Numpy(kind) => self.numpy(kind, value, info),
            Known::Arrow(kind) => self.arrow(kind, value, info),
            Known::Pandas(kind) => self.pandas(kind, value, info),
            Known::Image(kind) => self.image(kind, value, info),
            Known::File(kind) => self.file(kind, value, info),
        }
    }

    /// Writes something that can hold other things, with care for cycles, depth and size.
    fn nested(
        &mut self,
        value: *mut ffi::PyObject,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
        let level = self.open.len();
        let open = &self.open[self.floor..];
        if let Some(at) = open.iter().rposition(|&open| open == value) {
            let at = self.floor + at;
            self.lowest = self.lowest.min(at);
            self.enc.tag(tags::BACK);
            builtin::small_int(self.enc, (level - at) as i64);
            return Ok(());
        }
        if self.role == Some(Role::Callback) && may_change(value) {
            return self.first_met(value, level, write);
        }
        // Where a user's function is at work, and where the user's rules are out of force, the
        // same object may be written differently than elsewhere.
        let sharing = self.converting.is_empty() && self.rules.is_some() == self.ruled;
        if sharing && !self.shared.is_empty() && self.again(value, level) {
            return Ok(());
        }
        let start = self.enc.len();
        let work = self.work();
        let lowest = self.deeper(value, write)?;
        if sharing && self.work() - work >= SHARED && self.enc.len() - start <= 2 * PIECE {
            self.shared.push(Shared {
                // SAFETY: the caller keeps the value alive.
                value: unsafe { Bound::from_borrowed_ptr(self.py, value) }.unbind(),
                bytes: self.enc.as_bytes()[start..].into(),
                level: (lowest < level).then_some(level),
            });
        }
        Ok(())
    }

    /// Writes what counts for something that a callback holds: its content when it was first met.
    #[cold]
    #[inline(never)]
    fn first_met(
        &mut self,
        value: *mut ffi::PyObject,
        level: usize,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
        let first = match first::find(self.py, value) {
            Some(first) => first,
            None => {
                let start = self.enc.len();
                let held = self.holds.firsts.len();
                let lowest = self.deeper(value, write)?;
                if lowest < level {
                    // Part of a cycle: what is around it counts as a whole.
                    return Ok(());
                }
                let content = keyed(&self.enc.as_bytes()[start..]);
                self.enc.truncate(start);
                // SAFETY: the caller keeps the value alive.
                let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
                self.on_own(|walk| {
                    let held = walk.holds.firsts.split_off(held);
                    Ok(first::meet(&value, content, held, is_made_to_call(&value)))
                })?
            }
        };
        self.count_first(first);
        Ok(())
    }

    fn count_first(&mut self, first: Arc<First>) {
        self.enc.tag(tags::FIRST);
        self.enc.raw(&first.counts().to_le_bytes());
        self.holds.firsts.push(first);
    }

    /// Goes one level down. Gives the outermost level that what was written points back to.
    fn deeper(
        &mut self,
        value: *mut ffi::PyObject,
        write: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome<usize> {
        let level = self.open.len();
        if level >= DEPTH_MAX {
            return Err(Fault::too_deep());
        }
        let outer = std::mem::replace(&mut self.lowest, usize::MAX);
        self.open.push(value);
        let outcome = write(self);
        self.open.pop();
        let lowest = self.lowest;
        if lowest <= level {
            // What points back to this level means the same inside it only.
            self.forget_inside(level);
        }
        self.lowest = if lowest < level {
            outer.min(lowest)
        } else {
            outer
        };
        outcome.map(|()| lowest)
    }

    /// Lets go of what means something only further in than this level.
    #[cold]
    fn forget_inside(&mut self, level: usize) {
        let py = self.py;
        let is_inside = |shared: &mut Shared| shared.level.is_some_and(|at| at > level);
        let inside: Vec<_> = self.shared.extract_if(.., is_inside).collect();
        for shared in inside {
            self.let_go(shared.value.into_bound(py));
        }
    }

    /// Writes what was written before in this walk, if this is it.
    fn again(&mut self, value: *mut ffi::PyObject, level: usize) -> bool {
        let found = self.shared.iter().find(|shared| {
            shared.value.as_ptr() == value && shared.level.is_none_or(|at| at == level)
        });
        let Some(shared) = found else { return false };
        self.enc.raw(&shared.bytes);
        true
    }

    fn work(&self) -> u64 {
        self.digested + self.enc.len() as u64
    }

    /// Replaces what was written since `start` by its digest, if it has grown long. Callers ask
    /// after each member, so the boundaries depend on the content alone. Gives the place where
    /// the next piece begins.
    #[inline]
    fn piece(&mut self, start: usize) -> usize {
        if self.enc.len() - start < PIECE {
            start
        } else {
            self.condense(start);
            self.enc.len()
        }
    }

    #[cold]
    fn condense(&mut self, start: usize) {
        let len = (self.enc.len() - start) as u64;
        let digest = keyed(&self.enc.as_bytes()[start..]);
        self.enc.truncate(start);
        self.enc.framed_digest(tags::PIECE, len, digest);
        self.digested += len;
    }

    /// Writes data of any length under a tag.
    ///
    /// # Safety
    ///
    /// The bytes stay where they are while the interpreter is not held.
    unsafe fn bulk(&mut self, tag: u8, bytes: &[u8]) {
        if bytes.len() < DETACH {
            self.enc.framed(tag, bytes);
        } else {
            let digest = self.digest(bytes);
            self.enc.framed_digest(tag, bytes.len() as u64, digest);
        }
    }

    /// The digest of data that stays where it is; long data is read without the interpreter.
    fn digest(&mut self, bytes: &[u8]) -> u128 {
        self.digested += bytes.len() as u64;
        if bytes.len() < DETACH {
            keyed(bytes)
        } else {
            self.py.detach(|| keyed(bytes))
        }
    }
}

/// Whether an object is no more than a way to call others: one made anew is the same if those are.
fn is_made_to_call(value: &Bound<'_, PyAny>) -> bool {
    types::info(value)
        .is_ok_and(|info| info.exact && matches!(info.rule, Rule::Known(Known::Callable(_))))
}

/// Whether an object that holds others can come to hold other ones.
fn may_change(value: *mut ffi::PyObject) -> bool {
    // SAFETY: callers pass live objects; the addresses of the built-in classes are only compared.
    let class = unsafe { ffi::Py_TYPE(value) };
    ![
        &raw mut ffi::PyTuple_Type,
        &raw mut ffi::PyFrozenSet_Type,
        &raw mut ffi::PyCode_Type,
    ]
    .contains(&class)
}

/// The digest of long data.
fn keyed(bytes: &[u8]) -> u128 {
    let mut hasher = Hasher128::new();
    hasher.update(bytes);
    hasher.finish()
}
