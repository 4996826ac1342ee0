//! What the linker misses, and in which crate.

use std::sync::Arc;

use cargo_metadata::BuildScript;
use cargo_metadata::diagnostic::Diagnostic;

use super::culprits::Blame;
use super::graph::Graph;
use super::traces::{holds_folder, is_of, mentions};
use crate::plan::PlannedPlugin;

/// What lines begin or end a complaint of a linker with; the rest is the command it was called with, which names every
/// crate.
const COMPLAINTS: [&str; 9] = [
    ">>>",
    "undefined symbol",
    "undefined reference",
    "duplicate symbol",
    "multiple definition",
    "in function `",
    "cannot find -l",
    "unable to find library -l",
    "library not found for -l",
];

/// Whether a message of rustc hands on what the linker said.
pub(super) fn is_linker_error(message: &Diagnostic) -> bool {
    message.message.starts_with("linking with ")
}

/// Blames the plugins whose symbols or libraries the linker complains about, or else the crates that plugins depend on.
pub(super) fn blame(
    message: &Diagnostic,
    build_scripts: &[BuildScript],
    plugins: &[Arc<PlannedPlugin>],
    graph: &Graph,
    blame: &mut Blame,
) {
    let texts = message.children.iter().flat_map(|child| child.message.lines());
    let is_complaint = |line: &&str| COMPLAINTS.iter().any(|complaint| line.contains(complaint));
    let lines: Vec<_> = texts.filter(is_complaint).collect();
    let scripts: Vec<_> = build_scripts.iter().filter(|script| asks_for_missing(script, &lines)).collect();
    let is_own = |plugin: &PlannedPlugin| {
        lines.iter().any(|line| holds_folder(line, plugin) || is_about(line, &plugin.package))
            || scripts.iter().any(|script| holds_folder(&script.package_id.repr, plugin))
    };
    let own: Vec<_> = (0..plugins.len()).filter(|index| is_own(&plugins[*index])).collect();
    if !own.is_empty() {
        return blame.add_plugins(own);
    }
    for external in graph.external() {
        if lines.iter().any(|line| is_about(line, &external.name))
            || scripts.iter().any(|script| is_of(&script.package_id, external))
        {
            blame.add_dependency(external, plugins, graph);
        }
    }
}

/// Whether a line names a symbol, an object or an archive of the crate: `a::f`, `a-<hash>.…`, `liba-<hash>.rlib`.
fn is_about(line: &str, package: &str) -> bool {
    let name = package.replace('-', "_");
    let is_file = |prefix: &str| {
        let start = format!("{prefix}{name}-");
        line.match_indices(&start).any(|(at, _)| {
            let hash = &line[at + start.len()..];
            let digits = hash.bytes().take_while(u8::is_ascii_hexdigit).count();
            digits >= 16 && !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-')
        })
    };
    let is_symbol = line.match_indices(&format!("{name}::")).next().is_some() && mentions(line, &name);
    is_symbol || is_file("lib") || is_file("")
}

/// Whether the linker did not find a library that the build script asked for.
fn asks_for_missing(script: &BuildScript, lines: &[&str]) -> bool {
    script.linked_libs.iter().any(|library| {
        // `kind:modifiers=name:other`, of which the middle counts.
        let name = library.as_str().rsplit('=').next().unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        lines.iter().any(|line| line.contains("-l") && mentions(line, &format!("l{name}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_archives_name_their_crate() {
        let lld = [
            "rust-lld: error: undefined symbol: missing_native",
            ">>> referenced by my_plugin.f1e2d3-cgu.0",
            ">>>               my_plugin-0123456789abcdef.my_plugin.f1e2d3-cgu.0.rcgu.o:(my_plugin::call::h12)",
        ];
        let gnu =
            "in function `my_plugin::call': lib.rs:(.text+0x1): undefined reference to `missing_native'";
        let archive = ">>> defined at x.o in archive /b/libmy_plugin-0123456789abcdef.rlib";
        assert!(
            is_about(lld[2], "my-plugin") && is_about(gnu, "my-plugin") && is_about(archive, "my-plugin")
        );
        assert!(!is_about(lld[0], "my-plugin") && !is_about(lld[2], "plugin") && !is_about(archive, "my"));
    }
}
