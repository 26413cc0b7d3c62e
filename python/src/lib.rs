//! The Python front door of tenure.
