//! What the whole-system tests are made of: a sandbox that builds a declaration with the commands that users type,
//! plugins that record when their hooks are called, components that run on ports of their own, and the client that users
//! install.

pub mod checkout_copy;
pub mod collector;
pub mod command;
pub mod component;
pub mod docs_plugin;
pub mod installed_client;
pub mod platform;
pub mod python_package;
pub mod recording_plugin;
pub mod sandbox;
pub mod schemathesis;
pub mod staged_platform;

pub use collector::Collector;
pub use command::Finished;
pub use component::RunningComponent;
pub use docs_plugin::DocsPlugin;
pub use installed_client::InstalledClient;
pub use platform::{Platform, PlatformSettings};
pub use recording_plugin::RecordingPlugin;
pub use sandbox::{Sandbox, checkout};
pub use schemathesis::{Operations, Schemathesis, Trial};
pub use staged_platform::StagedPlatform;
