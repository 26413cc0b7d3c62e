//! Who calls: threads, greenlets, the interpreter, and the code of the program.

pub(crate) mod attach;
pub(crate) mod current_function;
pub(crate) mod place;
pub(crate) mod strands;
pub(crate) mod user_code;
pub(crate) mod waiting;
