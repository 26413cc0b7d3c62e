//! Strands: the logical callers that take turns on one thread.
//!
//! "Which build am I in" is a question about the caller, and a thread may carry many: greenlets
//! switch in the middle of a build, a check or a callback, and go on in any order. So what a caller
//! is inside of is kept with its strand, and taken away by its own number, in whatever order.
//!
//! A front door whose callers are not threads [says](tell_strands) which strand runs, and which ones
//! it runs within: those go on only once it has ended, as a greenlet's parents do. A thread is a
//! caller of its own, whoever started it.
//!
//! The front door is asked where something is built or released, never at a hit, and never while a
//! lock is held: it may wait for its interpreter.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use crate::ground::sync::{LocalKey, OnceLock};

/// A logical caller.
///
/// ```
/// use tenure::front::Strand;
///
/// assert_ne!(Strand::numbered(7), Strand::THREAD);
/// assert_eq!(Strand::numbered(0), Strand::THREAD);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strand(usize);

impl Strand {
    /// The thread itself.
    pub const THREAD: Self = Self(0);

    /// A caller that has its turn on this thread, by a number that no other has while it lives.
    #[must_use]
    pub const fn numbered(number: usize) -> Self {
        Self(number)
    }
}

/// Names the strand that runs, then the one it runs within, and so on to the thread, until it is
/// answered `false`.
///
/// ```
/// use tenure::front::{Ancestry, Strand};
///
/// let alone: Ancestry = |visit| {
///     visit(Strand::THREAD);
/// };
/// alone(&mut |strand| strand == Strand::THREAD);
/// ```
pub type Ancestry = fn(&mut dyn FnMut(Strand) -> bool);

static ANCESTRY: OnceLock<Ancestry> = OnceLock::new();

/// Says how strands are found from now on; without it, every thread is one. Only the first call
/// counts. It is asked on threads of any kind, and never under a lock.
///
/// ```
/// use std::cell::Cell;
/// use tenure::front::Strand;
/// use tenure::{Engine, Function, KeyRef, Settings};
///
/// thread_local! {
///     static TURN: Cell<usize> = const { Cell::new(0) };
/// }
/// tenure::front::tell_strands(|visit| {
///     let turn = TURN.get();
///     if turn == 0 || visit(Strand::numbered(turn)) {
///         visit(Strand::THREAD);
///     }
/// });
///
/// let engine = Engine::new();
/// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
/// let built = pools.get_or_build(&KeyRef::EMPTY, || {
///     TURN.set(1);
///     pools.clear().unwrap(); // by a strand that this build runs
///     TURN.set(0);
///     Ok(7)
/// });
/// drop(built);
/// assert_eq!(pools.info().entries, 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub fn tell_strands(ancestry: Ancestry) {
    let _ = ANCESTRY.set(ancestry);
}

/// Whether a thread may have more than one.
pub(crate) fn are_told() -> bool {
    ANCESTRY.get().is_some()
}

/// The strand that runs.
fn present() -> Strand {
    let mut present = None;
    each(&mut |strand| {
        present.get_or_insert(strand);
        false
    });
    present.unwrap_or(Strand::THREAD)
}

fn each(visit: &mut dyn FnMut(Strand) -> bool) {
    match ANCESTRY.get() {
        None => {
            visit(Strand::THREAD);
        }
        Some(ancestry) => ancestry(visit),
    }
}

/// A list of what the strands of one thread are inside of, the innermost last, for a thread-local.
///
/// ```
/// use tenure::front::Layers;
///
/// thread_local! {
///     static JOBS: Layers<&'static str> = const { Layers::new() };
/// }
/// JOBS.with(|jobs| {
///     let outer = jobs.put("outer");
///     let inner = jobs.put("inner");
///     assert_eq!(jobs.last(), Some("inner"));
///     jobs.take(outer); // in any order
///     assert_eq!(jobs.last(), Some("inner"));
///     jobs.take(inner);
///     assert_eq!(jobs.last(), None);
/// });
/// ```
#[derive(Debug)]
pub struct Layers<T> {
    numbers: Cell<u64>,
    layers: RefCell<Vec<Layer<T>>>,
}

#[derive(Debug)]
struct Layer<T> {
    number: u64,
    strand: Strand,
    what: T,
}

impl<T> Layers<T> {
    /// An empty list: no strand is inside of anything yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            numbers: Cell::new(0),
            layers: RefCell::new(Vec::new()),
        }
    }

    /// Puts down what the present strand is inside of, until it is [taken](Self::take) away by the
    /// number given.
    pub fn put(&self, what: T) -> u64 {
        self.put_for(present(), what)
    }

    pub(crate) fn put_for(&self, strand: Strand, what: T) -> u64 {
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        self.layers.borrow_mut().push(Layer {
            number,
            strand,
            what,
        });
        number
    }

    /// Takes away what was put down under this number, on this thread.
    pub fn take(&self, number: u64) -> Option<T> {
        let mut layers = self.layers.borrow_mut();
        let at = layers.iter().rposition(|it| it.number == number)?;
        Some(layers.remove(at).what)
    }

    pub(crate) fn take_all(&self) -> Vec<T> {
        let layers = self.layers.take();
        layers.into_iter().map(|it| it.what).collect()
    }

    /// Whether no strand of this thread is inside of anything.
    pub fn is_empty(&self) -> bool {
        self.layers.borrow().is_empty()
    }
}

