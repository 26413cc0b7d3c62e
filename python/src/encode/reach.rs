//! The reach of a class's code: what it can be seen to read beside the fields of its instances.
//!
//! What an instance shows under a name may be computed: by a property or another descriptor, by
//! `__getattr__`, by `__getitem__` and its like. Code that reads a context variable, a
//! thread-local or a stand-in gives another answer to everyone who asks, whatever the fields
//! hold. The look is bounded, and serves to refuse only: what it does not see is no proof of
//! anything. [The record](../../../docs/design/0007-own-state.md) says where the line is, and why.
#![allow(unsafe_code)]

use super::bytecode::{self, Seen};
use super::class::{self, is_heap};
use super::evidence::{MEMBERS_MAX, defaults, differs, held_in, may_change, own_values, told_by};
use super::names::{full_name, is_standard};
use crate::program::modules;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyType};
use pyo3::types::{PyDict, PyFunction, PyModule, PySet, PyString, PyTuple};

/// How many calls away from a member of the class code is still looked at. A class that says
/// itself what its state is vouches for what it calls.
const CALLS_MAX: usize = 2;
/// How many pieces of code are looked at for one class.
const CODES_MAX: usize = 256;

/// The methods by which an instance shows content: attributes, members, what it is as a text or
/// a number.
const HOOKS: [&str; 17] = [
    "__getattr__",
    "__getattribute__",
    "__getitem__",
    "__missing__",
    "__iter__",
    "__len__",
    "__contains__",
    "__str__",
    "__bytes__",
    "__int__",
    "__float__",
    "__index__",
    "__bool__",
    "__fspath__",
    "__format__",
    "__next__",
    "__array__",
];

/// Those of them without which an instance that holds nothing has no content either.
const CONTENT: [&str; 4] = ["__getattr__", "__getattribute__", "__getitem__", "__iter__"];

/// Built-in functions that reach more than what they are given.
const OPEN_BUILTINS: [&str; 9] = [
    "__import__",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "globals",
    "id",
    "input",
    "open",
];

/// The reach that was seen of a class.
#[derive(Default)]
pub(super) struct Reach {
    /// The member that reads what differs by who asks, and what that is.
    pub(super) elsewhere: Option<Box<str>>,
    /// A member that computes content from more than constants and the class itself.
    pub(super) computes: Option<Box<str>>,
    /// The fields that such code calls with nothing in hand, and a hook for any name with what it
    /// likes: what they give is not theirs.
    pub(super) asks: Vec<Py<PyString>>,
}

impl Reach {
    /// Whether nothing was seen that would make an instance say more than its fields.
    pub(super) fn is_own(&self) -> bool {
        self.elsewhere.is_none() && self.asks.is_empty()
    }
}

/// Looks at the members of a class by which its instances show what they are, up to a base whose
/// own form is known.
///
/// # Errors
///
/// What reading the class raises.
pub(super) fn of_class(
    class: &Bound<'_, PyType>,
    known: Option<&Bound<'_, PyType>>,
) -> PyResult<Reach> {
    let mut look = Look::new(class, Vec::new())?;
    look.members(known)?;
    let Look {
        mut reach, asked, ..
    } = look;
    for name in asked {
        if may_be_field(class, &name)? {
            reach
                .asks
                .push(PyString::intern(class.py(), &name).unbind());
        }
    }
    Ok(reach)
}

/// Whether instances may hold something under a name that code uses: a slot, or what the class
/// has no method or property for.
fn may_be_field(class: &Bound<'_, PyType>, name: &str) -> PyResult<bool> {
    Ok(match class::answering(class, name)? {
        Some(member) => {
            !(member.is_instance_of::<PyFunction>()
                || is_wrapper(&member)
                || is_descriptor(&member)?)
        }
        None => true,
    })
}

