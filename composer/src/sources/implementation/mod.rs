//! What a plugin's sources say about its implementation: the one `#[plugin] impl Plugin for …` and its hooks.
//!
//! The attribute macro tells the compiler the same. Reading the sources lets `plan` and `check` show the call order
//! without compiling; the finished binary is compared with it, so the two cannot drift apart.

mod attributes;
mod conditions;
mod items;
mod modules;
mod tokens;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use proc_macro2::{LineColumn, TokenStream};
use racetrack_bundle::{Code, Diagnostic, Diagnostics, Location, PluginSource};

use self::items::Range;
use self::modules::{Module, join, visit};
use crate::codes;

/// The crate root of a library that says nothing else.
const DEFAULT_ROOT: &str = "src/lib.rs";

/// An `impl` block with the attribute, and where it is.
struct Found {
    hooks: Vec<&'static str>,
    place: Location,
    in_root: bool,
}

/// The hooks that the plugin implements, sorted by name. `shown` is the source as shown to people.
pub fn implemented_hooks(source: &PluginSource, shown: &str) -> Result<Vec<&'static str>, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let mut found = Vec::new();
    let root = crate_root(source);
    let mut root_place = Location::file(shown_path(source, shown, &root));
    let mut visited = BTreeSet::new();
    let mut queue = VecDeque::from([Module::root(&root)]);
    while let Some(module) = queue.pop_front() {
        let Some(file) = source.files.iter().find(|file| file.path == module.path) else {
            continue;
        };
        if !visited.insert(module.path.clone()) {
            continue;
        }
        // A byte order mark is white space to rustc.
        let text = String::from_utf8_lossy(&file.content);
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
        let place = |range: Range| {
            let range = offset(range.start, &text)..offset(range.end, &text);
            Location::in_text(shown_path(source, shown, &module.path), Arc::clone(&text), range)
        };
        if module.is_root {
            let start = LineColumn { line: 1, column: 0 };
            root_place = place(start..start);
        }
        match text.parse::<TokenStream>() {
            Err(error) => {
                let start = error.span().start();
                let message = format!("this is no Rust: {error}");
                let help = "`cargo check` in the folder of the plugin says more";
                let diagnostic = Diagnostic::new(codes::RUST_SYNTAX, place(start..start), message);
                diagnostics.push(diagnostic.with_help(help));
            }
            Ok(tokens) => visit(tokens.clone(), &module, &mut queue, &mut |plugin, in_root| {
                let hidden = conditions::hidden_hooks(
                    &plugin,
                    if in_root { tokens.clone() } else { TokenStream::new() },
                );
                for (mistake, range) in hidden {
                    diagnostics.push(mistake.at(place(range)));
                }
                found.push(Found { hooks: plugin.hooks, place: place(plugin.place), in_root });
            }),
        }
    }
    judge(found, &root_place, diagnostics)
}

fn judge(
    found: Vec<Found>,
    root: &Location,
    mut diagnostics: Diagnostics,
) -> Result<Vec<&'static str>, Diagnostics> {
    let refuse = |code: Code, place: &Location, message: &str, help: &str| {
        Diagnostic::new(code, place.clone(), message).with_help(help)
    };
    if found.is_empty() && diagnostics.is_empty() {
        let message = "no type of this crate is marked as the plugin";
        let help = "write `#[racetrack_core::plugin]` above `impl Plugin for …`";
        diagnostics.push(refuse(codes::NO_PLUGIN, root, message, help));
    }
    for other in found.iter().skip(1) {
        let message = "a crate holds one plugin, and this is another `#[plugin]`";
        let help = format!("remove the attribute here or at {}", found[0].place);
        diagnostics.push(refuse(codes::SEVERAL_PLUGINS, &other.place, message, &help));
    }
    if let Some(plugin) = found.first().filter(|plugin| !plugin.in_root) {
        let message = "the plugin is not in the root module of its crate, where components look for it";
        let help = "move the `#[plugin] impl` to the root module; what it calls may stay";
        diagnostics.push(refuse(codes::PLUGIN_NOT_IN_ROOT, &plugin.place, message, help));
    }
    let hooks = found.into_iter().next().map(|plugin| plugin.hooks).unwrap_or_default();
    diagnostics.into_result(hooks)
}

