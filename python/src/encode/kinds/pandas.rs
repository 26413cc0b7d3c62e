//! pandas frames, series, indexes, arrays and scalars.
//!
//! A frame is its index, its columns one after the other, and what is attached to it. How pandas
//! puts columns together into blocks makes no difference; columns of plain numbers are read where
//! they lie in their block. Objects are keyed by what they contain (K6).
#![allow(unsafe_code)]

use super::numpy::{is_array, plain_layout};
use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::stream::Stream;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::data::DETACH;
use crate::encode::walk::{Form, Walk};
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Frame,
    Series,
    Index,
    MultiIndex,
    RangeIndex,
    Array,
    Dtype,
    Timestamp,
    Timedelta,
    Period,
    Interval,
    Missing,
}

/// pandas moves its classes between modules, so only their names and the package count.
pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    let name = name.strip_prefix("pandas.")?.rsplit('.').next()?;
    Some(match name {
        "DataFrame" => &Kind::Frame,
        "Series" => &Kind::Series,
        "Index" => &Kind::Index,
        "MultiIndex" => &Kind::MultiIndex,
        "RangeIndex" => &Kind::RangeIndex,
        "ExtensionArray" => &Kind::Array,
        "ExtensionDtype" => &Kind::Dtype,
        "Timestamp" => &Kind::Timestamp,
        "Timedelta" => &Kind::Timedelta,
        "Period" => &Kind::Period,
        "Interval" => &Kind::Interval,
        "NaTType" | "NAType" => &Kind::Missing,
        _ => return None,
    })
}

/// Blocks with at most this many columns that lie row by row are read in one pass.
const PASS_COLUMNS: usize = 256;

