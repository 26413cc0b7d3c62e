//! Keys through the public interface: an encoding can be read back, and keys are equal where
//! their encodings are.

use std::hash::{Hash, Hasher};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tenure::front::{Hasher128, keyed};
use tenure::{Encoder, Key};

/// One call of an encoder.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    Tag(u8),
    Framed(u8, Vec<u8>),
}

fn encode(calls: &[Call]) -> Encoder {
    let mut encoder = Encoder::new();
    for call in calls {
        match call {
            Call::Tag(tag) => encoder.tag(*tag),
            Call::Framed(tag, content) => encoder.framed(*tag, content),
        }
    }
    encoder
}

fn key(calls: &[Call]) -> Key {
    encode(calls).finish().to_key()
}

/// What a reader makes of an encoding. Long contents come back as length and digest.
#[derive(Debug, PartialEq)]
enum Read {
    Tag(u8),
    Framed(u8, Vec<u8>),
    Digested(u8, u64, u128),
}

fn read(mut bytes: &[u8]) -> Vec<Read> {
    let mut take = |count: usize| {
        let (head, tail) = bytes.split_at_checked(count)?;
        bytes = tail;
        Some(head)
    };
    let mut items = Vec::new();
    while let Some(&[first]) = take(1) {
        let tag = match first & 0x7f {
            0x7f => take(1).unwrap()[0],
            tag => tag,
        };
        items.push(if first & 0x80 == 0 {
            Read::Tag(tag)
        } else {
            match take(1).unwrap()[0] {
                0xff => {
                    let len = u64::from_le_bytes(take(8).unwrap().try_into().unwrap());
                    let digest = u128::from_le_bytes(take(16).unwrap().try_into().unwrap());
                    Read::Digested(tag, len, digest)
                }
                len => Read::Framed(tag, take(len.into()).unwrap().to_vec()),
            }
        });
    }
    items
}

/// Tags and bytes that mean something to the encoder itself, more often than others.
fn telling_byte() -> impl Strategy<Value = u8> {
    let telling = vec![0, 1, 2, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff, 239, 240, 241];
    prop_oneof![3 => select(telling), 1 => any::<u8>()]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(telling_byte(), 0..6),
        1 => vec(telling_byte(), 230..260),
        1 => vec(telling_byte(), 500..1200),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        telling_byte().prop_map(Call::Tag),
        (telling_byte(), content()).prop_map(|(tag, content)| Call::Framed(tag, content)),
        // The encoding of other calls as a content: what an attacker would pass.
        (telling_byte(), vec((telling_byte(), content()), 0..3)).prop_map(|(tag, inner)| {
            let inner: Vec<Call> = inner
                .into_iter()
                .map(|(tag, content)| Call::Framed(tag, content))
                .collect();
            Call::Framed(tag, encode(&inner).as_bytes().to_vec())
        }),
    ]
}

proptest! {
    #[test]
    fn k1_an_encoding_can_be_read_back(calls in vec(call(), 0..8)) {
        let expected: Vec<Read> = calls
            .iter()
            .map(|call| match call {
                Call::Tag(tag) => Read::Tag(*tag),
                Call::Framed(tag, content) if content.len() > Encoder::FRAME_MAX => {
                    Read::Digested(*tag, content.len() as u64, keyed(content))
                }
                Call::Framed(tag, content) => Read::Framed(*tag, content.clone()),
            })
            .collect();
        prop_assert_eq!(read(encode(&calls).as_bytes()), expected);
    }

    #[test]
    fn k1_different_calls_are_different_keys(a in vec(call(), 0..4), b in vec(call(), 0..4)) {
        prop_assert_eq!(encode(&a).as_bytes() == encode(&b).as_bytes(), a == b);
        prop_assert_eq!(key(&a) == key(&b), a == b);
    }

    #[test]
    fn k1_one_changed_call_is_another_key(
        calls in vec(call(), 1..6),
        at: prop::sample::Index,
        other in call(),
    ) {
        let mut changed = calls.clone();
        changed[at.index(calls.len())] = other;
        prop_assert_eq!(key(&calls) == key(&changed), calls == changed);
    }

    #[test]
    fn k1_where_a_content_is_cut_counts(content in content(), cut: prop::sample::Index) {
        let (head, tail) = content.split_at(cut.index(content.len() + 1));
        let two = [Call::Framed(1, head.to_vec()), Call::Framed(1, tail.to_vec())];
        let swapped = [Call::Framed(1, tail.to_vec()), Call::Framed(1, head.to_vec())];
        prop_assert_ne!(key(&two), key(&[Call::Framed(1, content.clone())]));
        prop_assert_eq!(key(&two) == key(&swapped), head == tail);
    }

    #[test]
    fn k15_a_borrowed_key_is_its_owned_one_and_no_other(
        a in vec(call(), 0..6),
        b in vec(call(), 0..6),
    ) {
        let (a, b) = (encode(&a), encode(&b));
        let equal = a.as_bytes() == b.as_bytes();
        let (a, b) = (a.finish(), b.finish());
        prop_assert!(a.matches(&a.to_key()));
        prop_assert_eq!(a.hash(), a.to_key().hash());
        prop_assert_eq!(a.matches(&b.to_key()), equal);
        prop_assert_eq!(a.to_key() == b.to_key(), equal);
        prop_assert_eq!(a.to_key().clone() == a.to_key(), true);
    }

    #[test]
    fn k15_every_byte_counts_at_every_length(
        len in 1usize..1500,
        at: prop::sample::Index,
        bit in 0..8u32,
    ) {
        let bytes = vec![0; len];
        let mut changed = bytes.clone();
        changed[at.index(len)] ^= 1 << bit;
        let raw = |bytes: &[u8]| {
            let mut encoder = Encoder::new();
            encoder.raw(bytes);
            encoder.finish().to_key()
        };
        prop_assert_eq!(raw(&bytes), raw(&bytes));
        prop_assert_ne!(raw(&bytes), raw(&changed));
        prop_assert_ne!(raw(&bytes), raw(&bytes[1..]));
    }

    #[test]
    fn k1_writes_add_up_whatever_their_sizes(
        sizes in vec(prop_oneof![0usize..40, 200usize..700], 0..12),
        keep: prop::sample::Index,
    ) {
        let mut encoder = Encoder::new();
        let mut expected: Vec<u8> = Vec::new();
        for (n, size) in sizes.into_iter().enumerate() {
            let piece: Vec<u8> = (0..size).map(|i| (i + n) as u8).collect();
            encoder.raw(&piece);
            expected.extend(&piece);
            prop_assert_eq!(encoder.as_bytes(), &expected[..]);
            prop_assert_eq!(encoder.len(), expected.len());
        }
        let clone = encoder.clone();
        prop_assert_eq!(clone.as_bytes(), &expected[..]);
        let len = keep.index(expected.len() + 1);
        encoder.truncate(len);
        expected.truncate(len);
        prop_assert_eq!(encoder.as_bytes(), &expected[..]);
        encoder.raw(b"tail");
        expected.extend(b"tail");
        prop_assert_eq!(encoder.as_bytes(), &expected[..]);
        encoder.clear();
        prop_assert!(encoder.is_empty());
        encoder.raw(b"again");
        prop_assert_eq!(encoder.as_bytes(), b"again");
    }
}

