//! Stages: where a program's elements go, and where its inputs come from.
//!
//! A build that puts elements on a stage is recorded, and a hit puts them there again; an input
//! that it looks at counts as an argument, where the function says `observes = true`.
//!
//! Invariants
//! 1. A recording holds what was put out between the beginning and the end of its build, by the
//!    build's own thread or task, nested cached functions included, hits on them too.
//! 2. No lock is held while a stage's methods run.

use std::any::Any;
use std::cell::RefCell;
use std::mem;

use crate::ground::sync::{Arc, Figure, Mutex, Ordering, Switch};
use crate::host::record::{Observed, Recording};
use crate::key::args::CacheKey;
use crate::key::{Encoder, Key};
use crate::program::context::{AnyStage, Attached, Entered, Serving};

/// A place that a program shows things on and reads inputs from: a page, a report, a terminal.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tenure::{Stage, cache_resource, stage};
///
/// #[derive(Default)]
/// struct Page(Mutex<Vec<String>>);
///
/// impl Stage for Page {
///     type Element = String;
///     type Input = ();
///     fn put(&self, element: &String) {
///         self.0.lock().unwrap().push(element.clone());
///     }
///     fn input(&self, _id: &str) {}
/// }
///
/// #[cache_resource]
/// fn chart(points: u32) -> u32 {
///     stage::put(format!("<svg>{points} points</svg>"));
///     points
/// }
///
/// for _ in 0..2 {
///     let page = Arc::new(Page::default());
///     stage::run(&page, || chart(3));
///     // Built for the first page, put out again for the second.
///     assert_eq!(*page.0.lock().unwrap(), ["<svg>3 points</svg>"]);
/// }
/// assert_eq!(chart::info().builds, 1);
/// ```
pub trait Stage: Send + Sync + 'static {
    /// The type of its elements.
    type Element: Send + Sync + 'static;
    /// The type of its inputs' values.
    type Input: CacheKey + 'static;

    /// Shows an element: during a build, and again on each hit.
    fn put(&self, element: &Self::Element);

    /// The present value of an input.
    fn input(&self, id: &str) -> Self::Input;
}

impl<S: Stage> AnyStage for S {
    fn put_any(&self, element: &(dyn Any + Send + Sync)) {
        if let Some(element) = element.downcast_ref() {
            self.put(element);
        }
    }

    fn input_any(&self, id: &str) -> (Key, Box<dyn Any>) {
        let value = self.input(id);
        let mut key = Encoder::new();
        value.encode(&mut key);
        (key.finish().to_key(), Box::new(value))
    }
}

/// Whether the program has ever had a stage. From then on every build is recorded, also one that
/// runs without a stage, for those who hit it with one.
static USED: Switch = Switch::new(false);

pub(crate) fn is_used() -> bool {
    USED.load(Ordering::Relaxed)
}

fn serving<S: Stage>(stage: &Arc<S>) -> Serving {
    USED.store(true, Ordering::Relaxed);
    Serving {
        stage: Some(Arc::clone(stage) as Arc<dyn AnyStage>),
        ..Serving::current()
    }
}

/// Has this thread's code put its elements on `stage` until the guard is dropped.
///
/// ```
/// # use std::sync::{Arc, Mutex};
/// # use tenure::{Stage, stage};
/// # #[derive(Default)]
/// # struct Page(Mutex<Vec<u32>>);
/// # impl Stage for Page {
/// #     type Element = u32;
/// #     type Input = u32;
/// #     fn put(&self, element: &u32) { self.0.lock().unwrap().push(*element) }
/// #     fn input(&self, _: &str) -> u32 { 7 }
/// # }
/// let page = Arc::new(Page::default());
/// let entered = stage::enter(&page);
/// stage::put(1u32);
/// drop(entered);
/// stage::put(2u32); // goes nowhere
/// assert_eq!(*page.0.lock().unwrap(), [1]);
/// ```
pub fn enter<S: Stage>(stage: &Arc<S>) -> Entered {
    serving(stage).enter()
}