/// A block of a frame.
struct Block<'py> {
    values: Bound<'py, PyAny>,
    /// Where its columns stand in the frame.
    places: Vec<usize>,
    two_dimensional: bool,
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.pandas(*self, value, info)
    }

    fn covers_derived(&self) -> bool {
        true
    }

    fn keeps(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Frame | Self::Series => Some(&[
                "_mgr",
                "_attrs",
                "_flags",
                "_name",
                "_cache",
                "_cacher",
                "_item_cache",
                "_is_copy",
            ]),
            _ => None,
        }
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes something of pandas's.
    fn pandas(&mut self, kind: Kind, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        let tag = match kind {
            Kind::Frame => tags::FRAME,
            Kind::Series => tags::SERIES,
            Kind::Index | Kind::MultiIndex | Kind::RangeIndex => tags::INDEX,
            Kind::Array => tags::COLUMN,
            Kind::Dtype => tags::DTYPE,
            _ => tags::SCALAR,
        };
        self.enc.tag(tag);
        self.class_of_value(value, info)?;
        match kind {
            Kind::Frame => self.frame(value),
            Kind::Series => {
                self.value(value.getattr("name")?.as_ptr())?;
                self.parts(value, &["index"])?;
                self.attached(value)?;
                self.column(&value.getattr("_values")?)
            }
            Kind::Index => {
                let names = value.getattr("names")?.try_iter()?;
                let names = PyList::new(self.py, names.collect::<PyResult<Vec<_>>>()?)?;
                self.own(names.as_ptr())?;
                match value.getattr_opt("freqstr")? {
                    Some(freq) => self.inner(&freq)?,
                    None => self.enc.tag(tags::ABSENT),
                }
                self.column(&value.getattr("_values")?)
            }
            Kind::RangeIndex => {
                self.value(value.getattr("name")?.as_ptr())?;
                self.range(&value.getattr("_range")?)
            }
            Kind::MultiIndex => {
                // Which values its levels hold besides those that occur makes no difference.
                let levels: usize = value.getattr("nlevels")?.extract()?;
                for at in 0..levels {
                    let level = value.call_method1("get_level_values", (at,))?;
                    self.own(level.as_ptr())
                        .map_err(|fault| fault.at(class_of(value), format!("its level {at}")))?;
                }
                self.enc.tag(tags::END);
                Ok(())
            }
            Kind::Array => self.extension(value, info),
            Kind::Dtype => self.extension_dtype(value, info),
            Kind::Timestamp | Kind::Timedelta => {
                let nanos = match value.getattr_opt("_value")? {
                    Some(nanos) => nanos,
                    None => value.getattr("value")?,
                };
                self.inner(&nanos)?;
                for name in ["unit", "tz", "fold"] {
                    match value.getattr_opt(name)? {
                        Some(part) => self.own(part.as_ptr())?,
                        None => self.enc.tag(tags::ABSENT),
                    }
                }
                Ok(())
            }
            Kind::Period => self.parts(value, &["ordinal", "freqstr"]),
            Kind::Interval => self.parts(value, &["left", "right", "closed"]),
            Kind::Missing => Ok(()),
        }
    }

    fn parts(&mut self, value: &Bound<'py, PyAny>, names: &[&str]) -> Outcome {
        for name in names {
            self.own(value.getattr(*name)?.as_ptr())
                .map_err(|fault| fault.at(class_of(value), format!("its {name}")))?;
        }
        Ok(())
    }

    /// Writes what is attached to a frame or series: `attrs`, flags, and what a derived class
    /// says it carries along.
    fn attached(&mut self, value: &Bound<'py, PyAny>) -> Outcome {
        match value.getattr_opt("attrs")? {
            Some(attrs) => self
                .own(attrs.as_ptr())
                .map_err(|fault| fault.at(class_of(value), "its attrs".to_owned()))?,
            None => self.enc.tag(tags::ABSENT),
        }
        match value.getattr_opt("flags")? {
            Some(flags) => self.inner(&flags.getattr("allows_duplicate_labels")?)?,
            None => self.enc.tag(tags::ABSENT),
        }
        if let Some(names) = value.getattr_opt("_metadata")? {
            for name in names.try_iter()? {
                let name = name?.str()?;
                let text = name.to_string_lossy();
                if text.trim_start_matches('_') == "name" {
                    continue;
                }
                if let Some(part) = value.getattr_opt(&name)? {
                    self.inner(name.as_any())?;
                    self.value(part.as_ptr())
                        .map_err(|fault| fault.at(class_of(value), format!("its {text}")))?;
                }
            }
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    fn frame(&mut self, frame: &Bound<'py, PyAny>) -> Outcome {
        let columns = frame.getattr("columns")?;
        self.own(columns.as_ptr())
            .map_err(|fault| fault.at(class_of(frame), "its columns".to_owned()))?;
        self.own(frame.getattr("index")?.as_ptr())
            .map_err(|fault| fault.at(class_of(frame), "its index".to_owned()))?;
        self.attached(frame)?;
        let count = columns.len()?;
        let inside = |fault: Box<Fault>, at: usize| {
            let name = columns
                .get_item(at)
                .and_then(|name| name.repr())
                .map_or_else(|_| at.to_string(), |name| name.to_string());
            fault.at(class_of(frame), format!("its column {name}"))
        };
        let mut piece = self.enc.len();
        match blocks(frame, count) {
            Some(blocks) => {
                // Where each column is: its block and its row there.
                let mut places = vec![(0, 0); count];
                for (at, block) in blocks.iter().enumerate() {
                    for (row, &place) in block.places.iter().enumerate() {
                        places[place] = (at, row);
                    }
                }
                let mut read: Vec<Option<Vec<Option<Stream>>>> = blocks
                    .iter()
                    .map(|block| self.read_by_row(&block.values))
                    .collect();
                for (at, (block, row)) in places.into_iter().enumerate() {
                    let stream = read[block].as_mut().and_then(|read| read[row].take());
                    self.block_column(&blocks[block], row, stream)
                        .map_err(|fault| inside(fault, at))?;
                    piece = self.piece(piece);
                }
            }
            None => {
                let rows = frame.getattr("iloc")?;
                let all = PySlice::full(self.py);
                for at in 0..count {
                    let column = rows.get_item((&all, at))?;
                    self.column(&column.getattr("_values")?)
                        .map_err(|fault| inside(fault, at))?;
                    piece = self.piece(piece);
                }
            }
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes one column of a block; its content, if it was read before.
    fn block_column(&mut self, block: &Block<'py>, row: usize, read: Option<Stream>) -> Outcome {
        let values = &block.values;
        if !block.two_dimensional {
            return self.column(values);
        }
        if let Some((plain, layout)) = is_array(values).then(|| plain_layout(values)).flatten()
            && plain.used == plain.item
        {
            let [kind, order, item] = plain.id();
            self.enc.raw(&[tags::NDARRAY, kind, order, item]);
            self.shape(&layout.shape[1..]);
            match read {
                Some(stream) => stream.finish(self.enc, tags::DATA),
                None => {
                    let column = layout.part(row, 0, layout.shape[1]);
                    // SAFETY: the block holds its data.
                    unsafe { self.strided(&column, plain.used) };
                }
            }
            return Ok(());
        }
        self.column(&values.get_item(row)?)
    }

    /// Reads all columns of a large block whose rows lie one after the other in one pass.
    fn read_by_row(&mut self, values: &Bound<'py, PyAny>) -> Option<Vec<Option<Stream>>> {
        if !is_array(values) {
            return None;
        }
        let (plain, layout) = plain_layout(values)?;
        let [columns, rows] = layout.shape[..] else {
            return None;
        };
        let by_row = layout.strides[0].unsigned_abs() < layout.strides[1].unsigned_abs();
        if !by_row
            || plain.used != plain.item
            || !(2..=PASS_COLUMNS).contains(&columns)
            || layout.bytes() < DETACH
        {
            return None;
        }
        let digests = self.enc.digests();
        let mut streams: Vec<Stream> = (0..columns).map(|_| Stream::new(digests)).collect();
        let tile = ((1 << 18) / (columns * layout.item)).clamp(64, 2048);
        self.digested += layout.bytes() as u64;
        self.py.detach(|| {
            for from in (0..rows).step_by(tile) {
                for (at, stream) in streams.iter_mut().enumerate() {
                    let part = layout.part(at, from, tile.min(rows - from));
                    // SAFETY: the block holds its data.
                    unsafe { part.push_all(stream, part.item) };
                }
            }
        });
        Some(streams.into_iter().map(Some).collect())
    }

    /// Writes the values of a column or an index: an array of NumPy's or of an extension.
    fn column(&mut self, values: &Bound<'py, PyAny>) -> Outcome {
        self.own(values.as_ptr())
    }

    /// Writes an extension array.
    fn extension(&mut self, array: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        // What others derive may keep more than its parts say.
        if !class_of(array).starts_with("pandas.") {
            return self.reduce(array, info);
        }
        let dtype = array.getattr("dtype")?;
        self.own(dtype.as_ptr())
            .map_err(|fault| fault.at(class_of(array), "its dtype".to_owned()))?;
        let part = |name: &str| array.getattr_opt(name);
        if let Some(data) = part("_pa_array")?
            && data.hasattr("__arrow_c_stream__")?
        {
            return self.stream(&data, true);
        }
        if let (Some(data), Some(mask)) = (part("_data")?, part("_mask")?)
            && is_array(&data)
            && is_array(&mask)
        {
            // What lies under the mask is no content.
            let mut data = data;
            if mask.call_method0("any")?.is_truthy()? {
                data = data.call_method0("copy")?;
                data.set_item(&mask, 0)?;
            }
            self.own(mask.as_ptr())?;
            return self.own(data.as_ptr());
        }
        if part("categories")?.is_some() {
            return self.own(array.getattr("codes")?.as_ptr());
        }
        if let Some(data) = part("_ndarray")?
            && is_array(&data)
        {
            return self.own(data.as_ptr());
        }
        if let (Some(left), Some(right)) = (part("_left")?, part("_right")?) {
            self.own(left.as_ptr())?;
            return self.own(right.as_ptr());
        }
        if let (Some(values), Some(index)) = (part("sp_values")?, part("sp_index")?) {
            let index = index.call_method0("to_int_index")?;
            self.own(index.getattr("indices")?.as_ptr())?;
            self.own(index.getattr("length")?.as_ptr())?;
            self.own(array.getattr("fill_value")?.as_ptr())?;
            return self.own(values.as_ptr());
        }
        self.reduce(array, info)
    }

    fn extension_dtype(&mut self, dtype: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        if !class_of(dtype).starts_with("pandas.") {
            return self.reduce(dtype, info);
        }
        self.inner(dtype.str()?.as_any())?;
        for name in [
            "categories",
            "ordered",
            "storage",
            "na_value",
            "pyarrow_dtype",
            "fill_value",
            "closed",
            "subtype",
            "tz",
        ] {
            match dtype.getattr_opt(name)? {
                Some(part) => self
                    .own(part.as_ptr())
                    .map_err(|fault| fault.at(class_of(dtype), format!("its {name}")))?,
                None => self.enc.tag(tags::ABSENT),
            }
        }
        Ok(())
    }
}

/// The blocks of a frame, if they can be told to make up all of it.
fn blocks<'py>(frame: &Bound<'py, PyAny>, count: usize) -> Option<Vec<Block<'py>>> {
    let read = || -> PyResult<Vec<Block<'py>>> {
        let mut blocks = Vec::new();
        for block in frame.getattr("_mgr")?.getattr("blocks")?.try_iter()? {
            let block = block?;
            let values = block.getattr("values")?;
            let places = block.getattr("mgr_locs")?.getattr("as_array")?;
            let dimensions: usize = values.getattr("ndim")?.extract()?;
            blocks.push(Block {
                two_dimensional: dimensions == 2,
                values,
                places: places.call_method0("tolist")?.extract()?,
            });
        }
        Ok(blocks)
    };
    let blocks = read().ok()?;
    let mut seen = vec![false; count];
    for block in &blocks {
        if !block.two_dimensional && block.places.len() != 1 {
            return None;
        }
        for &place in &block.places {
            if std::mem::replace(seen.get_mut(place)?, true) {
                return None;
            }
        }
    }
    seen.into_iter().all(|seen| seen).then_some(blocks)
}
