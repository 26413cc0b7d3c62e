//! The Python front door of tenure: types, conversions and errors around the engine, and no rule
//! of its own.

mod api;
mod caller;
mod decoration;
mod encode;
mod function;
mod life;
mod process;
mod program;
mod tasks;
mod testing;
mod words;

pub use api::_native;
