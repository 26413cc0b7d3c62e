//! Which class this is: its name, and what it is made of where the name does not lead back to it.
//!
//! A class that its module has under its name goes by that name (K7). There can be many others of
//! one name: those that a function makes each time it is called, named tuples and models that are
//! made at run time, what a script defines anew each time it runs. Those count by name and by what
//! they are made of: metaclass, bases, and all that the class itself has under names. So the
//! classes of a script that runs again, or of a module that was loaded again, are the same as long
//! as they say the same, and no others are.
//!
//! What a class is made of is read as a whole of its own, whatever it is met in and whatever was
//! read before: classes and instances inside it are written out there, with steps back where they
//! lead to what is being read, because their methods mostly do. So the same class has the same
//! digest wherever and whenever it is read. For its instances it is read once for each state of the
//! class, which CPython numbers: what a class holds may keep results of its own, as a mapped table
//! does. A script's class is read once altogether, so that a counter among its variables makes no
//! difference to its instances.
#![allow(unsafe_code)]

use super::{Rule, Scope, Walk};
use crate::encode::class::{is_made_in_python, slots, state};
use crate::encode::fault::Outcome;
use crate::encode::names::{display_name, found, write_id};
use crate::encode::origin::Origin;
use crate::encode::type_info::{Made, TypeInfo};
use crate::encode::{first_content, tags};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyMapping, PyString, PyTuple, PyType, PyWeakrefReference};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tenure::front::{Digests, Meaning};

impl<'py> Walk<'_, '_, 'py> {
    /// Writes of which class a value is.
    pub(in crate::encode) fn class_of_value(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        self.enc.raw(&info.id);
        if info.origin == Origin::Named {
            return Ok(());
        }
        let class = value.get_type();
        if self.scope.reads_class.is_some() {
            self.enc.tag(tags::MADE);
            return self.on_own(|walk| walk.nested(class.as_ptr(), |walk| walk.made_of(&class)));
        }
        let made = match info.made.get() {
            Some(made) => *made,
            None => {
                let made = self.on_own(|walk| walk.identity_once(&class, info.origin))?;
                *info.made.get_or_init(|| made)
            }
        };
        self.made(made);
        Ok(())
    }

    /// Writes a class that is a value itself: as it is now (K13), but for a script's.
    pub(in crate::encode) fn class(&mut self, class: &Bound<'py, PyType>) -> Outcome {
        self.enc.tag(tags::CLASS);
        write_id(self.enc, class)?;
        let origin = Origin::of(class);
        if origin == Origin::Named {
            return Ok(());
        }
        if self.scope.reads_class.is_some() {
            self.enc.tag(tags::MADE);
            return self.made_of(class);
        }
        let made = self.identity(class, origin)?;
        self.made(made);
        Ok(())
    }

    fn made(&mut self, made: Option<Made>) {
        if let Some(made) = made {
            self.enc.tag(tags::MADE);
            self.enc.raw(&made.digest.to_le_bytes());
            self.enc.narrow(made.meaning);
        }
    }

    /// The digest that tells a class from others of its name, as it was first read in its present state.
    fn identity_once(
        &mut self,
        class: &Bound<'py, PyType>,
        origin: Origin,
    ) -> Outcome<Option<Made>> {
        if !matches!(origin, Origin::Covered | Origin::Made) {
            return self.identity(class, origin);
        }
        // `copyreg` leaves these in the class, which is a change of its state.
        slots(class)?;
        let present = state(class)?;
        if let Some(made) = READ.find(class, Some(present)) {
            return Ok(Some(made));
        }
        match self.identity(class, origin)? {
            Some(made) if present != 0 && present == state(class)? => READ
                .meet(class, made, present)
                .map(Some)
                .map_err(Into::into),
            made => Ok(made),
        }
    }

