//! The content of Arrow columns, put together from chunks.
//!
//! A column is written the same whichever way its chunks were cut: lengths, not offsets, are
//! written; bits are lined up anew; what lies under a null counts as zeros or nothing; values of
//! dictionaries are numbered in the order in which they are first met. Runs of data that are
//! already in that form are digested where they lie.
#![allow(unsafe_code)]

use super::bits::{Bits, Mask};
use super::c_data::{Array, Schema};
use super::dictionaries::{Dictionary, Index, Known};
use super::runs::{Offsets, each_run, fixed, push_views, zeros};
use crate::encode::stream::Stream;
use crate::encode::tags;
use tenure::Encoder;
use tenure::front::Digests;

/// The content that a column has been found to have so far.
pub(super) struct Column {
    len: u64,
    valid: Bits,
    values: Values,
}

enum Values {
    Null,
    /// Items of one size.
    Fixed {
        size: usize,
        data: Stream,
    },
    Bool(Bits),
    /// Strings or bytes with offsets of 4 or 8 bytes.
    Bytes {
        wide: bool,
        lens: Stream,
        data: Stream,
    },
    /// Strings or bytes behind views of 16 bytes.
    Views {
        views: Stream,
        data: Stream,
    },
    /// Lists with offsets of 4 or 8 bytes, or with offsets and lengths.
    List {
        wide: bool,
        lengths: bool,
        lens: Stream,
        items: Box<Column>,
    },
    FixedList {
        size: usize,
        items: Box<Column>,
    },
    Struct(Vec<Column>),
    Dictionary {
        index: Index,
        known: Box<Known>,
    },
    /// Values of one of several types. Dense ones have offsets.
    Union {
        dense: bool,
        ids: Vec<i8>,
        kinds: Stream,
        members: Vec<Column>,
    },
    /// Values with the row before which the next one begins.
    Runs {
        wide: u8,
        lens: Stream,
        values: Box<Column>,
    },
}

impl Column {
    /// A column of this type without values; the format, if it is not known.
    pub(super) fn new(schema: &Schema, whole: bool, digests: Digests) -> Result<Self, String> {
        Ok(Self {
            len: 0,
            valid: Bits::new(digests),
            values: Values::new(schema, whole, digests)?,
        })
    }

    /// Adds the values of an array.
    ///
    /// # Safety
    ///
    /// The array was handed out with this schema, the one that the column was made for.
    pub(super) unsafe fn append(&mut self, schema: &Schema, array: &Array) {
        // SAFETY: the caller's promise.
        unsafe { self.extend(schema, array, 0, array.length as usize, None) }
    }

    /// Adds `len` values of an array from `from` on. A mask says which of them are under a null
    /// of something around them.
    pub(super) unsafe fn extend(
        &mut self,
        schema: &Schema,
        array: &Array,
        from: usize,
        len: usize,
        outer: Option<&Mask>,
    ) {
        if len == 0 {
            return;
        }
        self.len += len as u64;
        let start = array.offset as usize + from;
        let own = if self.values.has_validity() && array.null_count != 0 {
            // SAFETY: the first buffer of such a type is NULL or a bit for each value.
            unsafe { Mask::of_bits(array.buffer(0), start, len) }
        } else {
            None
        };
        let mask = match (own, outer) {
            (Some(own), Some(outer)) => Some(own.and(outer)),
            (Some(own), None) => Some(own),
            (None, Some(outer)) => Some(outer.clone()),
            (None, None) => None,
        };
        let mask = mask.filter(|mask| !mask.is_full());
        match &mask {
            None => self.valid.push_ones(len),
            Some(mask) => self.valid.push_mask(mask),
        }
        // SAFETY: the caller's promise.
        unsafe { self.values.extend(schema, array, start, len, mask.as_ref()) };
    }

    /// Writes the column. Gives the number of bytes that were read for it.
    pub(super) fn finish(self, enc: &mut Encoder) -> u64 {
        enc.tag(tags::COLUMN);
        enc.raw(&self.len.to_le_bytes());
        let mut read = 0;
        if self.valid.is_full() {
            enc.tag(tags::ABSENT);
        } else {
            read += self.valid.finish(enc, tags::NULLS);
        }
        read + self.values.finish(enc)
    }
}

/// Writes some of an array's values, from one on, as a column of their own.
unsafe fn part(
    enc: &mut Encoder,
    schema: &Schema,
    array: &Array,
    from: usize,
    len: usize,
    whole: bool,
) {
    if let Ok(mut column) = Column::new(schema, whole, enc.digests()) {
        // SAFETY: the array was handed out with this schema.
        unsafe { column.extend(schema, array, from, len, None) };
        column.finish(enc);
    }
}