/// Runs `work` with `stage` as its stage, and gives what it returns.
///
/// ```
/// # use std::sync::{Arc, Mutex};
/// # use tenure::{Stage, stage};
/// # #[derive(Default)]
/// # struct Page(Mutex<Vec<u32>>);
/// # impl Stage for Page {
/// #     type Element = u32;
/// #     type Input = u32;
/// #     fn put(&self, element: &u32) { self.0.lock().unwrap().push(*element) }
/// #     fn input(&self, _: &str) -> u32 { 7 }
/// # }
/// let page = Arc::new(Page::default());
/// let sum = stage::run(&page, || {
///     stage::put(3u32);
///     stage::put(4u32);
///     3 + 4
/// });
/// assert_eq!((sum, page.0.lock().unwrap().len()), (7, 2));
/// ```
pub fn run<S: Stage, T>(stage: &Arc<S>, work: impl FnOnce() -> T) -> T {
    let _entered = enter(stage);
    work()
}

/// A future whose code puts its elements on `stage`, on whatever thread it is polled.
///
/// ```
/// # use std::sync::{Arc, Mutex};
/// # use tenure::{Stage, stage};
/// # #[derive(Default)]
/// # struct Page(Mutex<Vec<u32>>);
/// # impl Stage for Page {
/// #     type Element = u32;
/// #     type Input = u32;
/// #     fn put(&self, element: &u32) { self.0.lock().unwrap().push(*element) }
/// #     fn input(&self, _: &str) -> u32 { 7 }
/// # }
/// let page = Arc::new(Page::default());
/// futures_executor::block_on(stage::attach(&page, async { stage::put(1u32) }));
/// assert_eq!(*page.0.lock().unwrap(), [1]);
/// ```
pub fn attach<S: Stage, T: Future>(stage: &Arc<S>, future: T) -> Attached<T> {
    Attached::new(future, serving(stage))
}

/// Puts an element on the present stage, and into the recording of the build that this code
/// belongs to. Where there is no stage for this type of element, it goes nowhere.
///
/// ```
/// # use std::sync::{Arc, Mutex};
/// # use tenure::{Stage, stage};
/// # #[derive(Default)]
/// # struct Page(Mutex<Vec<u32>>);
/// # impl Stage for Page {
/// #     type Element = u32;
/// #     type Input = u32;
/// #     fn put(&self, element: &u32) { self.0.lock().unwrap().push(*element) }
/// #     fn input(&self, _: &str) -> u32 { 7 }
/// # }
/// # let page = Arc::new(Page::default());
/// stage::run(&page, || {
///     stage::put(1u32);
///     stage::put("text"); // elements of this stage are `u32`
/// });
/// assert_eq!(*page.0.lock().unwrap(), [1]);
/// ```
pub fn put<E: Send + Sync + 'static>(element: E) {
    if let Some(stage) = Serving::with(|serving| serving.stage.clone()) {
        stage.put_any(&element);
    }
    if let Some(recorder) = Recorder::current() {
        recorder.taken.lock().elements.push(Arc::new(element));
    }
}

/// The present value of an input, from the present stage. `None`: there is no stage with inputs of
/// type `I`.
///
/// In a build of a function with `observes = true`, the input counts as an argument from then on:
/// a hit needs the same value.
///
/// ```
/// # use std::sync::Arc;
/// # use tenure::{Stage, stage};
/// # struct Page;
/// # impl Stage for Page {
/// #     type Element = u32;
/// #     type Input = u32;
/// #     fn put(&self, _: &u32) {}
/// #     fn input(&self, _: &str) -> u32 { 7 }
/// # }
/// let page = Arc::new(Page);
/// assert_eq!(stage::run(&page, || stage::input::<u32>("slider")), Some(7));
/// assert_eq!(stage::input::<u32>("slider"), None); // no stage
/// ```
pub fn input<I: 'static>(id: &str) -> Option<I> {
    let stage = Serving::with(|serving| serving.stage.clone())?;
    let (key, value) = stage.input_any(id);
    let value = value.downcast().ok()?;
    if let Some(recorder) = Recorder::current() {
        recorder.taken.lock().observe(Arc::from(id), key);
    }
    Some(*value)
}

