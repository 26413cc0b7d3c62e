//! Arrow data through the C data interface: pyarrow, Polars, and pandas columns on Arrow.
//!
//! A column is its type and its values. Where its chunks end, where in a buffer it begins and
//! what lies under a null make no difference ([`columns`]). The objects that hand
//! out the data are asked for it only if their class is known to hand it out without being used
//! up.
#![allow(unsafe_code)]

mod bits;
mod c_data;
mod columns;
mod dictionaries;
mod runs;

use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use c_data::{Array, Schema, text};
use columns::Column;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::ffi::{CStr, c_char, c_int, c_void};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A pyarrow object that hands out a stream.
    Stream,
    /// A pyarrow object that hands out one array.
    Array,
    /// A pyarrow type, field or schema.
    Schema,
    /// A pyarrow buffer.
    Buffer,
    PolarsFrame,
    PolarsSeries,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "pyarrow.lib.Table" | "pyarrow.lib.ChunkedArray" => &Kind::Stream,
        "pyarrow.lib.RecordBatch" | "pyarrow.lib.Array" => &Kind::Array,
        "pyarrow.lib.DataType" | "pyarrow.lib.Field" | "pyarrow.lib.Schema" => &Kind::Schema,
        "pyarrow.lib.Buffer" => &Kind::Buffer,
        "polars.dataframe.frame.DataFrame" => &Kind::PolarsFrame,
        "polars.series.series.Series" => &Kind::PolarsSeries,
        _ => return None,
    })
}

/// `struct ArrowArrayStream` of the C stream interface.
#[repr(C)]
struct ArrayStream {
    get_schema: Option<unsafe extern "C" fn(*mut ArrayStream, *mut Schema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut ArrayStream, *mut Array) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut ArrayStream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut ArrayStream)>,
    private_data: *mut c_void,
}

impl Drop for ArrayStream {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: as above.
            unsafe { release(self) }
        }
    }
}

/// Arrays that were handed out, in their order, read on whichever thread.
struct Chunks(Vec<Array>);

// SAFETY: the data of the arrays does not change, and they are released on the thread that got
// them.
unsafe impl Sync for Chunks {}

struct SchemaRef<'a>(&'a Schema);