impl Values {
    fn new(schema: &Schema, whole: bool, digests: Digests) -> Result<Self, String> {
        let format = schema.format();
        if let Some(values) = schema.dictionary() {
            // The values' own type must be known too.
            Column::new(values, whole, digests)?;
            let (size, signed) = match format {
                b"c" => (1, true),
                b"C" => (1, false),
                b"s" => (2, true),
                b"S" => (2, false),
                b"i" => (4, true),
                b"I" => (4, false),
                b"l" => (8, true),
                b"L" => (8, false),
                _ => return Err(String::from_utf8_lossy(format).into_owned()),
            };
            return Ok(Self::Dictionary {
                index: Index { size, signed },
                known: Box::new(Known::new(whole, digests)),
            });
        }
        let items = || Column::new(schema.child(0), whole, digests).map(Box::new);
        let list = |wide, lengths| {
            Ok::<_, String>(Self::List {
                wide,
                lengths,
                lens: Stream::new(digests),
                items: items()?,
            })
        };
        let bytes = |wide| Self::Bytes {
            wide,
            lens: Stream::new(digests),
            data: Stream::new(digests),
        };
        Ok(match format {
            b"n" => Self::Null,
            b"b" => Self::Bool(Bits::new(digests)),
            b"z" | b"u" => bytes(false),
            b"Z" | b"U" => bytes(true),
            b"vz" | b"vu" => Self::Views {
                views: Stream::new(digests),
                data: Stream::new(digests),
            },
            b"+l" | b"+m" => list(false, false)?,
            b"+L" => list(true, false)?,
            b"+vl" => list(false, true)?,
            b"+vL" => list(true, true)?,
            b"+s" => Self::Struct(members(schema, whole, digests)?),
            b"+r" => Self::Runs {
                wide: match schema.child(0).format() {
                    b"s" => 2,
                    b"i" => 4,
                    _ => 8,
                },
                lens: Stream::new(digests),
                values: Box::new(Column::new(schema.child(1), whole, digests)?),
            },
            _ => {
                let unknown = || String::from_utf8_lossy(format).into_owned();
                if let Some(size) = format.strip_prefix(b"+w:") {
                    Self::FixedList {
                        size: number(size).ok_or_else(unknown)?,
                        items: items()?,
                    }
                } else if let Some(ids) = format
                    .strip_prefix(b"+ud:")
                    .or_else(|| format.strip_prefix(b"+us:"))
                {
                    Self::Union {
                        dense: format[2] == b'd',
                        ids: ids
                            .split(|&byte| byte == b',')
                            .map(|id| number(id).and_then(|id| i8::try_from(id).ok()))
                            .collect::<Option<_>>()
                            .ok_or_else(unknown)?,
                        kinds: Stream::new(digests),
                        members: members(schema, whole, digests)?,
                    }
                } else {
                    Self::Fixed {
                        size: item_size(format).ok_or_else(unknown)?,
                        data: Stream::new(digests),
                    }
                }
            }
        })
    }

    fn has_validity(&self) -> bool {
        !matches!(self, Self::Null | Self::Union { .. } | Self::Runs { .. })
    }