#[test]
fn k1_every_tag_is_another_key_bare_and_framed() {
    let mut keys: Vec<(Vec<u8>, Call)> = Vec::new();
    for tag in 0..=u8::MAX {
        for call in [
            Call::Tag(tag),
            Call::Framed(tag, vec![]),
            Call::Framed(tag, vec![0]),
        ] {
            keys.push((
                encode(std::slice::from_ref(&call)).as_bytes().to_vec(),
                call,
            ));
        }
    }
    for (n, (bytes, call)) in keys.iter().enumerate() {
        for (other_bytes, other) in &keys[n + 1..] {
            assert_ne!(bytes, other_bytes, "{call:?} and {other:?}");
            assert!(!bytes.starts_with(other_bytes) && !other_bytes.starts_with(bytes));
        }
    }
}

#[test]
fn k15_a_digest_made_elsewhere_gives_the_same_key() {
    for len in [241, 4096, 4097, 100_000] {
        let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let mut hasher = Hasher128::new();
        content.chunks(1000).for_each(|piece| hasher.update(piece));
        let mut elsewhere = Encoder::new();
        elsewhere.framed_digest(9, len as u64, hasher.finish());
        assert!(
            elsewhere
                .finish()
                .matches(&key(&[Call::Framed(9, content)]))
        );
    }
}

#[test]
#[should_panic(expected = "no digested form")]
fn k1_a_short_content_has_one_form_only() {
    Encoder::new().framed_digest(1, Encoder::FRAME_MAX as u64, 0);
}

#[test]
fn k1_types_that_are_hash_write_themselves() {
    fn key(value: &impl Hash) -> Key {
        let mut encoder = Encoder::new();
        value.hash(&mut encoder);
        encoder.finish().to_key()
    }
    let long = "x".repeat(5000);
    assert_eq!(key(&(long.as_str(), 1)), key(&(long.clone(), 1)));
    assert_ne!(key(&(long.as_str(), 1)), key(&(long.as_str(), 2)));
    assert_ne!(key(&(&long[1..], 1)), key(&(&long[..], 1)));
    assert_ne!(key(&("ab", "c")), key(&("a", "bc")));
    assert_ne!(key(&("ab", "")), key(&("a", "b")));
    assert_ne!(key(&vec![vec![1u8], vec![]]), key(&vec![vec![], vec![1u8]]));
    assert_ne!(key(&Some(0u8)), key(&None::<u8>));
    assert_ne!(key(&vec![0u64; 1000]), key(&vec![0u64; 1001]));
    let mut encoder = Encoder::new();
    (1u32, "a").hash(&mut encoder);
    assert_eq!(Hasher::finish(&encoder), encoder.finish().hash());
}

#[test]
fn k15_a_key_is_small_and_shows_nothing() {
    assert_eq!(size_of::<Key>(), 24);
    let secret = key(&[Call::Framed(1, b"password".to_vec())]);
    for shown in [
        format!("{secret:?}"),
        format!("{:?}", encode(&[Call::Framed(1, b"password".to_vec())])),
    ] {
        assert!(!shown.contains("pass") && !shown.contains("112"), "{shown}");
    }
}