    /// The digest that tells a class from others of its name; `None` if the name does.
    fn identity(&mut self, class: &Bound<'py, PyType>, origin: Origin) -> Outcome<Option<Made>> {
        let passes_over = origin.passes_over();
        match origin {
            Origin::Named => Ok(None),
            Origin::Script => {
                if let Some(made) = COUNTS.find(class, None) {
                    return Ok(Some(made));
                }
                let made = self.whole(class, passes_over)?;
                COUNTS.meet(class, made, 0).map(Some).map_err(Into::into)
            }
            Origin::Replaced => {
                let made = self.whole(class, passes_over)?;
                let successor = found(class)?;
                let same = match successor.as_ref().map(|found| found.cast::<PyType>()) {
                    Some(Ok(successor)) => {
                        made.digest == self.whole(successor, passes_over)?.digest
                    }
                    _ => false,
                };
                Ok((!same).then_some(made))
            }
            Origin::Covered | Origin::Made => match self.whole(class, passes_over) {
                Err(fault) if fault.is_no_key() && !fault.is_elsewhere() => {
                    alone(class).map(Some).map_err(Into::into)
                }
                outcome => outcome.map(Some),
            },
        }
    }

    /// The digest of what a class is made of, whatever it is met in.
    fn whole(&mut self, class: &Bound<'py, PyType>, passes_over: bool) -> Outcome<Made> {
        let start = self.enc.len();
        // The same to whoever reads it, in an argument or in a function that is decorated.
        let digests = self.enc.set_digests(Digests::Fixed);
        let around = self.enc.take_meaning();
        let floor = self.open.len();
        let scope = Scope {
            floor,
            reads_class: Some(passes_over),
            reading: self.scope.reading,
            ..Scope::new(None)
        };
        let outer = std::mem::replace(&mut self.scope, scope);
        let outcome = self.nested(class.as_ptr(), |walk| walk.made_of(class));
        self.scope = outer;
        let written = &self.enc.as_bytes()[start..];
        let made = outcome.map(|()| Made {
            digest: Digests::Fixed.of(written),
            meaning: self.enc.meaning(),
        });
        self.enc.truncate(start);
        self.enc.take_meaning();
        self.enc.narrow(around);
        self.enc.set_digests(digests);
        made
    }