impl<T: Clone> Layers<T> {
    /// The innermost thing that the present strand is inside of.
    pub fn last(&self) -> Option<T> {
        let mut found = None;
        self.each(|it| {
            found = Some(it);
            false
        });
        found
    }

    /// The innermost thing that the present strand is inside of by itself, and not by what it runs
    /// within.
    pub fn own(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let strand = present();
        let layers = self.layers.borrow();
        let own = layers.iter().rfind(|it| it.strand == strand);
        own.map(|it| it.what.clone())
    }

    /// Everything that the present strand is inside of, from the innermost outward, until `visit`
    /// answers `false`.
    pub(crate) fn each(&self, mut visit: impl FnMut(T) -> bool) {
        // The rule on the common way: nothing is asked where there is nothing.
        if self.is_empty() {
            return;
        }
        each(&mut |strand| {
            // One at a time and by its place: `visit` runs outside the borrow, and may put down more.
            let mut at = self.layers.borrow().len();
            loop {
                let next = {
                    let layers = self.layers.borrow();
                    let found = layers[..at].iter().rposition(|it| it.strand == strand);
                    found.map(|found| (found, layers[found].what.clone()))
                };
                let Some((found, what)) = next else {
                    return true;
                };
                if !visit(what) {
                    return false;
                }
                at = found;
            }
        });
    }
}

impl<T> Default for Layers<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Has the present strand be inside of something for as long as this lives. A thread that is about to
/// end is inside of nothing more.
pub(crate) struct Within<T: 'static> {
    layers: &'static LocalKey<Layers<T>>,
    number: Option<u64>,
    _not_send: PhantomData<*const ()>,
}

impl<T> Within<T> {
    #[inline]
    pub(crate) fn put(layers: &'static LocalKey<Layers<T>>, what: T) -> Self {
        Self {
            layers,
            number: layers.try_with(|it| it.put(what)).ok(),
            _not_send: PhantomData,
        }
    }
}

impl<T> Drop for Within<T> {
    #[inline]
    fn drop(&mut self) {
        // Dropped outside the borrow, as everything that may run a destructor.
        let taken = self
            .number
            .map(|it| self.layers.try_with(|layers| layers.take(it)));
        drop(taken);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    thread_local! {
        static TURN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    /// Has the strands of this thread be these, innermost first.
    fn turn(of: &[usize]) {
        tell_strands(|visit| {
            let turn = TURN.with(|turn| turn.borrow().clone());
            let _ = turn.into_iter().chain([0]).all(|it| visit(Strand(it)));
        });
        TURN.with(|turn| *turn.borrow_mut() = of.to_vec());
    }

    fn all(layers: &Layers<&'static str>) -> Vec<&'static str> {
        let mut all = Vec::new();
        layers.each(|it| {
            all.push(it);
            true
        });
        all
    }

    #[test]
    fn c6_strands_that_take_turns_see_their_own_in_whatever_order_they_end() {
        let layers = Layers::new();
        turn(&[1]);
        let (one, inner) = (layers.put("one"), layers.put("one's inner"));
        turn(&[2]);
        assert_eq!(layers.last(), None);
        let two = layers.put("two");
        turn(&[1]);
        assert_eq!(all(&layers), ["one's inner", "one"]);
        assert_eq!(layers.take(inner), Some("one's inner"));
        assert_eq!(layers.take(one), Some("one"));
        assert_eq!(layers.take(one), None);
        assert_eq!(layers.last(), None);
        turn(&[2]);
        assert_eq!(layers.last(), Some("two"));
        layers.take(two);
        assert!(layers.is_empty());
    }

    #[test]
    fn c6_a_strand_is_inside_of_what_the_one_around_it_is_inside_of() {
        let layers = Layers::new();
        turn(&[]);
        let thread = layers.put("thread");
        turn(&[3]);
        let around = layers.put("around");
        turn(&[4, 3]);
        assert_eq!(all(&layers), ["around", "thread"]);
        assert_eq!(layers.own(), None);
        let own = layers.put("own");
        assert_eq!(all(&layers), ["own", "around", "thread"]);
        assert_eq!(layers.own(), Some("own"));
        // Another one that the thread runs knows the thread's only.
        turn(&[5]);
        assert_eq!(all(&layers), ["thread"]);
        for number in [around, thread, own] {
            layers.take(number);
        }
        turn(&[]);
    }
}
