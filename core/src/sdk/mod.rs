//! What a plugin implements and what it is given: the trait with its hooks, the context it is constructed with, and the
//! things it offers.

pub mod context;
pub mod event;
#[expect(
    unsafe_code,
    reason = "linkme puts each descriptor into a link section; no unsafe code is written by hand"
)]
pub mod hook;
pub mod hook_result;
pub mod infrastructure;
pub mod job_bundle;
pub mod job_type;
pub mod open_files;
pub mod plugin;
pub mod refusal;
pub mod registration;
pub mod resources;
pub mod shared_check;
pub mod tool_launcher;
pub mod trouble;