    /// Writes what a class is made of.
    fn made_of(&mut self, class: &Bound<'py, PyType>) -> Outcome {
        let name = || display_name(class.as_type_ptr());
        self.enc.tag(tags::CLASS);
        self.own(class.get_type().as_ptr())
            .map_err(|fault| fault.at(name(), "its metaclass".to_owned()))?;
        let start = self.enc.len();
        for base in class.getattr("__bases__")?.try_iter()? {
            self.own(base?.as_ptr())
                .map_err(|fault| fault.at(name(), "its bases".to_owned()))?;
        }
        self.enc.tag(tags::END);
        let mut members = Vec::new();
        let items = class.getattr("__dict__")?;
        for item in items.cast::<PyMapping>().map_err(PyErr::from)?.items()? {
            let (name, member): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            let is_kept_aside = name
                .cast_exact::<PyString>()
                .is_ok_and(|name| is_bookkeeping(name) || is_no_annotation(name, &member));
            if !is_kept_aside {
                members.push((name, member));
            }
        }
        // By their names, so that each is written where all before it are known, and once: what a mapped class keeps may
        // change where it is read.
        let is_text = |(name, _): &(Bound<'_, PyAny>, _)| name.is_exact_instance_of::<PyString>();
        if members.iter().all(is_text) {
            members.sort_by_cached_key(|(name, _)| name.to_string());
            let mut members = members.iter();
            members.try_for_each(|member| self.member(class, member))?;
        } else {
            self.sorted(members.len(), |walk, at| walk.member(class, &members[at]))?;
        }
        self.piece(start);
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes a member of a class under its name.
    fn member(
        &mut self,
        class: &Bound<'py, PyType>,
        (name, member): &(Bound<'py, PyAny>, Bound<'py, PyAny>),
    ) -> Outcome {
        let passes_over = self.scope.reads_class == Some(true);
        self.own(name.as_ptr())?;
        let start = self.enc.len();
        match self.own(member.as_ptr()) {
            Err(fault)
                if fault.is_no_key() && (passes_over || self.is_compiled_descriptor(member)?) =>
            {
                self.enc.truncate(start);
                self.enc.tag(tags::OPAQUE);
                Ok(())
            }
            outcome => outcome.map_err(|fault| {
                let class = display_name(class.as_type_ptr());
                fault.at(class, format!("its `{name}`"))
            }),
        }
    }

    /// Whether a member is how compiled code reads a field, which says nothing that the class's other
    /// members do not: those of `ctypes`, say.
    fn is_compiled_descriptor(&self, member: &Bound<'py, PyAny>) -> Outcome<bool> {
        let class = member.get_type();
        let is_unknown = matches!((self.classes)(member)?.rule, Rule::Reduce);
        Ok(is_unknown && !is_made_in_python(&class) && class.hasattr("__get__")?)
    }
}

/// The digests of classes, by address, while they live.
struct Table {
    /// Locked only by who holds the interpreter, and nothing of Python's happens meanwhile.
    met: Mutex<Option<HashMap<usize, Met>>>,
}

struct Met {
    made: Made,
    /// The state of the class that this is for, where another one would count as another class.
    state: u32,
    /// Takes this out of the table when the class goes.
    _until: Py<PyWeakrefReference>,
}

/// What scripts' classes and those without a key count as.
static COUNTS: Table = Table::new();

/// As what the classes of instances were read.
static READ: Table = Table::new();

impl Table {
    const fn new() -> Self {
        Self {
            met: Mutex::new(None),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<HashMap<usize, Met>>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was taken down of a class, in this state if one is given.
    fn find(&self, class: &Bound<'_, PyType>, state: Option<u32>) -> Option<Made> {
        let table = self.locked();
        let met = table.as_ref()?.get(&(class.as_ptr() as usize))?;
        state.is_none_or(|it| it == met.state).then_some(met.made)
    }

    /// Takes down what was read of a class, and gives what counts: another thread may have been first.
    fn meet(&'static self, class: &Bound<'_, PyType>, made: Made, state: u32) -> PyResult<Made> {
        let at = class.as_ptr() as usize;
        let forget = PyCFunction::new_closure(
            class.py(),
            Some(c"tenure_forget_class"),
            None,
            move |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                let gone = self.locked().as_mut().and_then(|met| met.remove(&at));
                drop(gone);
            },
        )?;
        let until = PyWeakrefReference::new_with(class, forget)?.unbind();
        let new = Met {
            made,
            state,
            _until: until,
        };
        let (counts, unused) = match self.locked().get_or_insert_default().entry(at) {
            Entry::Occupied(first) if first.get().state == state => (first.get().made, Some(new)),
            Entry::Occupied(mut earlier) => (made, Some(earlier.insert(new))),
            Entry::Vacant(place) => (place.insert(new).made, None),
        };
        drop(unused);
        Ok(counts)
    }
}

/// The digest of a class that holds something without a key: it counts as itself, as it is now. No
/// other one ever counts as the same, nor does the same one once an attribute of it was set.
fn alone(class: &Bound<'_, PyType>) -> PyResult<Made> {
    let state = state(class)?;
    let number = first_content::number().to_le_bytes();
    let made = Made {
        digest: Digests::Own.of(&[b"alone".as_slice(), &number].concat()),
        meaning: Meaning::Process,
    };
    COUNTS.meet(class, made, state)
}

/// Whether this is what reading the annotations of a class that has none leaves in it.
fn is_no_annotation(name: &Bound<'_, PyString>, member: &Bound<'_, PyAny>) -> bool {
    match &*name.to_string_lossy() {
        "__annotations__" => member.cast::<PyDict>().is_ok_and(|it| it.is_empty()),
        "__annotate_func__" => member.is_none(),
        _ => false,
    }
}

/// Whether a class keeps something under this name that is not part of what it does.
fn is_bookkeeping(name: &Bound<'_, PyString>) -> bool {
    matches!(
        &*name.to_string_lossy(),
        "__dict__"
            | "__weakref__"
            | "__doc__"
            | "__module__"
            | "__qualname__"
            | "__firstlineno__"
            | "__static_attributes__"
            | "__slotnames__"
            // From Python 3.14 on, what reading `__annotations__` leaves behind.
            | "__annotations_cache__"
            // Fills up as combinations of flags are met; what it starts from is another member.
            | "_value2member_map_"
            | "_abc_impl"
    ) || {
        // What pydantic makes of the fields names objects by their address.
        let name = name.to_string_lossy();
        name.starts_with("__pydantic_") && name != "__pydantic_fields__"
    }
}