// SAFETY: a schema does not change.
unsafe impl Sync for SchemaRef<'_> {}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.arrow(*self, value, info)
    }

    fn holds(&self) -> bool {
        false
    }

    fn covers_derived(&self) -> bool {
        true
    }

    fn keeps(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::PolarsFrame => Some(&["_df"]),
            Self::PolarsSeries => Some(&["_s"]),
            _ => None,
        }
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes something that hands out Arrow data.
    fn arrow(&mut self, kind: Kind, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        self.enc.tag(tags::ARROW);
        self.class_of_value(value, info)?;
        let failed = |error| Fault::raised(value.py(), class_of(value), "cannot be read", error);
        match kind {
            Kind::Stream => self.stream(value, true),
            Kind::Array => {
                let pair = value
                    .call_method0("__arrow_c_array__")
                    .and_then(|pair| Ok(pair.cast_into::<PyTuple>()?))
                    .map_err(failed)?;
                // SAFETY: the capsules are of the kinds that the interface fixes; what they hold
                // is taken over, and marked as taken.
                let (schema, array) = unsafe {
                    (
                        take(&pair.get_item(0)?, c"arrow_schema", Schema::empty())?,
                        take(&pair.get_item(1)?, c"arrow_array", Array::empty())?,
                    )
                };
                self.columns(value, &schema, Chunks(vec![array]), true)
            }
            Kind::Schema => {
                let capsule = value.call_method0("__arrow_c_schema__").map_err(failed)?;
                // SAFETY: as above.
                let schema = unsafe { take(&capsule, c"arrow_schema", Schema::empty())? };
                self.schema(&schema);
                Ok(())
            }
            Kind::Buffer => {
                let view = self
                    .py
                    .get_type::<pyo3::types::PyMemoryView>()
                    .call1((value,))?;
                self.own(view.as_ptr())
            }
            Kind::PolarsFrame => self.polars_frame(value),
            Kind::PolarsSeries => {
                self.inner(&value.getattr("name")?)?;
                self.polars_series(value)
            }
        }
    }

    /// Writes the columns of a Polars frame, each by itself: some may hold Python objects.
    fn polars_frame(&mut self, frame: &Bound<'py, PyAny>) -> Outcome {
        self.inner(&frame.getattr("height")?)?;
        for series in frame.call_method0("get_columns")?.try_iter()? {
            let series = series?;
            let name = series.getattr("name")?;
            self.inner(&name)?;
            self.polars_series(&series)
                .map_err(|fault| fault.at(class_of(frame), format!("its column {name}")))?;
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    fn polars_series(&mut self, series: &Bound<'py, PyAny>) -> Outcome {
        // Where objects stand inside other types, no data is handed out.
        if class_of(&series.getattr("dtype")?) == "polars.datatypes.classes.Object" {
            self.enc.framed(tags::DTYPE, b"Object");
            let list = series.call_method0("to_list")?;
            return self.own(list.as_ptr());
        }
        // Which categories there are besides those that occur may depend on other columns of the
        // process, so only those that occur count.
        self.stream(series, false)
    }

    /// Writes what an object streams. `whole`: the values that dictionaries hold and that do not
    /// occur count too.
    pub(super) fn stream(&mut self, value: &Bound<'py, PyAny>, whole: bool) -> Outcome {
        let failed = |error| Fault::raised(value.py(), class_of(value), "cannot be read", error);
        let capsule = value.call_method0("__arrow_c_stream__").map_err(failed)?;
        let empty = ArrayStream {
            get_schema: None,
            get_next: None,
            get_last_error: None,
            release: None,
            private_data: std::ptr::null_mut(),
        };
        // SAFETY: the capsule is of the kind that the interface fixes.
        let mut stream = unsafe { take(&capsule, c"arrow_array_stream", empty)? };
        let (Some(get_schema), Some(get_next)) = (stream.get_schema, stream.get_next) else {
            return Err(Fault::no_key(class_of(value), "gave an empty stream"));
        };
        let mut schema = Schema::empty();
        // SAFETY: the stream was taken over and is alive, and fills in what it is given.
        if unsafe { get_schema(&mut stream, &mut schema) } != 0 {
            return Err(Fault::no_key(class_of(value), stream_error(&mut stream)));
        }
        let mut chunks = Vec::new();
        loop {
            let mut array = Array::empty();
            // SAFETY: as above.
            if unsafe { get_next(&mut stream, &mut array) } != 0 {
                return Err(Fault::no_key(class_of(value), stream_error(&mut stream)));
            }
            // A stream ends with an array that is released already.
            if array.release.is_none() {
                break;
            }
            chunks.push(array);
        }
        self.columns(value, &schema, Chunks(chunks), whole)
    }

    /// Writes the type of arrays and what they hold together.
    fn columns(
        &mut self,
        value: &Bound<'py, PyAny>,
        schema: &Schema,
        chunks: Chunks,
        whole: bool,
    ) -> Outcome {
        self.schema(schema);
        let mut column = Column::new(schema, whole, self.enc.digests()).map_err(|format| {
            Fault::no_key(
                class_of(value),
                format!("has the Arrow format {format}, which is not known"),
            )
        })?;
        let rows: i64 = chunks.0.iter().map(|chunk| chunk.length).sum();
        let mut read = || {
            let (schema, chunks) = (&SchemaRef(schema), &chunks);
            for chunk in &chunks.0 {
                // SAFETY: the arrays were handed out with this schema and are held.
                unsafe { column.append(schema.0, chunk) };
            }
        };
        if rows < 1 << 12 {
            read();
        } else {
            let mut read = Detached(&mut read);
            self.py.detach(move || read.run());
        }
        self.digested += column.finish(self.enc);
        Ok(())
    }

    /// Writes a type: its format, name, flags, metadata and the types inside it.
    fn schema(&mut self, schema: &Schema) {
        self.enc.framed(tags::FIELD, schema.format());
        self.enc.framed(tags::NAME, text(schema.name));
        self.enc.raw(&schema.flags.to_le_bytes());
        self.enc.framed(tags::NAME, metadata(schema));
        for at in 0..schema.n_children as usize {
            self.schema(schema.child(at));
        }
        if let Some(values) = schema.dictionary() {
            self.schema(values);
        }
        self.enc.tag(tags::END);
    }
}

/// A closure that is run on this thread without the interpreter.
struct Detached<'a>(&'a mut dyn FnMut());

// SAFETY: `detach` runs its closure on the calling thread.
unsafe impl Send for Detached<'_> {}

impl Detached<'_> {
    fn run(&mut self) {
        (self.0)();
    }
}

/// The bytes of a schema's metadata, as they are handed out.
fn metadata(schema: &Schema) -> &[u8] {
    if schema.metadata.is_null() {
        return &[];
    }
    let start = schema.metadata.cast::<u8>();
    // SAFETY: metadata are a count, and for each pair two texts with their lengths.
    unsafe {
        let number = |at: usize| start.add(at).cast::<i32>().read_unaligned() as usize;
        let mut end = 4;
        for _ in 0..2 * number(0) {
            end += 4 + number(end);
        }
        std::slice::from_raw_parts(start, end)
    }
}

/// Takes what a capsule holds over, and leaves something that is marked as released.
///
/// # Safety
///
/// A capsule of this name holds a `T`, and `empty` is one that needs no release.
unsafe fn take<T>(capsule: &Bound<'_, PyAny>, name: &CStr, empty: T) -> PyResult<T> {
    // SAFETY: the capsule lives; the pointer is checked against the name.
    unsafe {
        let held = ffi::PyCapsule_GetPointer(capsule.as_ptr(), name.as_ptr()).cast::<T>();
        if held.is_null() {
            return Err(PyErr::fetch(capsule.py()));
        }
        Ok(std::mem::replace(&mut *held, empty))
    }
}

fn stream_error(stream: &mut ArrayStream) -> String {
    let reason = stream.get_last_error.map(|ask| {
        // SAFETY: the stream is alive, and its answer lives until it is used again.
        let answer = unsafe { ask(stream) };
        String::from_utf8_lossy(text(answer)).into_owned()
    });
    match reason {
        Some(reason) if !reason.is_empty() => format!("cannot be read ({reason})"),
        _ => "cannot be read".to_owned(),
    }
}
