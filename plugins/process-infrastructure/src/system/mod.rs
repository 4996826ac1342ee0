//! What the plugin uses of Linux: processes, control groups, limits and ports. Nothing here knows of jobs.

pub(crate) mod control_group;
pub(crate) mod gate;
pub(crate) mod group_folder;
pub(crate) mod group_location;
pub(crate) mod group_processes;
pub(crate) mod inherited_mark;
pub(crate) mod limits;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod process_table;
pub(crate) mod random;
