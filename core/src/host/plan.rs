//! What the build decided about one component. Generated code fills these types in; the registry holds the running
//! binary to them.

use crate::sdk::registration::Registration;
pub use crate::sdk::resources::ResourceFile;

/// The plugins of one component, in hook order.
#[derive(Clone, Copy, Debug)]
pub struct ComponentPlan {
    /// The name of the component.
    pub component: &'static str,
    /// One row per plugin, by ascending (priority, position).
    pub plugins: &'static [PlannedPlugin],
    /// What the binary says about itself; nothing where the plan was not made by the build.
    pub description: Option<SelfDescription>,
}

/// What a component binary says about itself, to whoever reads its sections without running it.
///
/// Generated code puts both into sections of their own. That the plan refers to them keeps the linker from leaving them
/// out.
#[derive(Clone, Copy)]
pub struct SelfDescription {
    /// Plan, profile, target and toolchain, as JSON.
    pub document: &'static [u8],
    /// The linked crates, in the format of cargo-auditable: JSON, compressed with zlib.
    pub crates: &'static [u8],
}

/// One plugin as the build planned it: the contents of its manifest and its place.
#[derive(Clone, Copy, Debug)]
pub struct PlannedPlugin {
    /// The name of the plugin.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its priority; lower comes first.
    pub priority: i64,
    /// Its place among the plugins of this component, in the order of their tables in `racetrack.toml`, counted from 0.
    /// Plugins for other components do not count, so that they change nothing in this one.
    pub position: usize,
    /// Its category, as its manifest writes it.
    pub category: Option<&'static str>,
    /// Its home page.
    pub url: Option<&'static str>,
    /// When its bundle was made.
    pub build_date: Option<&'static str>,
    /// The components its manifest names; empty means all.
    pub components: &'static [&'static str],
    /// The digest of its source: BLAKE3 over the path and content of every file, in hexadecimal.
    pub digest: &'static str,
    /// The files of its `resources/` folder, sorted by path.
    pub resources: &'static [ResourceFile],
}

impl std::fmt::Debug for SelfDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SelfDescription({} and {} bytes)", self.document.len(), self.crates.len())
    }
}

/// Fails the compilation of a generated `main.rs` whose plugin crate registers anything but the planned plugin.
///
/// That the argument is a [`Registration`] of *this* crate is half of the check: a plugin that was linked against
/// another copy of racetrack-core would register with that copy, and silently be absent.
///
/// # Panics
/// At compile time, when name or version differ.
pub const fn assert_planned(registration: &Registration, name: &str, version: &str) {
    assert!(
        equal(registration.name, name),
        "the crate of this plugin registers another name than its plugin manifest says"
    );
    assert!(
        equal(registration.version, version),
        "the crate of this plugin has another version than its plugin manifest says"
    );
}

const fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_byte_by_byte() {
        assert!(equal("", "") && equal("1.2.3", "1.2.3"));
        assert!(!equal("1.2.3", "1.2.4") && !equal("1.2", "1.2.3"));
    }
}