/// Whether a value that a field holds answers when it is called, as a function does, or holds some that do; a
/// class makes something new.
pub(super) fn answers(value: &Bound<'_, PyAny>) -> bool {
    let is_one =
        |value: &Bound<'_, PyAny>| value.is_callable() && !value.is_instance_of::<PyType>();
    is_one(value) || held_in(value).iter().any(is_one)
}

struct Look<'py> {
    class: Bound<'py, PyType>,
    calls_max: usize,
    reach: Reach,
    /// The names that are called with nothing in hand.
    asked: Vec<String>,
    /// The texts in the code that is looked at.
    texts: Vec<String>,
    /// The code that was looked at.
    seen: Vec<*mut ffi::PyObject>,
    /// Whether the member that is looked at answers for any name: then what it calls is asked,
    /// whatever it gives it.
    hook: bool,
    /// Whether the member that is looked at uses something that is neither the class's own nor
    /// built in.
    open: bool,
}

impl<'py> Look<'py> {
    fn new(class: &Bound<'py, PyType>, seen: Vec<*mut ffi::PyObject>) -> PyResult<Self> {
        let tells = tells_its_state(class)?;
        Ok(Self {
            class: class.clone(),
            calls_max: if tells { 0 } else { CALLS_MAX },
            reach: Reach::default(),
            asked: Vec::new(),
            texts: Vec::new(),
            seen,
            hook: false,
            open: false,
        })
    }

