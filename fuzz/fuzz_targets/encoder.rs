//! K1, K15: two sequences of calls are one key only where they are one sequence, keys agree with
//! their borrowed forms, and a digest does not depend on how its input was cut.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tenure::front::{Hasher128, keyed};
use tenure::Encoder;

#[derive(Arbitrary, Debug, PartialEq)]
enum Call {
    Tag(u8),
    Framed(u8, Vec<u8>),
    /// A content longer than its bytes here, so that digested frames come up often.
    Repeated(u8, u8, u16),
}

#[derive(Arbitrary, Debug)]
struct Input {
    one: Vec<Call>,
    other: Vec<Call>,
    cuts: Vec<u16>,
}

/// The calls as the encoder sees them: a repeated content is a content like others.
fn seen(calls: &[Call]) -> Vec<(u8, Option<Vec<u8>>)> {
    calls
        .iter()
        .map(|call| match call {
            Call::Tag(tag) => (*tag, None),
            Call::Framed(tag, content) => (*tag, Some(content.clone())),
            Call::Repeated(tag, byte, len) => (*tag, Some(vec![*byte; usize::from(*len)])),
        })
        .collect()
}

fn encode(calls: &[(u8, Option<Vec<u8>>)]) -> Encoder {
    let mut encoder = Encoder::new();
    for (tag, content) in calls {
        match content {
            None => encoder.tag(*tag),
            Some(content) => encoder.framed(*tag, content),
        }
    }
    encoder
}

fuzz_target!(|input: Input| {
    let (one, other) = (seen(&input.one), seen(&input.other));
    let (a, b) = (encode(&one), encode(&other));
    let equal = one == other;
    assert_eq!(a.as_bytes() == b.as_bytes(), equal);

    let (a, b) = (a.finish(), b.finish());
    let (key_a, key_b) = (a.to_key(), b.to_key());
    assert_eq!(key_a == key_b, equal);
    assert_eq!(a.matches(&key_b), equal);
    assert!(a.matches(&key_a) && b.matches(&key_b));
    assert_eq!((a.hash(), b.hash()), (key_a.hash(), key_b.hash()));

    for content in one.iter().filter_map(|(_, content)| content.as_ref()) {
        let mut hasher = Hasher128::new();
        let mut rest = &content[..];
        for cut in &input.cuts {
            let (head, tail) = rest.split_at(rest.len().min(usize::from(*cut)));
            hasher.update(head);
            rest = tail;
        }
        hasher.update(rest);
        assert_eq!(hasher.finish(), keyed(content));
    }
});
