//! V3: the figures as those of the `metrics` crate.
#![cfg(feature = "metrics")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use tenure::{Engine, Function, KeyRef, Settings};

/// Keeps what it is given: each metric with its labels.
#[derive(Default)]
struct Kept {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    /// The bits of a float.
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

fn cell(metrics: &Mutex<BTreeMap<String, Arc<AtomicU64>>>, key: &Key) -> Arc<AtomicU64> {
    let labels = key
        .labels()
        .map(|it| format!(" {}={}", it.key(), it.value()));
    let name = key.name().to_owned() + &labels.collect::<String>();
    Arc::clone(metrics.lock().unwrap().entry(name).or_default())
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(cell(&self.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(cell(&self.gauges, key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        unreachable!("what is counted already is no observation")
    }
}

#[test]
fn v3_the_metrics_crate_is_given_each_figure() {
    let engine = Engine::new();
    let of_name = |name| Function::<u32, ()>::plain(&engine, name, Settings::default()).unwrap();
    // Functions of one name are one.
    let (one, other, third) = (of_name("pool"), of_name("pool"), of_name("a \"b\""));
    for function in [&one, &one, &other, &third] {
        drop(function.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap());
    }
    one.clear().unwrap();
    let kept = Kept::default();
    with_local_recorder(&kept, || engine.info().record());
    with_local_recorder(&kept, || engine.info().record());
    let counters = kept.counters.into_inner().unwrap();
    let counted = |name: &str| counters[name].load(Ordering::SeqCst);
    assert_eq!(counted("tenure_hits_total function=pool"), 1);
    assert_eq!(counted("tenure_builds_total function=pool"), 2);
    assert_eq!(
        counted("tenure_misses_total function=pool reason=absent"),
        2
    );
    assert_eq!(
        counted("tenure_releases_total function=pool cause=cleared"),
        1
    );
    assert_eq!(counted("tenure_builds_total function=a \"b\""), 1);
    assert!(!counters.contains_key("tenure_misses_total function=pool reason=expired"));
    let gauges = kept.gauges.into_inner().unwrap();
    let entries = f64::from_bits(gauges["tenure_entries function=pool"].load(Ordering::SeqCst));
    assert!((entries - 1.0).abs() < f64::EPSILON);
}
