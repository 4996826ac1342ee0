//! What cargo itself says of a failure, as text: unresolvable requirements, build scripts, compilers that were killed.

use std::sync::Arc;

use super::culprits::Blame;
use super::graph::{CrateId, Graph};
use super::traces::{mentions, with_folder_in};
use crate::plan::PlannedPlugin;

/// Blames what the errors in cargo's text are about. `compilers_said_why` is whether compilers have reported errors: then a
/// crate that `could not be compiled` is known already.
pub(super) fn blame(
    output: &str,
    compilers_said_why: bool,
    plugins: &[Arc<PlannedPlugin>],
    graph: &Graph,
    blame: &mut Blame,
) {
    for error in error_blocks(&without_styles(output)) {
        let own = with_folder_in(&error, plugins);
        let killed = not_compiled(&error).filter(|_| !compilers_said_why);
        if !own.is_empty() {
            blame.add_plugins(own);
        } else if let Some(name) = killed {
            blame.add_plugins((0..plugins.len()).filter(|index| plugins[*index].package == name));
            for external in graph.external().filter(|external| external.name == name) {
                blame.add_dependency(external, plugins, graph);
            }
        } else {
            for external in graph.external().filter(|external| names(&error, external)) {
                blame.add_dependency(external, plugins, graph);
            }
        }
    }
}

/// Each error with the lines that belong to it: up to the next message or status line, without what a build script
/// printed.
fn error_blocks(output: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut in_error = false;
    for line in output.lines() {
        if line.starts_with("error") {
            blocks.push(String::new());
            in_error = true;
        } else if line.starts_with("warning") || is_status(line) || line.trim_start().starts_with("--- std") {
            in_error = false;
        }
        if let Some(block) = blocks.last_mut().filter(|_| in_error) {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

/// `   Compiling x v1.0.0`: a verb right-aligned to the twelfth column.
fn is_status(line: &str) -> bool {
    let verb = line.get(..12).unwrap_or_default();
    line.as_bytes().get(12) == Some(&b' ')
        && verb.trim_start().starts_with(|c: char| c.is_ascii_uppercase())
        && !verb.ends_with(' ')
}

/// The package of ``error: could not compile `x` (lib)``.
fn not_compiled(error: &str) -> Option<&str> {
    let (_, rest) = error.lines().next()?.split_once("could not compile `")?;
    rest.split_once('`').map(|(name, _)| name)
}

/// Whether cargo speaks of the crate, in one of its two spellings.
fn names(error: &str, external: &CrateId) -> bool {
    let CrateId { name, version, .. } = external;
    [format!("{name} v{version}"), format!("{name}@{version}")].iter().any(|text| {
        mentions(error, text) && !error.contains(&format!("-{text}")) && !error.contains(&format!("{text}."))
    })
}

fn without_styles(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string().replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_status_lines_and_scripts_end_an_error() {
        let output = "   Compiling a v1.0.0\nwarning: unused\n --> plugins/b/src/lib.rs:1:1\n\n\
                      \u{1b}[1merror\u{1b}[0m: failed to run custom build command\n in plugins/a\n\
                      \u{20}   Building [==>] 3/4\nplugins/c\nerror: it failed\n  --- stderr\n  plugins/d\n";
        let blocks = error_blocks(&without_styles(output));
        assert_eq!(
            blocks,
            ["error: failed to run custom build command\n in plugins/a\n", "error: it failed\n"]
        );
    }

    #[test]
    fn a_crate_is_named_in_either_spelling() {
        let external = CrateId {
            name: "zlib".to_owned(),
            version: "1.2.3".to_owned(),
            source: Some("registry".to_owned()),
        };
        assert!(names("error: failed to run custom build command for `zlib v1.2.3`\n", &external));
        assert!(names("error: rustc 1.95.0 is too old\n  zlib@1.2.3 requires rustc 1.99\n", &external));
        for other in ["`my-zlib v1.2.3`", "`zlib v1.2.30`", "`zlib v1.2.3.4`", "`myzlib@1.2.3`"] {
            assert!(!names(&format!("error: failed for {other}\n"), &external), "{other}");
        }
    }
}
