//! The plugin sources of a declaration, read from disk.

pub mod argument;
pub mod discovery;
pub mod draft;
pub mod implementation;
pub mod load;
pub mod overrides;
pub mod plugin;
pub mod provide;
pub mod selection;
pub mod store_use;
pub mod unpacking;