    /// Adds the values of an array from `start` on, which counts the array's own offset.
    unsafe fn extend(
        &mut self,
        schema: &Schema,
        array: &Array,
        start: usize,
        len: usize,
        mask: Option<&Mask>,
    ) {
        // SAFETY: the buffers of an array hold what its type says for as many values as it has,
        // from its offset on; children and dictionaries are arrays of the types that the schema
        // says. The caller vouches that array and schema belong together.
        unsafe {
            match self {
                Self::Null => {}
                Self::Fixed { size, data } => fixed(data, array.buffer(1), *size, start, len, mask),
                Self::Bool(bits) => bits.push_bits(array.buffer(1), start, len, mask),
                Self::Bytes { wide, lens, data } => {
                    let offsets = Offsets {
                        data: array.buffer(1),
                        wide: *wide,
                    };
                    let content = array.buffer(2);
                    each_run(mask, len, |from, count, valid| {
                        if !valid {
                            zeros(lens, count * 8);
                            return;
                        }
                        offsets.push_lens(lens, start + from, count);
                        let begin = offsets.get(start + from);
                        let end = offsets.get(start + from + count);
                        if end > begin {
                            data.push(std::slice::from_raw_parts(content.add(begin), end - begin));
                        }
                    });
                }
                Self::Views { views, data } => {
                    push_views(views, data, array, start, len, mask);
                }
                Self::List {
                    wide,
                    lengths,
                    lens,
                    items,
                } => {
                    let offsets = Offsets {
                        data: array.buffer(1),
                        wide: *wide,
                    };
                    let sizes = Offsets {
                        data: array.buffer(2),
                        wide: *wide,
                    };
                    each_run(mask, len, |from, count, valid| {
                        let from = start + from;
                        if !valid {
                            zeros(lens, count * 8);
                        } else if *lengths {
                            for row in from..from + count {
                                let size = sizes.get(row);
                                lens.push(&(size as u64).to_le_bytes());
                                items.extend(
                                    schema.child(0),
                                    array.child(0),
                                    offsets.get(row),
                                    size,
                                    None,
                                );
                            }
                        } else {
                            offsets.push_lens(lens, from, count);
                            let begin = offsets.get(from);
                            let size = offsets.get(from + count) - begin;
                            items.extend(schema.child(0), array.child(0), begin, size, None);
                        }
                    });
                }
                Self::FixedList { size, items } => {
                    let spread = mask.map(|mask| mask.spread(*size));
                    items.extend(
                        schema.child(0),
                        array.child(0),
                        start * *size,
                        len * *size,
                        spread.as_ref(),
                    );
                }
                Self::Struct(members) => {
                    for (at, member) in members.iter_mut().enumerate() {
                        member.extend(schema.child(at), array.child(at), start, len, mask);
                    }
                }
                Self::Dictionary { index, known } => {
                    let (Some(schema), Some(values)) = (schema.dictionary(), array.dictionary())
                    else {
                        return;
                    };
                    let dictionary = Dictionary {
                        schema,
                        values,
                        write: part,
                    };
                    known.extend(*index, dictionary, array.buffer(1), start, len, mask);
                }
                Self::Union {
                    dense,
                    ids,
                    kinds,
                    members,
                } => {
                    let types = array.buffer(0).cast::<i8>();
                    let offsets = array.buffer(1).cast::<i32>();
                    for row in start..start + len {
                        let id = *types.add(row);
                        kinds.push(&id.to_le_bytes());
                        let Some(at) = ids.iter().position(|&known| known == id) else {
                            continue;
                        };
                        let place = if *dense {
                            offsets.add(row).read_unaligned() as usize
                        } else {
                            row
                        };
                        members[at].extend(schema.child(at), array.child(at), place, 1, None);
                    }
                }
                Self::Runs { wide, lens, values } => {
                    let ends = array.child(0);
                    let data = ends.buffer(1);
                    let mut row = start;
                    for at in 0..ends.length as usize {
                        let at_end = ends.offset as usize + at;
                        let end = match *wide {
                            2 => data.cast::<i16>().add(at_end).read_unaligned() as usize,
                            4 => data.cast::<i32>().add(at_end).read_unaligned() as usize,
                            _ => data.cast::<i64>().add(at_end).read_unaligned() as usize,
                        };
                        if end <= row {
                            continue;
                        }
                        let until = end.min(start + len);
                        lens.push(&((until - row) as u64).to_le_bytes());
                        values.extend(schema.child(1), array.child(1), at, 1, None);
                        row = until;
                        if row == start + len {
                            break;
                        }
                    }
                }
            }
        }
    }

    fn finish(self, enc: &mut Encoder) -> u64 {
        fn end(enc: &mut Encoder, streams: Vec<Stream>) -> u64 {
            streams
                .into_iter()
                .map(|stream| {
                    let len = stream.len();
                    stream.finish(enc, tags::DATA);
                    len
                })
                .sum()
        }
        match self {
            Self::Null => 0,
            Self::Fixed { data, .. } => end(enc, vec![data]),
            Self::Bool(bits) => bits.finish(enc, tags::DATA),
            Self::Bytes { lens, data, .. } => end(enc, vec![lens, data]),
            Self::Views { views, data } => end(enc, vec![views, data]),
            Self::List { lens, items, .. } => end(enc, vec![lens]) + items.finish(enc),
            Self::FixedList { items, .. } => items.finish(enc),
            Self::Struct(members) => members.into_iter().map(|member| member.finish(enc)).sum(),
            Self::Dictionary { known, .. } => known.finish(enc),
            Self::Union { kinds, members, .. } => {
                end(enc, vec![kinds])
                    + members
                        .into_iter()
                        .map(|member| member.finish(enc))
                        .sum::<u64>()
            }
            Self::Runs { lens, values, .. } => end(enc, vec![lens]) + values.finish(enc),
        }
    }
}

fn members(schema: &Schema, whole: bool, digests: Digests) -> Result<Vec<Column>, String> {
    (0..schema.n_children as usize)
        .map(|at| Column::new(schema.child(at), whole, digests))
        .collect()
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The size of an item of a type with items of one size.
fn item_size(format: &[u8]) -> Option<usize> {
    if let Some(size) = format.strip_prefix(b"w:") {
        return number(size);
    }
    if let Some(decimal) = format.strip_prefix(b"d:") {
        let mut parts = decimal.split(|&byte| byte == b',');
        return match parts.nth(2) {
            None => Some(16),
            Some(bits) => number(bits).map(|bits| bits / 8),
        };
    }
    Some(match format {
        b"c" | b"C" => 1,
        b"s" | b"S" | b"e" => 2,
        b"i" | b"I" | b"f" | b"tdD" | b"tts" | b"ttm" | b"tiM" => 4,
        b"l" | b"L" | b"g" | b"tdm" | b"ttu" | b"ttn" | b"tiD" => 8,
        b"tin" => 16,
        [b't', b's' | b'D', ..] => 8,
        _ => return None,
    })
}
