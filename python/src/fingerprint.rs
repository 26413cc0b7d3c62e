//! What the engine's registry tells functions apart by: identity and settings, as digests.

use pyo3::prelude::*;
use tenure::{Hasher128, Identity, Scope};

use crate::identity::{self, Source};
use crate::options::Options;

/// The function's name for people, and its identity for the registry.
pub(crate) struct Fingerprint {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) identity: Identity,
    /// What the identity tells apart by address: kept alive, so that no address is used again.
    pub(crate) pinned: Vec<Py<PyAny>>,
}

/// Reads all that tells `func`, decorated with `options`, from others.
///
/// # Errors
/// What the parts of the function raise when they are read.
pub(crate) fn of(
    py: Python<'_>,
    func: &Bound<'_, PyAny>,
    options: &Options,
) -> PyResult<Fingerprint> {
    let mut source = identity::identify(py, func)?;
    let mut settings = Hasher128::new();
    let set = &options.settings;
    let plain = format!(
        "{:?} {:?} {:?} {} {}",
        set.ttl,
        set.max_entries,
        set.drain,
        matches!(set.scope, Scope::Session),
        set.observes
    );
    settings.update(plain.as_bytes());
    for (mark, callback) in [(1, &options.validate), (2, &options.on_release)] {
        settings.update(&[mark]);
        if let Some(callback) = callback {
            absorb(
                &mut settings,
                &mut source,
                identity::identify(py, callback.bind(py))?,
            );
        }
    }
    if let Some(funcs) = &options.hash_funcs {
        for item in funcs.bind(py).call_method0("items")?.try_iter()? {
            let (key, func): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
            settings.update(key.repr()?.to_str()?.as_bytes());
            absorb(&mut settings, &mut source, identity::identify(py, &func)?);
        }
    }
    Ok(Fingerprint {
        identity: Identity {
            site: source.site,
            version: source.version,
            settings: settings.finish().to_le_bytes(),
            stamp: source.stamp,
            passing: !source.pinned.is_empty(),
        },
        name: source.name,
        title: source.title,
        pinned: source.pinned,
    })
}

fn absorb(settings: &mut Hasher128, source: &mut Source, callback: Source) {
    settings.update(&callback.site);
    settings.update(&callback.version);
    source.pinned.extend(callback.pinned);
}
