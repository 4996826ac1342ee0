//! Where the checkout is, and where things are in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use racetrack_bundle::Platform;
use semver::Version;
use toml::{Table, Value};

use crate::vendor_folder::VendorFolder;

/// The file name of the declaration of a checkout.
pub const DECLARATION: &str = "racetrack.toml";

/// The SDK crate: plugins depend on it by version, and generated workspaces patch that to this folder.
pub const CORE: &str = "core";

/// The triple of the machine the build runs on.
pub const HOST_TRIPLE: &str = env!("COMPOSER_HOST_TRIPLE");

/// The compiler this was built with, as it names itself; the checkout's `rust-toolchain.toml` makes it the one that
/// components are built with.
pub const TOOLCHAIN: &str = env!("COMPOSER_RUSTC_VERSION");

/// The checkout that is built, and the cargo it is built with. All paths are canonical.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// The folder of the hand-written workspace.
    pub root: PathBuf,
    /// The cargo to spawn: the one that runs us, which spares a detour through rustup's proxy.
    pub cargo: OsString,
    /// Where cargo keeps registry sources.
    pub cargo_home: PathBuf,
    /// The home folders of the user and of cargo, as they were given and canonical.
    pub homes: Vec<PathBuf>,
    /// Whether nobody may use the network: neither for plugin sources nor cargo.
    pub offline: bool,
    /// What takes the place of registries and of plugin sources that are elsewhere.
    pub vendor: Option<VendorFolder>,
}

impl Checkout {
    /// Finds the checkout this xtask belongs to.
    pub fn locate(offline: bool) -> Result<Self> {
        let home = env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).map(PathBuf::from);
        let cargo_home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".cargo")))
            .context("neither CARGO_HOME nor HOME is set")?;
        fs::create_dir_all(&cargo_home)?;
        let given: Vec<_> = home.into_iter().chain([cargo_home.clone()]).collect();
        let canonical: Vec<_> = given.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        Ok(Self {
            root: fs::canonicalize(root())?,
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            cargo_home: fs::canonicalize(cargo_home)?,
            homes: given.into_iter().chain(canonical).collect(),
            offline,
            vendor: None,
        })
    }

    /// The declaration that is given, or that of the checkout.
    pub fn declaration(&self, given: Option<&Path>) -> PathBuf {
        given.map_or_else(|| self.root.join(DECLARATION), Path::to_path_buf)
    }

    /// The content-addressed store of fetched and of unpacked plugins, shared by all declarations of the checkout.
    pub fn store(&self) -> PathBuf {
        self.root.join(".racetrack/store")
    }

    /// Cargo's intermediate artefacts, shared by all components of all declarations.
    pub fn build_dir(&self) -> PathBuf {
        self.root.join(".racetrack/build")
    }

    /// What this checkout builds plugins with: its core, and the compiler that this xtask was built with as well.
    pub fn platform(&self) -> Result<Platform> {
        let rust = TOOLCHAIN.split(' ').nth(1).context("rustc says its version")?;
        let rust = Version::parse(rust).with_context(|| format!("`{TOOLCHAIN}` names no version"))?;
        Ok(Platform { core: self.core_version()?, rust })
    }

    fn core_version(&self) -> Result<Version> {
        let path = self.root.join(CORE).join("Cargo.toml");
        let own = fs::read_to_string(&path)?.parse::<Table>().context("cannot parse the manifest of core")?;
        let own = own.get("package").and_then(|package| package.get("version"));
        let shared = fs::read_to_string(self.root.join("Cargo.toml"))?;
        let shared = shared.parse::<Table>().context("cannot parse the manifest of the checkout")?;
        let shared =
            || shared.get("workspace").and_then(|workspace| workspace.get("package")?.get("version"));
        let version = own.filter(|version| version.is_str()).or_else(shared).and_then(Value::as_str);
        let version = version.with_context(|| format!("{} has no version", path.display()))?;
        Version::parse(version).with_context(|| format!("racetrack-core cannot have version `{version}`"))
    }

    /// A path as people read it: relative to the checkout where it is inside.
    pub fn display<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// `cargo run` says where the package is now; the compile-time path serves when the binary is started by hand.
fn root() -> PathBuf {
    let parent = |manifest_dir: PathBuf| manifest_dir.parent().map(Path::to_path_buf);
    env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .and_then(parent)
        .filter(|root| root.join("xtask/Cargo.toml").is_file())
        .or_else(|| parent(env!("CARGO_MANIFEST_DIR").into()))
        .expect("xtask is a folder of the checkout")
}