/// The `[lib] path` of the crate.
fn crate_root(source: &PluginSource) -> String {
    let manifest = source.files.iter().find(|file| file.path == "Cargo.toml");
    let manifest = manifest.and_then(|file| str::from_utf8(&file.content).ok()?.parse::<toml::Table>().ok());
    let path = manifest.as_ref().and_then(|manifest| manifest.get("lib")?.get("path")?.as_str());
    path.map_or_else(|| DEFAULT_ROOT.to_owned(), |path| join("", path))
}

fn shown_path(source: &PluginSource, shown: &str, path: &str) -> PathBuf {
    match source.origin {
        racetrack_bundle::Origin::Folder(_) => PathBuf::from(shown).join(path),
        racetrack_bundle::Origin::Zip(_) => format!("{shown}!/{path}").into(),
    }
}

fn offset(place: LineColumn, text: &str) -> usize {
    let line: usize = text.split_inclusive('\n').take(place.line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[line..];
    line + rest.char_indices().nth(place.column).map_or(rest.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use racetrack_bundle::{Origin, SourceFile};
    use racetrack_core::PluginManifest;

    use super::*;

    fn source(files: &[(&str, &str)]) -> PluginSource {
        let manifest = PluginManifest::new("p".parse().unwrap(), "1.0.0".parse().unwrap());
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: (*path).to_owned(),
            content: text.as_bytes().into(),
        };
        PluginSource {
            origin: Origin::Folder("/checkout/p".into()),
            manifest,
            files: files.iter().map(file).collect(),
            digest: "0".repeat(64),
            crate_name: "p".to_owned(),
            archive_digest: None,
        }
    }

    fn outcome(files: &[(&str, &str)]) -> Result<Vec<&'static str>, Vec<String>> {
        let shown = |diagnostic: &Diagnostic| format!("{} {}", diagnostic.code, diagnostic.location);
        implemented_hooks(&source(files), "p").map_err(|found| found.0.iter().map(shown).collect())
    }

    const PLUGIN: &str =
        "#[plugin]\nimpl Plugin for P {\n async fn run_action(&self) {}\n async fn job_types(&self) {}\n}\n";

    #[test]
    fn hooks_are_found_and_sorted() {
        assert_eq!(outcome(&[("src/lib.rs", PLUGIN)]), Ok(vec!["job_types", "run_action"]));
        let full = PLUGIN.replace("#[plugin]", "#[racetrack_core::plugin]");
        assert_eq!(outcome(&[("src/lib.rs", &full)]), Ok(vec!["job_types", "run_action"]));
    }

    #[test]
    fn the_library_may_be_elsewhere() {
        let files = [("Cargo.toml", "[lib]\npath = \"./lib/root.rs\""), ("lib/root.rs", PLUGIN)];
        assert_eq!(outcome(&files), Ok(vec!["job_types", "run_action"]));
    }

    #[test]
    fn tests_and_unreachable_files_do_not_count() {
        let root = format!(
            "mod a; #[cfg(test)] mod b; #[cfg(test)] mod tests {{ {PLUGIN} }} #[cfg(all(test, unix))] {PLUGIN}\nmod d;\n{PLUGIN}"
        );
        let for_tests = format!("#![cfg(test)]\n{PLUGIN}");
        let files = [
            ("src/lib.rs", root.as_str()),
            ("src/a.rs", ""),
            ("src/b.rs", PLUGIN),
            ("src/c.rs", PLUGIN),
            ("src/d.rs", &for_tests),
        ];
        assert_eq!(outcome(&files), Ok(vec!["job_types", "run_action"]));
    }

    #[test]
    fn the_plugin_must_be_in_the_root_module() {
        let expected = |place: &str| Err(vec![format!("plugin-not-in-root {place}")]);
        assert_eq!(outcome(&[("src/lib.rs", "mod a;"), ("src/a.rs", PLUGIN)]), expected("p/src/a.rs:2:17"));
        assert_eq!(
            outcome(&[("src/lib.rs", "mod a;"), ("src/a/mod.rs", PLUGIN)]),
            expected("p/src/a/mod.rs:2:17")
        );
        let nested = [("src/lib.rs", "mod a { mod b; }"), ("src/a/b.rs", PLUGIN)];
        assert_eq!(outcome(&nested), expected("p/src/a/b.rs:2:17"));
        let moved = [("src/lib.rs", "#[path = \"../x.rs\"] mod a;"), ("x.rs", PLUGIN)];
        assert_eq!(outcome(&moved), expected("p/x.rs:2:17"));
        assert_eq!(
            outcome(&[("src/lib.rs", &format!("mod a {{\n{PLUGIN}}}"))]),
            expected("p/src/lib.rs:3:17")
        );
    }

    #[test]
    fn what_some_builds_would_be_without_is_refused() {
        let outcome = |text: &str| outcome(&[("src/lib.rs", text)]);
        let refused = |place: &str| Err(vec![format!("conditional-plugin p/src/lib.rs:{place}")]);
        let block = |content: &str| format!("#[plugin] impl Plugin for P {{\n{content}\n}}");
        assert_eq!(outcome(&block("#[cfg(x)] async fn run_action() {}")), refused("2:2"));
        assert_eq!(outcome(&block("#[cfg(test)] async fn run_action() {}")), refused("2:2"));
        assert_eq!(outcome(&block("#[cfg_attr(x, cfg(y))] async fn run_action() {}")), refused("2:2"));
        assert_eq!(outcome(&block("async fn run_action() { #![cfg(x)] }")), refused("2:27"));
        assert_eq!(outcome(&block("#![cfg(x)]")), refused("2:3"));
        assert_eq!(outcome(&block("hooks!();")), Err(vec!["hooks-from-macro p/src/lib.rs:2:1".to_owned()]));
        assert_eq!(outcome(&format!("#[cfg(x)]\n{PLUGIN}")), refused("1:2"));
        assert_eq!(outcome("#[cfg_attr(x, plugin)] impl Plugin for P {}"), refused("1:2"));
        assert_eq!(outcome(&format!("//! a\n#![cfg(x)]\n{PLUGIN}")), refused("2:3"));
        assert_eq!(outcome(&format!("#[cfg(x)] struct P;\n{PLUGIN}")), refused("1:2"));
        assert_eq!(outcome(&format!("#[cfg(x)] use a::P;\n{PLUGIN}")), refused("1:2"));
    }

    #[test]
    fn conditions_that_leave_out_nothing_are_accepted() {
        let outcome = |text: &str| outcome(&[("src/lib.rs", text)]);
        for before in [
            "#![cfg_attr(docsrs, feature(doc_cfg))]",
            "#[cfg(a)] struct P; #[cfg(not(a))] struct P;",
            "#[cfg(a)] use a::Other; use b::P;",
            "#[cfg_attr(a, derive(Debug))] struct P;",
            "#[cfg(a)] mod a {}",
        ] {
            assert_eq!(
                outcome(&format!("{before}\n{PLUGIN}")),
                Ok(vec!["job_types", "run_action"]),
                "{before}"
            );
        }
        let hooks = "#[plugin] impl Plugin for P { #[doc = \"cfg(x)\"] #[cfg_attr(a, allow(b))] async fn run_action() {} }";
        assert_eq!(outcome(hooks), Ok(vec!["run_action"]));
    }

    #[test]
    fn one_plugin_exactly() {
        assert_eq!(
            outcome(&[("src/lib.rs", "struct P;")]),
            Err(vec!["no-plugin p/src/lib.rs:1:1".to_owned()])
        );
        let twice = format!("{PLUGIN}{PLUGIN}");
        assert_eq!(
            outcome(&[("src/lib.rs", &twice)]),
            Err(vec!["several-plugins p/src/lib.rs:7:17".to_owned()])
        );
    }

    #[test]
    fn columns_count_characters() {
        let wrong = "// žluť\nstruct Š } ";
        assert_eq!(outcome(&[("src/lib.rs", wrong)]), Err(vec!["rust-syntax p/src/lib.rs:2:10".to_owned()]));
    }
}
