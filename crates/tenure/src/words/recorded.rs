//! The figures as those of the `metrics` crate.

use metrics::{Label, counter, gauge};

use crate::words::families::{FAMILIES, LABELLED};
use crate::words::report::Report;

impl Report {
    /// Gives the figures to the recorder of the `metrics` crate, under the names of
    /// [`to_prometheus`](Self::to_prometheus), but for the histogram of builds: to be called before each export, or now
    /// and then. Needs the feature `metrics`.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop(pool());
    /// tenure::info().record(); // to the recorder that the program has installed, if it has
    /// ```
    pub fn record(&self) {
        for (function, info) in self.in_full() {
            let labels = || vec![Label::new("function", function.to_string())];
            for (name, kind, _, value) in FAMILIES {
                match kind {
                    "counter" => counter!(name, labels()).absolute(value(info).number()),
                    _ => gauge!(name, labels()).set(value(info).float()),
                }
            }
            for (name, _, label, numbers) in LABELLED {
                numbers(info, &mut |value, number| {
                    let mut labels = labels();
                    labels.push(Label::from_static_parts(label, value));
                    counter!(name, labels).absolute(number);
                });
            }
        }
    }
}
