//! Arguments as keys (R2, and K1, K2, K4, K11 where they hold in Rust).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use tenure::{CacheKey, Encoder, cache_resource};

fn bytes<T: CacheKey + ?Sized>(value: &T) -> Vec<u8> {
    let mut key = Encoder::new();
    value.encode(&mut key);
    key.as_bytes().to_vec()
}

#[test]
fn r2_floats_are_told_apart_bit_by_bit() {
    #[cache_resource]
    fn f(of: f64) -> u64 {
        of.to_bits()
    }

    assert_eq!(*f(0.0), 0);
    assert_eq!(*f(-0.0), 1 << 63);
    let nan = f(f64::NAN);
    assert!(nan.same_entry(&f(f64::NAN)));
    assert!(!nan.same_entry(&f(-f64::NAN)));
}

#[test]
fn k1_neighbouring_arguments_do_not_run_together() {
    #[cache_resource]
    fn f(a: &str, b: &str) -> String {
        format!("{a}|{b}")
    }

    #[cache_resource]
    fn g(a: &[u8], b: Vec<u8>) -> usize {
        a.len() * 100 + b.len()
    }

    assert_eq!(*f("ab", ""), "ab|");
    assert_eq!(*f("a", "b"), "a|b");
    assert_eq!(*f("", "ab"), "|ab");
    assert_eq!(*g(b"12", vec![3]), 201);
    assert_eq!(*g(b"1", vec![2, 3]), 102);
}

#[test]
fn r2_any_argument_that_is_hash_will_do() {
    #[derive(Hash)]
    struct Point(i32, i32);

    #[cache_resource]
    fn f(point: &Point, others: &[Point], maybe: Option<Point>) -> i32 {
        point.0 + others.len() as i32 + maybe.map_or(0, |it| it.1)
    }

    assert_eq!(*f(&Point(1, 2), &[], None), 1);
    assert_eq!(*f(&Point(1, 2), &[Point(0, 0)], None), 2);
    assert_eq!(*f(&Point(1, 2), &[], Some(Point(0, 5))), 6);
    assert_eq!(*f(&Point(1, 2), &[], None), 1);
    assert_eq!((f::info().builds, f::info().hits), (3, 1));
}

#[test]
fn r2_unhashable_arguments_of_the_standard_library_will_do() {
    #[cache_resource]
    fn f(
        weights: &[f32],
        limits: Option<(f64, &str)>,
        names: &HashMap<String, f64>,
        path: &Path,
        rest: Rc<[Cow<'_, str>]>,
    ) -> usize {
        weights.len() + names.len() + path.as_os_str().len() + rest.len() + limits.iter().len()
    }

    let names = HashMap::from([("a".to_owned(), 1.5)]);
    let rest = || Rc::from([Cow::Borrowed("x")]);
    assert_eq!(
        *f(&[1.0], Some((0.5, "m")), &names, Path::new("p"), rest()),
        5
    );
    assert_eq!(
        *f(&[1.0], Some((0.5, "m")), &names, Path::new("p"), rest()),
        5
    );
    assert_eq!(f::info().builds, 1);
    let _ = f(&[1.5], Some((0.5, "m")), &names, Path::new("p"), rest());
    let _ = f(&[1.0], Some((0.25, "m")), &names, Path::new("p"), rest());
    assert_eq!(f::info().builds, 3);
}

#[derive(CacheKey, Clone)]
struct Model<'a, T> {
    name: &'a str,
    temperature: f64,
    extra: T,
    #[key(skip)]
    _note: String,
    #[key(with = version_of)]
    version: Version,
}

#[derive(Clone)]
struct Version {
    major: u32,
    _build: u64,
}

fn version_of(version: &Version) -> u32 {
    version.major
}

#[derive(CacheKey)]
enum Source {
    Nowhere,
    File(PathBuf),
    Url { host: String, port: u16 },
}

#[test]
fn r2_types_of_ones_own_derive_their_key() {
    #[cache_resource]
    fn load(model: &Model<'_, Vec<u8>>, source: Source) -> String {
        let from = match source {
            Source::Nowhere => "nowhere".to_owned(),
            Source::File(path) => path.display().to_string(),
            Source::Url { host, port } => format!("{host}:{port}"),
        };
        format!("{} {} from {from}", model.name, model.temperature)
    }

    let model = Model {
        name: "m",
        temperature: 0.5,
        extra: vec![1],
        _note: String::new(),
        version: Version {
            major: 1,
            _build: 1,
        },
    };
    let url = |port| Source::Url {
        host: "h".to_owned(),
        port,
    };
    assert_eq!(*load(&model, Source::Nowhere), "m 0.5 from nowhere");
    assert_eq!(*load(&model, Source::File("f".into())), "m 0.5 from f");
    assert_eq!(*load(&model, url(1)), "m 0.5 from h:1");
    assert_eq!(*load(&model, url(2)), "m 0.5 from h:2");
    let same = Model {
        _note: "other".to_owned(),
        version: Version {
            major: 1,
            _build: 2,
        },
        ..model.clone()
    };
    assert!(load(&model, url(1)).same_entry(&load(&same, url(1))));
    let newer = Model {
        version: Version {
            major: 2,
            _build: 1,
        },
        ..model.clone()
    };
    assert!(!load(&model, url(1)).same_entry(&load(&newer, url(1))));
}

