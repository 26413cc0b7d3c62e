//! The tags of the encoding, one for each kind of thing that an argument can hold.
//!
//! Every value begins with its own tag, and either has a fixed length, or a length, or ends with
//! [`END`], which no value begins with. So an encoding can be read back in one way only (K1, K2).
//! All tags are below 127, where one byte holds a tag.

macro_rules! tags {
    ($($name:ident),+ $(,)?) => {
        tags!(@ 1u8; $($name),+);
    };
    (@ $value:expr; $name:ident $(, $rest:ident)*) => {
        pub(super) const $name: u8 = $value;
        tags!(@ $value + 1; $($rest),*);
    };
    (@ $value:expr;) => {
        const _: () = assert!($value < 0x7f);
    };
}

tags! {
    // Structure.
    END, BACK, MET, OF_CIRCLE, PIECE, MODULE, QUALNAME, NAME, ABSENT, OPAQUE, FIRST, CONVERTED, DEFAULT, LOCK,
    // Built-in values.
    NONE, ELLIPSIS, NOT_IMPLEMENTED, TRUE, FALSE, INT8, INT32, INT64, BIG, FLOAT, COMPLEX,
    STR1, STR2, STR4, BYTES, BYTEARRAY, RANGE, SLICE,
    // Containers.
    LIST, TUPLE, DICT, SET, FROZENSET, ORDERED, COUNTER, DEFAULTING, DEQUE, PROXY, VIEW,
    // Instances of classes.
    DERIVED, OBJECT, ENUM, REDUCED, GLOBAL, STAND_IN, MADE, PARTS,
    // The standard library.
    DATETIME, DATE, TIME, DELTA, ZONE, DECIMAL, FRACTION, UUID, PATH, PATTERN, WEAK,
    // Things that can be called, and what they are made of.
    CLASS, MODULE_OBJECT, FUNCTION, CODE, CELL, METHOD, BUILTIN, DESCRIPTOR, WRAPPED, PARTIAL,
    // Data in bulk.
    BUFFER, ARRAY, NDARRAY, DTYPE, NOTED, SCALAR, TENSOR, IMAGE, FILE, MEMORY_FILE,
    FRAME, SERIES, INDEX, COLUMN, ARROW, FIELD, DATA, NULLS,
}
