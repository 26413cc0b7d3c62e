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
use super::members;
use super::names::{full_name, is_standard};
use crate::program::modules;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyType};
use pyo3::types::{PyDict, PyFunction, PyMapping, PyModule, PySet, PyString, PyTuple};

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

/// Whether a value that a field holds answers when it is called, as a function does; a class
/// makes something new.
pub(super) fn answers(value: &Bound<'_, PyAny>) -> bool {
    value.is_callable() && !value.is_instance_of::<PyType>()
}

struct Look<'py> {
    class: Bound<'py, PyType>,
    calls_max: usize,
    reach: Reach,
    /// The names that are called with nothing in hand.
    asked: Vec<String>,
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
            for item in base.getattr("__dict__")?.cast::<PyMapping>()?.items()? {
                let (name, member): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
                let Ok(name) = name.cast::<PyString>() else {
                    continue;
                };
                if names.contains(name)? {
                    continue;
                }
                names.add(name)?;
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
                && let Ok(func) = inner.cast::<PyFunction>()
            {
                let found = self.function(func, calls)?;
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
        let seen = bytecode::read(code.cast::<PyCode>()?)?;
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
        for (name, default) in defaults(func, &code)? {
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
            if let Some(found) = self.name(name, globals, &seen, calls)? {
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
        if let Some(value) = globals.get_item(name)? {
            self.open |= may_change(&value);
            return self.global(&value, name, &seen.names, calls);
        }
        // A method, a property, or a value of the class; the overridden ones too, which `super` leads to.
        let members = class::all_answering(&self.class, name)?;
        for member in &members {
            let found = if member.is_instance_of::<PyFunction>()
                || is_wrapper(member)
                || is_descriptor(member)?
            {
                self.part(member, calls)?
            } else {
                self.thing(member, name, &seen.names, calls)?
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        if !members.is_empty() {
            return Ok(None);
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
            return self.called(class, &class.get_type(), names, calls);
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
            _ => {}
        }
        if !is_heap(&class) || is_vouched_for(class.getattr("__module__")?)? {
            return Ok(None);
        }
        if let Some(found) = told_by(value, self.calls_max > 0)? {
            return Ok(Some(format!("{found} by way of `{name}`")));
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

/// The values of a function's parameters where a call leaves them out, with their names.
fn defaults<'py>(
    func: &Bound<'py, PyFunction>,
    code: &Bound<'py, PyAny>,
) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    let mut defaults = Vec::new();
    if let Ok(positional) = func.getattr("__defaults__")?.cast::<PyTuple>() {
        let names: Vec<String> = code.getattr("co_varnames")?.extract()?;
        let count: usize = code.getattr("co_argcount")?.extract()?;
        let without = count.saturating_sub(positional.len());
        defaults.extend(names.into_iter().skip(without).zip(positional.iter()));
    }
    if let Ok(named) = func.getattr("__kwdefaults__")?.cast::<PyDict>() {
        for (name, default) in named.iter() {
            defaults.push((name.extract()?, default));
        }
    }
    Ok(defaults)
}

/// Whether what code finds under a name may be something else each time, or hold something else.
fn may_change(value: &Bound<'_, PyAny>) -> bool {
    let class = value.get_type();
    let is_fixed = value.is_none()
        || value.is_instance_of::<PyType>()
        || value.is_instance_of::<PyModule>()
        || value.is_instance_of::<PyFunction>()
        || value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyTuple>()
        || matches!(
            &*full_name(class.as_type_ptr()),
            "builtins.int"
                | "builtins.float"
                | "builtins.bool"
                | "builtins.bytes"
                | "builtins.frozenset"
                | "builtins.builtin_function_or_method"
                | "re.Pattern"
        );
    !is_fixed
}

/// The kind of an object that answers differently to everyone who asks; `None` for any other.
fn differs(value: &Bound<'_, PyAny>) -> PyResult<Option<&'static str>> {
    let class = value.get_type();
    for base in class.mro() {
        match &*full_name(base.as_ptr().cast()) {
            "_contextvars.ContextVar" => return Ok(Some("context variable")),
            "_thread._local" => return Ok(Some("thread-local")),
            _ => {}
        }
    }
    if class::claims(&class)? && class::is_in_class(&class, "_get_current_object")? {
        return Ok(Some("stand-in"));
    }
    let is_built_in = full_name(class.as_type_ptr()) == "builtins.builtin_function_or_method";
    if is_built_in
        && let Some(owner) = value.getattr_opt("__self__")?
        && !owner.is_instance_of::<PyModule>()
    {
        return differs(&owner);
    }
    if is_built_in || value.is_instance_of::<PyFunction>() {
        let name = (
            value
                .getattr("__module__")?
                .str()?
                .to_string_lossy()
                .into_owned(),
            value
                .getattr("__name__")?
                .str()?
                .to_string_lossy()
                .into_owned(),
        );
        let asks = matches!(
            (&*name.0, &*name.1),
            ("_thread", "get_ident" | "get_native_id")
                | ("threading", "current_thread" | "currentThread")
                | ("_asyncio" | "asyncio.tasks", "current_task")
                | ("_contextvars", "copy_context")
                | ("greenlet._greenlet", "getcurrent")
        );
        return Ok(asks.then_some("function"));
    }
    Ok(None)
}

/// Anything in an object's own fields that differs by who asks; where it may be called, a step
/// further in, as for one that answers by a hook.
fn told_by(value: &Bound<'_, PyAny>, may_be_called: bool) -> PyResult<Option<String>> {
    let class = value.get_type();
    let hooked = class::is_in_class(&class, "__getattr__")?
        || may_be_called && class::is_in_class(&class, "__call__")?;
    for inner in own_values(value)? {
        if let Some(what) = differs(&inner)? {
            return Ok(Some(format!("a {what}")));
        }
        if hooked && is_heap(&inner.get_type()) {
            for store in own_values(&inner)? {
                if let Some(what) = differs(&store)? {
                    return Ok(Some(format!("a {what}")));
                }
            }
        }
    }
    Ok(None)
}

/// The values of an object's dict and slots, read past whatever its class makes of attributes.
fn own_values<'py>(value: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut values = Vec::new();
    if let Some(dict) = class::own_dict(value)? {
        values.extend(dict.values());
    }
    for base in value.get_type().mro() {
        for item in base.getattr("__dict__")?.cast::<PyMapping>()?.items()? {
            let (_, member): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            if members::is_member(&member)
                // A slot that is not set raises an AttributeError.
                && let Ok(value) = member.call_method1("__get__", (value,))
            {
                values.push(value);
            }
        }
    }
    Ok(values)
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