/// A record of what a build puts out and looks at.
#[derive(Default)]
pub(crate) struct Recorder {
    taken: Mutex<Taken>,
    /// The recorder of the build that this one is nested in.
    outer: Option<Arc<Recorder>>,
}

#[derive(Clone, Default)]
struct Taken {
    elements: Vec<Arc<dyn Any + Send + Sync>>,
    inputs: Vec<(Arc<str>, Key)>,
    /// An input changed while the build ran, so that no later call can be sure to see the same.
    torn: bool,
}

// Not behind `sync.rs`: no other thread sees it.
thread_local! {
    static RECORDERS: RefCell<Vec<Arc<Recorder>>> = const { RefCell::new(Vec::new()) };
}

impl Taken {
    fn observe(&mut self, id: Arc<str>, value: Key) {
        match self.inputs.iter().find(|(seen, _)| *seen == id) {
            Some((_, seen)) => self.torn |= *seen != value,
            None => self.inputs.push((id, value)),
        }
    }

    fn add(&mut self, other: &Self) {
        self.elements.extend(other.elements.iter().cloned());
        for (id, value) in &other.inputs {
            self.observe(Arc::clone(id), value.clone());
        }
        self.torn |= other.torn;
    }

    fn observed(&self) -> Option<Observed> {
        static TORN: Figure = Figure::new(0);
        if self.inputs.is_empty() {
            return None;
        }
        let mut shape = Encoder::new();
        let mut values = Encoder::new();
        for (id, value) in &self.inputs {
            shape.framed(0, id.as_bytes());
            values.key(&value.as_key());
        }
        if self.torn {
            values.tag(2);
            values.raw(&TORN.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        }
        let ids: Vec<Arc<str>> = self.inputs.iter().map(|(id, _)| Arc::clone(id)).collect();
        Some(Observed::new(ids, &shape.finish()).with_values(&values.finish()))
    }
}

impl Recorder {
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self {
            taken: Mutex::default(),
            outer: Self::current(),
        })
    }

    fn current() -> Option<Arc<Self>> {
        let current = RECORDERS.try_with(|recorders| recorders.borrow().last().cloned());
        current.ok().flatten()
    }

    pub(crate) fn enter(self: &Arc<Self>) {
        let _ = RECORDERS.try_with(|recorders| recorders.borrow_mut().push(Arc::clone(self)));
    }

    pub(crate) fn leave() {
        let left = RECORDERS.try_with(|recorders| recorders.borrow_mut().pop());
        drop(left);
    }

    pub(crate) fn end(&self) -> Option<Recording> {
        let taken = mem::take(&mut *self.taken.lock());
        if let Some(outer) = &self.outer {
            outer.taken.lock().add(&taken);
        }
        if taken.elements.is_empty() && taken.inputs.is_empty() {
            return None;
        }
        let observed = taken.observed();
        let recording = Recording::new(taken);
        Some(match observed {
            Some(observed) => recording.observing(observed),
            None => recording,
        })
    }
}

/// Puts out again what a recorder took.
pub(crate) fn replay(recording: &Recording) {
    let Some(taken) = recording.elements::<Taken>() else {
        return;
    };
    if let Some(stage) = Serving::with(|serving| serving.stage.clone()) {
        for element in &taken.elements {
            stage.put_any(&**element);
        }
    }
    if let Some(recorder) = Recorder::current() {
        recorder.taken.lock().add(taken);
    }
}

/// Writes the present values of inputs, as [`Taken::observed`] wrote them.
pub(crate) fn present(observed: &Observed, values: &mut Encoder) {
    let Some(ids) = observed.ids::<Vec<Arc<str>>>() else {
        return;
    };
    if let Some(stage) = Serving::with(|serving| serving.stage.clone()) {
        for id in ids {
            let (value, _) = stage.input_any(id);
            values.key(&value.as_key());
        }
    }
}
