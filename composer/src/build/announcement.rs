//! What a build says before it begins.

use std::path::Path;

use super::request::Purpose;
use crate::cargo::{CompileOptions, profile_folder};
use crate::plan::Loaded;
use crate::quantity::counted;
use crate::session::Session;

/// Says what is planned, what is special about this build, and how long it takes where nothing was compiled before.
pub(super) fn announce(loaded: &Loaded, options: &CompileOptions, purpose: Purpose, session: &Session) {
    let Session { checkout, shell } = session;
    shell.status("Planning", summary(loaded));
    let profile = &options.profile_name;
    if purpose == Purpose::FirstLook {
        shell.note(format_args!(
            "profile `{profile}` compiles fast and runs slowly; `cargo xtask build` makes the binaries for production"
        ));
    }
    if is_first(options, &checkout.build_dir()) {
        let time = if options.profile.is_optimised() { "four minutes" } else { "two minutes" };
        shell.note(format_args!(
            "the first build with profile `{profile}` compiles every crate: about {time} on two cores"
        ));
    }
}

/// Whether nothing was compiled like this before.
fn is_first(options: &CompileOptions, build_dir: &Path) -> bool {
    let target = options.target.as_deref().unwrap_or_default();
    !build_dir.join(target).join(profile_folder(&options.profile_name)).exists()
}

fn summary(loaded: &Loaded) -> String {
    let (plugins, components) = (loaded.plugins.len(), loaded.plan.components.len());
    format!("{} for {}", counted(plugins, "plugin"), counted(components, "component"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fs_err as fs;

    use crate::declaration::Profile;

    #[test]
    fn a_build_is_the_first_where_cargo_has_no_artefacts_of_its_profile_and_target() {
        let options = |profile: &str, target: Option<&str>| CompileOptions {
            profile_name: profile.to_owned(),
            profile: Profile { base: "dev", settings: std::collections::BTreeMap::new() },
            target: target.map(str::to_owned),
            locked: false,
            offline: false,
            variables: Vec::new(),
        };
        let build_dir = tempfile::tempdir().unwrap();
        let is_first = |profile, target| is_first(&options(profile, target), build_dir.path());
        for artefacts in ["debug", "x/quick"] {
            fs::create_dir_all(build_dir.path().join(artefacts)).unwrap();
        }
        assert!(!is_first("dev", None) && !is_first("quick", Some("x")));
        assert!(is_first("quick", None) && is_first("dev", Some("x")) && is_first("release", None));
    }
}
