//! The digests that the engine's registry tells functions apart by: identity and settings.

use std::sync::Arc;

use pyo3::prelude::*;
use tenure::front::{Digester, Digests, Identity};

use crate::decoration::identity::{self, Place, Source};
use crate::decoration::maker::{self, Maker};
use crate::encode::First;
use crate::function::options::Options;
use crate::life::measures::Weight;

/// A function where it is decorated.
pub(crate) struct Decorated {
    /// Its name, for people.
    pub(crate) name: String,
    pub(crate) title: String,
    /// Its name with its module, whatever that is.
    pub(crate) full_name: String,
    pub(crate) site: [u8; 16],
    /// Its name among the members of a fleet.
    pub(crate) known_as: String,
    /// The code that decorates it.
    pub(crate) maker: Maker,
    /// Whether it, or one of its callbacks, closes over variables: what they hold is read when it is
    /// first used.
    pub(crate) closes_over: bool,
}

impl Decorated {
    /// The function as it is decorated now, by the code that runs.
    ///
    /// # Errors
    /// What the parts of the function and of the code raise when they are read.
    pub(crate) fn here(func: &Bound<'_, PyAny>, options: &Options) -> PyResult<Self> {
        let py = func.py();
        let place = Place::of(func)?;
        let mut closes_over = identity::closes_over(&place.layers)?;
        for callback in options.callbacks(py)? {
            closes_over |= identity::closes_over(&identity::layers(&callback)?)?;
        }
        Ok(Self {
            maker: maker::of(py, &place.layers)?,
            name: place.name,
            title: place.title,
            full_name: place.full_name,
            site: place.site,
            known_as: place.known_as,
            closes_over,
        })
    }
}

/// The marks of a function for the registry.
pub(crate) struct Fingerprint {
    pub(crate) identity: Identity,
    /// The objects that the identity tells apart by address: kept alive, so that no address is used again.
    pub(crate) pinned: Vec<Py<PyAny>>,
    /// The objects of callbacks that count as they were when first met: kept while this is, and
    /// while the callbacks are.
    pub(crate) firsts: Firsts,
    /// The marks of this decoration beside the next one of the same code.
    pub(crate) decoration: Decoration,
}

/// The marks of one decoration beside the next one of the same code.
#[derive(Clone)]
pub(crate) struct Decoration {
    /// The run of the main script that it was done in.
    pub(crate) round: u64,
    /// The captured variables, with the digest of what each holds.
    pub(crate) captured: Arc<[(String, u128)]>,
}

impl Decoration {
    /// The variables that hold something else, if both capture the same ones and any does.
    pub(crate) fn changed_since<'a>(&'a self, before: &Self) -> Option<Vec<&'a str>> {
        if self.captured.len() != before.captured.len() {
            return None;
        }
        let mut changed = Vec::new();
        for ((name, holds), (before, held)) in self.captured.iter().zip(&*before.captured) {
            if name != before {
                return None;
            }
            if holds != held && !changed.contains(&name.as_str()) {
                changed.push(name.as_str());
            }
        }
        (!changed.is_empty()).then_some(changed)
    }
}

pub(crate) type Firsts = Arc<[Arc<First>]>;

/// Reads all that tells `func`, decorated with `options`, from others.
///
/// # Errors
/// What the parts of the function raise when they are read.
pub(crate) fn of(
    py: Python<'_>,
    func: &Bound<'_, PyAny>,
    options: &Options,
    decorated: &Decorated,
) -> PyResult<Fingerprint> {
    let Decorated { name, site, .. } = decorated;
    let source = identity::identify(py, func, name, *site)?;
    let maker = &decorated.maker;
    let mut firsts = Vec::new();
    let mut bound = Digests::Own.begin();
    let mut settings = Digests::Own.begin();
    let weight = options.weight.as_ref().map(|it| it.mark(py));
    let marks = format!(
        "{} {} {} {}",
        options.settings.marks(),
        options.sharing.mark(),
        options.enters,
        weight.unwrap_or_default()
    );
    settings.update(marks.as_bytes());
    let on_release = options.on_release.as_ref().map(|it| &it.callback);
    let (validate, keep_if) = (options.validate.as_ref(), options.keep_if.as_ref());
    let scope = options.sharing.callable();
    let (ttl, weight) = (
        options.ttl.as_ref(),
        options.weight.as_ref().and_then(Weight::asked),
    );
    let callbacks = [
        (1, validate),
        (2, on_release),
        (3, keep_if),
        (4, scope),
        (5, ttl),
        (6, weight),
        (7, options.tags.as_ref()),
    ];
    for (mark, callback) in callbacks {
        settings.update(&[mark]);
        if let Some(callback) = callback {
            absorb(
                &mut settings,
                &mut firsts,
                &mut bound,
                identity::identify_callback(py, callback.bind(py), *site)?,
            );
        }
    }
    if let Some(funcs) = &options.hash_funcs {
        for item in funcs.bind(py).call_method0("items")?.try_iter()? {
            let (key, func): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
            settings.update(key.repr()?.to_str()?.as_bytes());
            absorb(
                &mut settings,
                &mut firsts,
                &mut bound,
                identity::identify_callback(py, &func, *site)?,
            );
        }
    }
    if let Some(actor) = &options.actor {
        settings.update(&actor.mark);
    }
    Ok(Fingerprint {
        identity: Identity {
            site: source.site,
            version: source.version,
            settings: settings.finish().to_le_bytes(),
            maker: maker.digest,
            code: Arc::clone(&maker.code),
            beside: Arc::clone(&maker.beside),
            place: maker.place,
            stamp: maker.stamp,
            run: maker.run,
            callbacks: bound.finish().to_le_bytes(),
            passing: !source.pinned.is_empty(),
            origin: maker.origin,
        },
        pinned: source.pinned,
        firsts: firsts.into(),
        decoration: Decoration {
            round: maker.round,
            captured: source.captured.into(),
        },
    })
}

fn absorb(
    settings: &mut Digester,
    firsts: &mut Vec<Arc<First>>,
    bound: &mut Digester,
    callback: Source,
) {
    settings.update(&callback.site);
    settings.update(&callback.version);
    for first in &callback.firsts {
        bound.update(&first.bound().to_le_bytes());
    }
    firsts.extend(callback.firsts);
}
