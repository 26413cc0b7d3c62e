//! The Python front door of tenure: types, conversions and errors around the engine, and no rule
//! of its own.

mod api;
mod argument_array;
mod attach;
mod awaitables;
mod bound;
mod cached;
mod callback;
mod churn;
mod current_function;
mod decorator;
mod encode;
mod errors;
mod events;
mod failure;
mod fingerprint;
mod host;
mod hosts;
mod identity;
mod info;
mod interrupts;
mod leased;
mod log;
mod maker;
mod methods;
mod modules;
mod options;
mod plan;
mod process;
mod provenance;
mod raised;
mod registration;
mod resource;
mod scope;
mod sessions;
mod shape;
mod strands;
mod tasks;
mod testing;
mod user_code;
mod vectorcall;
mod waiting;

pub use api::_native;
