//! The build system as a library: it composes the plugins that `racetrack.toml` declares into one binary per component.
//!
//! `cargo xtask` is a command line over it. The crate makes the decisions, writes the generated workspaces, calls cargo
//! and checks what comes of that; it prints through [`shell`] alone.
//!
//! # The stages of a build
//!
//! [`build::build`] is the pipeline. A value of each stage is made of the one before, so that a later stage cannot be
//! reached around an earlier one: nothing is compiled that was not admitted.
//!
//! | stage | what it is | made by |
//! | --- | --- | --- |
//! | [`plan::Loaded`] | the declaration, its plugin sources and the plan; all mistakes were reported together | [`sources::load`] |
//! | [`lockfile::Admitted`] | what was loaded is what `racetrack.lock` accepts, or the lock was written for the first time | [`lockfile::admit`] |
//! | [`workspace::prepare::Prepared`] | the generated workspace of a component is on disk, with its self-description | [`workspace::prepare`] |
//! | `Compiled` | cargo built it, or its fingerprint says that nothing is to be built | `build::compilation` |
//! | `Checked` | the binary names its plugins, holds its sections and no path of the machine | `build::checking` |
//! | `Installed` | it is in the output folder, with its records beside it | `build::installation` |
//!
//! A [`session::Session`] goes through all of them: the checkout that is worked on, and where progress is reported.
//!
//! # The rooms, from below
//!
//! - [`files`], [`shell`], [`codes`], [`checkout`], [`file_lock`], [`transcript`]: the ground.
//! - [`remote`]: sources that are elsewhere, by digest. It knows no declaration.
//! - [`declaration`]: `racetrack.toml`, the place of every value, edits and schemas.
//! - [`plan`]: pure. Which plugins a component holds, in which order, and why.
//! - [`cargo`]: everything that knows cargo, and the one place that calls it to build components.
//! - [`sources`]: plugin sources from the disk and from [`remote`]; the hooks they implement, read without compiling.
//! - [`description`]: what a binary says about itself.
//! - [`lockfile`]: the file `racetrack.lock` and what it accepts.
//! - [`workspace`]: the generated workspaces; `workspace::generate` is pure.
//! - [`binary`], [`fingerprint`], [`vendored`]: what is checked of a binary, whether one has to be built at all, and the vendor
//!   folder that a build may take everything from.
//! - [`build`]: the pipeline.
//! - [`verification`], [`sizes`], [`vendoring`], [`garbage`]: whole operations on top of a build.
//!
//! A test holds this order: a room uses rooms further up in this list only.
//!
//! # Planning a declaration
//!
//! ```
//! use racetrack_composer::checkout::Checkout;
//! use racetrack_composer::declaration::{Declaration, Document};
//! use racetrack_composer::session::Session;
//! use racetrack_composer::shell::Shell;
//! use racetrack_composer::sources::load::compose;
//!
//! let session = Session { checkout: Checkout::locate(true)?, shell: Shell::new(true) };
//! let text = r#"
//!     [components.lifecycle]
//!     package = "racetrack-lifecycle"
//!     path = "components/lifecycle"
//!
//!     [[plugin]]
//!     path = "plugin_sample"
//!
//!     [[plugin]]
//!     path = "plugins/process-infrastructure"
//! "#;
//! let file = session.checkout.root.join("example.toml");
//! let document = Document { file: "example.toml".into(), text: text.into() };
//! let declaration = Declaration::check(document, &file, &session.checkout).map_err(|found| found.0[0].message.clone())?;
//!
//! let loaded = compose(declaration, &session)?;
//! let [lifecycle] = &loaded.plan.components[..] else { panic!("one component is declared") };
//! let order: Vec<_> = lifecycle.plugins.iter().map(|plugin| plugin.manifest.name.as_str()).collect();
//! assert_eq!(order, ["skynet-watcher", "process-infrastructure"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod binary;
pub mod build;
pub mod cargo;
pub mod checkout;
pub mod codes;
pub mod declaration;
pub mod description;
pub mod file_lock;
pub mod files;
pub mod fingerprint;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod garbage;
pub mod lockfile;
pub mod plan;
pub mod quantity;
pub mod rejected;
pub mod remote;
pub mod session;
pub mod shell;
pub mod sizes;
pub mod sources;
pub mod transcript;
pub mod vendor_folder;
pub mod vendored;
pub mod vendoring;
pub mod verification;
pub mod workspace;