    fn members(&mut self, known: Option<&Bound<'py, PyType>>) -> PyResult<()> {
        let names = PySet::empty(self.class.py())?;
        for base in self.class.mro() {
            let base = base.cast_into::<PyType>()?;
            if known.is_some_and(|known| known.is(&base)) {
                break;
            }
            // What the standard library and the makers of models add is theirs to vouch for.
            if !is_heap(&base) || is_vouched_for(base.getattr("__module__")?)? {
                continue;
            }
            for (name, member) in class::own_items(&base)? {
                if names.contains(&name)? {
                    continue;
                }
                names.add(&name)?;
                self.member(&name.to_string_lossy(), &member)?;
                if self.reach.elsewhere.is_some() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn member(&mut self, name: &str, member: &Bound<'py, PyAny>) -> PyResult<()> {
        let is_function = member.is_instance_of::<PyFunction>();
        let label = if HOOKS.contains(&name) && is_function || name == "__class__" {
            format!("`{name}`")
        } else if name.starts_with('_') || is_function || !is_descriptor(member)? {
            // What begins with an underscore is the class's own business.
            return Ok(());
        } else {
            format!("the attribute `{name}`")
        };
        self.open = false;
        self.hook = name == "__getattr__" || name == "__getattribute__";
        let found = self.part(member, 0)?;
        if let Some(found) = found {
            self.reach.elsewhere = Some(format!("{label} reads {found}").into());
        } else if self.open
            && self.reach.computes.is_none()
            && (!is_function || CONTENT.contains(&name))
        {
            self.reach.computes = Some(label.into());
        }
        Ok(())
    }

    /// Looks at a function or at what wraps some, a property for one. Says what it found.
    fn part(&mut self, part: &Bound<'py, PyAny>, calls: usize) -> PyResult<Option<String>> {
        if let Ok(func) = part.cast::<PyFunction>() {
            return self.function(func, calls);
        }
        for name in ["fget", "func", "__func__", "__wrapped__"] {
            // Only what the descriptor itself keeps: a look must run nothing of the user's.
            if is_wrapper(part)
                && let Some(inner) = part.getattr_opt(name)?
                && !inner.is_none()
            {
                let found = match inner.cast::<PyFunction>() {
                    Ok(func) => self.function(func, calls)?,
                    Err(_) => self.thing(&inner, "its function", &[], calls)?,
                };
                // A property class of one's own may answer otherwise.
                return match found {
                    None => self.getter(part, calls),
                    found => Ok(found),
                };
            }
        }
        if let Some(found) = told_by(part, false)? {
            return Ok(Some(found));
        }
        // Another descriptor: how it answers, and the functions that it holds.
        for value in own_values(part)? {
            if let Some(found) = self.thing(&value, "a variable that it holds", &[], calls)? {
                return Ok(Some(found));
            }
        }
        self.getter(part, calls)
    }

    /// Looks at how a descriptor answers: the names in that code are those of its own class.
    fn getter(&mut self, part: &Bound<'py, PyAny>, calls: usize) -> PyResult<Option<String>> {
        let class = part.get_type();
        if is_vouched_for(class.getattr("__module__")?)? {
            return Ok(None);
        }
        let Some(get) = class.getattr_opt("__get__")? else {
            return Ok(None);
        };
        let Ok(get) = get.cast::<PyFunction>() else {
            return Ok(None);
        };
        let owner = std::mem::replace(&mut self.class, class);
        let found = self.function(get, calls);
        self.class = owner;
        found
    }

    fn function(
        &mut self,
        func: &Bound<'py, PyFunction>,
        calls: usize,
    ) -> PyResult<Option<String>> {
        let code = func.getattr("__code__")?;
        if self.seen.contains(&code.as_ptr()) || self.seen.len() >= CODES_MAX {
            return Ok(None);
        }
        self.seen.push(code.as_ptr());
        let mut seen = bytecode::read(code.cast::<PyCode>()?)?;
        let texts = std::mem::replace(&mut self.texts, std::mem::take(&mut seen.texts));
        let found = self.code(func, &code, &seen, calls);
        self.texts = texts;
        found
    }

    /// Looks at the code of a function.
    fn code(
        &mut self,
        func: &Bound<'py, PyFunction>,
        code: &Bound<'py, PyAny>,
        seen: &Seen,
        calls: usize,
    ) -> PyResult<Option<String>> {
        self.open |= seen.calls_out;
        if calls == 0 {
            self.asked.extend(seen.asked.iter().cloned());
            if self.hook {
                self.asked.extend(seen.methods.iter().cloned());
            }
        }
        if let Ok(cells) = func.getattr("__closure__")?.cast::<PyTuple>() {
            let names = code.getattr("co_freevars")?;
            for (at, cell) in cells.iter().enumerate() {
                let name: String = names.get_item(at)?.extract()?;
                if name == "__class__" {
                    continue;
                }
                // An empty cell raises a ValueError.
                let Ok(content) = cell.getattr("cell_contents") else {
                    continue;
                };
                self.open |= may_change(&content);
                if let Some(found) = self.held(&content, &name, &seen.names, calls)? {
                    return Ok(Some(found));
                }
            }
        }
        for (name, default) in defaults(func, code)? {
            if let Some(found) = self.held(&default, &name, &seen.names, calls)? {
                return Ok(Some(found));
            }
        }
        let globals = func.getattr("__globals__")?;
        let globals = globals.cast::<PyDict>()?;
        // What a decorator of the standard library puts around a function is the library's.
        let module = globals.get_item("__name__")?;
        if module.map_or(Ok(false), is_standard)? {
            return Ok(None);
        }
        for name in &seen.names {
            if let Some(found) = self.name(name, globals, seen, calls)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Looks at what a function holds: a function there is part of the class, not something it calls.
    fn held(
        &mut self,
        value: &Bound<'py, PyAny>,
        name: &str,
        names: &[String],
        calls: usize,
    ) -> PyResult<Option<String>> {
        match value.cast::<PyFunction>() {
            Ok(inner) => self.function(inner, calls),
            Err(_) => self.thing(value, name, names, calls),
        }
    }

    /// Looks at what a name in code may stand for.
    fn name(
        &mut self,
        name: &str,
        globals: &Bound<'py, PyDict>,
        seen: &Seen,
        calls: usize,
    ) -> PyResult<Option<String>> {
        let py = self.class.py();
        let has = |names: &[String]| names.iter().any(|it| it == name);
        let (is_attribute, is_global) = (has(&seen.attributes), has(&seen.globals));
        if (is_global || !is_attribute)
            && let Some(value) = globals.get_item(name)?
        {
            self.open |= may_change(&value);
            let found = self.global(&value, name, &seen.names, calls)?;
            if found.is_some() || is_global && !is_attribute {
                return Ok(found);
            }
        }
        let (found, is_member) = self.member_of_class(name, &seen.names, calls)?;
        if found.is_some() || is_member {
            return Ok(found);
        }
        let builtins = py.import("builtins")?;
        if builtins.dict().contains(name)? {
            self.open |= OPEN_BUILTINS.contains(&name);
            return Ok(None);
        }
        if !seen.imports.iter().any(|it| it == name) {
            return Ok(None);
        }
        match modules::all(py).get_item(name)? {
            Some(module) => self.global(&module, name, &seen.names, calls),
            None => Ok(None),
        }
    }

    /// Looks at a method, a property, or a value of the class; the overridden ones too, which `super` leads to. Says
    /// also whether there is any.
    fn member_of_class(
        &mut self,
        name: &str,
        names: &[String],
        calls: usize,
    ) -> PyResult<(Option<String>, bool)> {
        let members = class::all_answering(&self.class, name)?;
        for member in &members {
            let found = if member.is_instance_of::<PyFunction>()
                || is_wrapper(member)
                || is_descriptor(member)?
            {
                self.part(member, calls)?
            } else {
                self.thing(member, name, names, calls)?
            };
            if found.is_some() {
                return Ok((found, true));
            }
        }
        Ok((None, !members.is_empty()))
    }

    /// Looks at a global: a module by the names in it that the code has too.
    fn global(
        &mut self,
        value: &Bound<'py, PyAny>,
        name: &str,
        names: &[String],
        calls: usize,
    ) -> PyResult<Option<String>> {
        let Ok(module) = value.cast::<PyModule>() else {
            return self.thing(value, name, names, calls);
        };
        for inner in names {
            let Some(value) = module.dict().get_item(inner)? else {
                continue;
            };
            self.open |= may_change(&value);
            if let Ok(module) = value.cast::<PyModule>() {
                for inner in names {
                    if let Some(value) = module.dict().get_item(inner)?
                        && let Some(found) = self.thing(&value, inner, names, calls)?
                    {
                        return Ok(Some(found));
                    }
                }
            } else if let Some(found) = self.thing(&value, inner, names, calls)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Looks at an object that code uses, whose names are given: one of them may be its method's.
    fn thing(
        &mut self,
        value: &Bound<'py, PyAny>,
        name: &str,
        names: &[String],
        calls: usize,
    ) -> PyResult<Option<String>> {
        if let Some(what) = differs(value)? {
            return Ok(Some(format!("the {what} `{name}`")));
        }
        let class = value.get_type();
        if let Ok(func) = value.cast::<PyFunction>() {
            let foreign = is_standard(func.getattr("__module__")?)?;
            return if calls < self.calls_max && !foreign {
                self.function(func, calls + 1)
            } else {
                Ok(None)
            };
        }
        if let Ok(class) = value.cast::<PyType>() {
            return match self.held_by_class(class, names)? {
                None => self.called(class, &class.get_type(), names, calls),
                found => Ok(found),
            };
        }
        if value.is_instance_of::<PyModule>() {
            return Ok(None);
        }
        match &*full_name(class.as_type_ptr()) {
            "builtins.method" => {
                if let Some(found) = self.thing(&value.getattr("__self__")?, name, names, calls)? {
                    return Ok(Some(found));
                }
                return self.thing(&value.getattr("__func__")?, name, names, calls);
            }
            "builtins.builtin_function_or_method" => {
                return self.thing(&value.getattr("__self__")?, name, names, calls);
            }
            "functools.partial" => {
                let args = value.getattr("args")?;
                for part in args.try_iter()?.chain([value.getattr("func")]) {
                    if let Some(found) = self.thing(&part?, name, names, calls)? {
                        return Ok(Some(found));
                    }
                }
                return Ok(None);
            }
            "operator.attrgetter" | "operator.methodcaller" => {
                return self.got_by_name(value, calls);
            }
            "functools.singledispatchmethod" => {
                let dispatcher = value.getattr("dispatcher")?;
                for part in dispatcher
                    .getattr("registry")?
                    .call_method0("values")?
                    .try_iter()?
                {
                    if let Some(found) = self.part(&part?, calls)? {
                        return Ok(Some(found));
                    }
                }
                return Ok(None);
            }
            "functools.partialmethod" => {
                return self.part(&value.getattr("func")?, calls);
            }
            "builtins.dict" | "builtins.list" | "builtins.tuple" | "builtins.set"
            | "builtins.frozenset" => return self.collection(value, name, names, calls),
            _ => {}
        }
        if !is_heap(&class) || is_vouched_for(class.getattr("__module__")?)? {
            return Ok(None);
        }
        if let Some(found) = told_by(value, self.calls_max > 0)? {
            return Ok(Some(format!("{found} by way of `{name}`")));
        }
        if let Some(found) = self.held_by_class(&class, names)? {
            return Ok(Some(found));
        }
        if calls < self.calls_max && !class.is(&self.class) {
            let mut look = Look::new(&class, std::mem::take(&mut self.seen))?;
            let outcome = look.members(None);
            self.seen = look.seen;
            outcome?;
            if look.reach.elsewhere.is_some() {
                return Ok(Some(format!(
                    "`{name}`, whose {}",
                    look.reach.elsewhere.unwrap_or_default()
                )));
            }
        }
        self.called(&class, &class, names, calls)
    }
}

impl<'py> Look<'py> {
    /// Looks at the variables of a class that code names beside it, and of the classes in these.
    fn held_by_class(
        &mut self,
        class: &Bound<'py, PyType>,
        names: &[String],
    ) -> PyResult<Option<String>> {
        let mut around = vec![class.clone()];
        for _ in 0..CALLS_MAX {
            for class in std::mem::take(&mut around) {
                if !is_heap(&class) || is_vouched_for(class.getattr("__module__")?)? {
                    continue;
                }
                for name in names {
                    let Some(member) = class::answering(&class, name)? else {
                        continue;
                    };
                    if let Some(what) = differs(&member)? {
                        return Ok(Some(format!("the {what} `{}.{name}`", class.name()?)));
                    }
                    if let Ok(inner) = member.cast_into::<PyType>() {
                        around.push(inner);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Looks at what is in a dict under the texts that code has, in a list, or, if it has none of them, at all of it.
    fn collection(
        &mut self,
        value: &Bound<'py, PyAny>,
        name: &str,
        names: &[String],
        calls: usize,
    ) -> PyResult<Option<String>> {
        let mut inner = Vec::new();
        if let Ok(dict) = value.cast::<PyDict>() {
            for text in &self.texts {
                inner.extend(dict.get_item(text)?);
            }
            if inner.is_empty() {
                inner = held_in(value);
            }
        } else {
            for member in value.try_iter()?.take(MEMBERS_MAX) {
                inner.push(member?);
            }
        }
        for member in inner {
            let found = match differs(&member)? {
                Some(what) => Some(format!("a {what} in `{name}`")),
                None if member.is_instance_of::<PyFunction>() => {
                    self.thing(&member, name, names, calls)?
                }
                None => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Looks at the members that a getter of `operator` asks an object for.
    fn got_by_name(
        &mut self,
        getter: &Bound<'py, PyAny>,
        calls: usize,
    ) -> PyResult<Option<String>> {
        let is_call = full_name(getter.get_type().as_type_ptr()).ends_with("methodcaller");
        let given = getter.call_method0("__reduce__")?.get_item(1)?;
        let mut found = None;
        for text in given.try_iter()? {
            let Ok(text) = text?.extract::<String>() else {
                continue;
            };
            for name in text.split('.') {
                if is_call && calls == 0 {
                    self.asked.push(name.to_owned());
                }
                if found.is_none() {
                    found = self.member_of_class(name, &[], calls)?.0;
                }
            }
        }
        Ok(found)
    }

    /// Looks at the methods and properties of a class, or of its metaclass, that code names beside it.
    fn called(
        &mut self,
        class: &Bound<'py, PyType>,
        kind: &Bound<'py, PyType>,
        names: &[String],
        calls: usize,
    ) -> PyResult<Option<String>> {
        if calls >= self.calls_max
            || !is_heap(class)
            || class.is(&self.class)
            || is_vouched_for(class.getattr("__module__")?)?
        {
            return Ok(None);
        }
        let owner = std::mem::replace(&mut self.class, class.clone());
        let mut found = Ok(None);
        'names: for name in names.iter().map(String::as_str).chain(["__call__"]) {
            for class in [class, kind] {
                let member = match class::answering(class, name) {
                    Ok(member) => member,
                    Err(error) => {
                        found = Err(error);
                        break 'names;
                    }
                };
                // What is built in calls nothing of the program's.
                let Some(member) =
                    member.filter(|it| it.is_instance_of::<PyFunction>() || is_wrapper(it))
                else {
                    continue;
                };
                found = self.part(&member, calls + 1);
                if !matches!(found, Ok(None)) {
                    break 'names;
                }
            }
        }
        self.class = owner;
        found
    }
}

/// Whether a member of a class computes what its instances show under its name. What is called
/// later, a method of any kind, shows nothing by itself.
fn is_descriptor(member: &Bound<'_, PyAny>) -> PyResult<bool> {
    if is_property(member) {
        return Ok(true);
    }
    if is_standard(member.get_type().getattr("__module__")?)? {
        // Methods that choose among functions or complete their arguments.
        return Ok(false);
    }
    let get = member.get_type().getattr_opt("__get__")?;
    Ok(get.is_some_and(|get| get.is_instance_of::<PyFunction>()))
}

fn is_property(member: &Bound<'_, PyAny>) -> bool {
    derives_from(member, &["builtins.property", "functools.cached_property"])
}

/// Whether a member is one of the built-in wrappers around functions, or derives from one.
fn is_wrapper(member: &Bound<'_, PyAny>) -> bool {
    is_property(member) || derives_from(member, &["builtins.classmethod", "builtins.staticmethod"])
}

/// Whether a class's author says what its instances are made anew from, or what their state is: in
/// Python, and not by what a maker of classes has written for them.
///
/// # Errors
///
/// What reading the class raises.
fn tells_its_state(class: &Bound<'_, PyType>) -> PyResult<bool> {
    for name in ["__reduce_ex__", "__reduce__", "__getstate__"] {
        if let Some(own) = class::answering(class, name)?
            && own.is_instance_of::<PyFunction>()
            && !is_vouched_for(own.getattr("__module__")?)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn derives_from(member: &Bound<'_, PyAny>, names: &[&str]) -> bool {
    let bases = member.get_type().mro();
    bases
        .iter()
        .any(|base| names.contains(&&*full_name(base.as_ptr().cast())))
}

/// The makers of models, types, configurations and cached functions that are known to keep what they
/// are in fields.
const VOUCHED_FOR: [&str; 6] = [
    "attr",
    "omegaconf",
    "polars",
    "pydantic",
    "sklearn",
    "streamlit.runtime.caching",
];

/// Whether a module is part of the standard library, or of a maker of models whose fields are known.
pub(super) fn is_vouched_for(module: Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(name) = module.cast::<PyString>() else {
        return Ok(false);
    };
    let name = name.to_string_lossy();
    let is_of = |maker: &&str| {
        name.strip_prefix(*maker)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    Ok(VOUCHED_FOR.iter().any(is_of) || is_standard(module)?)
}