#[test]
fn r2_a_parameter_may_be_keyed_by_something_else_or_not_at_all() {
    struct Handle {
        id: u32,
    }

    #[cache_resource]
    fn f(
        #[key(with = |it| it.id)] handle: &Handle,
        #[key(skip)] label: &str,
        _log: &Handle,
    ) -> u32 {
        handle.id + label.len() as u32
    }

    let handle = |id| Handle { id };
    assert_eq!(*f(&handle(1), "a", &handle(9)), 2);
    assert_eq!(*f(&handle(1), "abc", &handle(8)), 2);
    assert_eq!(*f(&handle(2), "abc", &handle(8)), 5);
    assert_eq!(f::info().builds, 2);
    // K11: they are left out of the key of a clear, too.
    f::clear_entry(&handle(1), "other", &handle(7));
    assert_eq!(f::info().entries, 1);
}

#[test]
fn k4_what_has_no_order_has_one_key_in_any_order() {
    let mut one: HashMap<u32, f64> = (0..50).map(|it| (it, 0.5)).collect();
    let other: HashMap<u32, f64> = (0..50).rev().map(|it| (it, 0.5)).collect();
    assert_eq!(bytes(&one), bytes(&other));
    one.insert(3, 0.25);
    assert_ne!(bytes(&one), bytes(&other));
    let set: HashSet<u32> = (0..50).collect();
    let other: HashSet<u32> = (0..50).rev().collect();
    assert_eq!(bytes(&set), bytes(&other));
}

#[test]
fn k1_ranges_and_times_keep_their_ends() {
    assert_ne!(bytes(&(1..3)), bytes(&(1..4)));
    assert_ne!(bytes(&(1..=3)), bytes(&(1..=4)));
    let mut used = 1..=1;
    let fresh = used.clone();
    used.next();
    assert_ne!(bytes(&used), bytes(&fresh));
    assert_ne!(
        bytes(&Duration::from_nanos(1)),
        bytes(&Duration::from_secs(1))
    );
}

/// A value of a few nested types, to compare keys with equality.
type Value = (
    Vec<Option<String>>,
    BTreeMap<u8, Vec<u8>>,
    (bool, char),
    Result<u64, [i16; 2]>,
);

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![Just(String::new()), "[ab\u{ff}]{0,3}", "[a-z]{235,260}"];
    let texts = prop::collection::vec(prop::option::of(text), 0..4);
    let bytes = prop_oneof![
        prop::collection::vec(0u8..3, 0..4),
        prop::collection::vec(any::<u8>(), 238..260)
    ];
    let map = prop::collection::btree_map(0u8..3, bytes, 0..3);
    let result = prop_oneof![(0u64..3).prop_map(Ok), [0i16..2, 0i16..2].prop_map(Err)];
    (texts, map, any::<(bool, char)>(), result)
}

/// Writes as a derived `Hash` does.
struct Hashed(Value);

impl CacheKey for Hashed {
    fn encode(&self, key: &mut Encoder) {
        self.0.hash(key);
    }
}

proptest! {
    #[test]
    fn k1_keys_are_equal_where_values_are_and_nowhere_else(a in value(), b in value()) {
        prop_assert_eq!(bytes(&a) == bytes(&b), a == b);
        prop_assert_eq!(bytes(&(&a, &b)) == bytes(&(&b, &a)), a == b);
        let same = a.clone();
        prop_assert_eq!(bytes(&same), bytes(&a));
        let (a, b) = (Hashed(a), Hashed(b));
        prop_assert_eq!(bytes(&a) == bytes(&b), a.0 == b.0);
    }

    #[test]
    fn k1_no_key_begins_another(a in value(), b in value()) {
        let (long, short) = (bytes(&a), bytes(&b));
        prop_assert!(a == b || !long.starts_with(&short));
    }
}

/// A type whose `Hash` is used in the place of a derived key.
struct Custom(u8);

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.0);
    }
}

#[test]
fn r2_a_derived_key_takes_fields_that_are_only_hash() {
    #[derive(CacheKey)]
    struct Both(Custom, f32);

    assert_eq!(bytes(&Both(Custom(1), 0.5)), bytes(&Both(Custom(1), 0.5)));
    assert_ne!(bytes(&Both(Custom(1), 0.5)), bytes(&Both(Custom(2), 0.5)));
    assert_ne!(bytes(&Both(Custom(1), 0.5)), bytes(&Both(Custom(1), 0.25)));
}

#[test]
fn k1_a_type_id_counts_whole() {
    use std::any::TypeId;

    // Its `Hash` writes 64 bits of 128.
    let one = bytes(&TypeId::of::<u8>());
    assert!(one.len() > 2 * size_of::<u64>());
    assert_eq!(one, bytes(&TypeId::of::<u8>()));
    assert_ne!(one, bytes(&TypeId::of::<i8>()));
}
