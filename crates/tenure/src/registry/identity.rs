//! The identity of a function, which tells it from others.

use std::sync::Arc;

/// The marks by which a function is told from others; each is a digest that the front door makes.
///
/// ```
/// use tenure::front::{Identity, Stamp};
///
/// let state = |number| Stamp::File([number; 16]);
/// let one = Identity { maker: [1; 16], stamp: state(1), ..Identity::new([1; 16], [1; 16]) };
/// let edited = Identity { version: [2; 16], maker: [2; 16], stamp: state(2), ..one.clone() };
/// assert_ne!(one, edited);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Where it stands: stays the same over an edit.
    pub site: [u8; 16],
    /// Its code, constants, defaults and closure.
    pub version: [u8; 16],
    /// Its settings and callbacks.
    pub settings: [u8; 16],
    /// The code that decorates it: the same for whatever closures and settings that code has made,
    /// and another one after an edit.
    pub maker: [u8; 16],
    /// Its code alone, and that of functions within it, as its maker defines them; none where that cannot be seen.
    pub code: Arc<[[u8; 16]]>,
    /// The code of each function that its maker defines, its own among them, in lists that others share: two of them may have
    /// one name.
    pub beside: Arc<[Arc<[[u8; 16]]>]>,
    /// Where its maker stands: stays the same over an edit.
    pub place: [u8; 16],
    /// The state of the source that it and its maker were read from.
    pub stamp: Stamp,
    /// The run of its maker's module that it was made in.
    pub run: [u8; 16],
    /// The objects that its callbacks are bound to. Two functions of one run that both live and
    /// differ in these share nothing.
    pub callbacks: [u8; 16],
    /// Whether no later run can make an equal one, because something in its closure is told apart
    /// by address.
    pub passing: bool,
    /// What it was decorated in, which may be loaded or run anew.
    pub origin: Origin,
}

/// The state of the source that code was read from.
///
/// ```
/// use tenure::front::{Identity, Stamp};
///
/// assert_eq!(Identity::new([1; 16], [1; 16]).stamp, Stamp::Unknown);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stamp {
    /// It has neither a file nor lines.
    #[default]
    Unknown,
    /// The state of files: their names and times of change, say.
    File([u8; 16]),
    /// The lines that somebody typed, as the cell of a notebook.
    Typed([u8; 16]),
}

/// What functions are decorated in, and by what it is replaced. Of the functions at one site those are *left over* that are
/// of an origin which has been replaced since: whoever holds one counts no longer among its users, and may go on with it.
///
/// ```
/// use tenure::front::{Identity, Origin};
///
/// assert_eq!(Identity::new([1; 16], [1; 16]).origin, Origin::Lasting);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Nothing that is replaced as a whole: a notebook, say.
    #[default]
    Lasting,
    /// The run of a script with this number: replaced by the next run for the same session, and by the session's end.
    Script(u64),
    /// The module that was loaded as this number: replaced when it is loaded anew, whoever does.
    Module(u64),
}

impl Identity {
    /// An identity without settings, of code that has no file.
    ///
    /// ```
    /// let (site, version) = ([1; 16], [2; 16]);
    /// assert!(!tenure::front::Identity::new(site, version).passing);
    /// ```
    #[must_use]
    pub fn new(site: [u8; 16], version: [u8; 16]) -> Self {
        Self {
            site,
            version,
            settings: [0; 16],
            maker: [0; 16],
            code: Arc::default(),
            beside: Arc::default(),
            place: [0; 16],
            stamp: Stamp::Unknown,
            run: [0; 16],
            callbacks: [0; 16],
            passing: false,
            origin: Origin::Lasting,
        }
    }

    /// Whether the maker of this one defines the other as well, as another function.
    pub(crate) fn is_made_beside(&self, other: &Self) -> bool {
        let is_beside = |code: &[u8; 16]| self.beside.iter().any(|all| all.contains(code));
        self.code != other.code && !other.code.is_empty() && other.code.iter().all(is_beside)
    }
}
