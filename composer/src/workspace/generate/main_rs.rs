//! The generated `main.rs`: a fixed frame, and one block per plugin.

use std::fmt::Write as _;

use super::header::HEADER;
use crate::description::sections::{self, CRATES_FILE, DESCRIPTION_FILE, Section};
use crate::plan::{PlannedComponent, PlannedPlugin};

/// The longest line that rustfmt leaves alone: the width in the checkout's rustfmt.toml.
const MAX_WIDTH: usize = 110;

/// The text of `src/main.rs`.
pub(super) fn generate(component: &PlannedComponent) -> String {
    let name = &component.declaration.name;
    let library = component.declaration.package.replace('-', "_");
    let imports = match &component.plugins[..] {
        [] => "{ComponentPlan, SelfDescription}",
        plugins if plugins.iter().all(|plugin| plugin.resources.is_empty()) => {
            "{ComponentPlan, PlannedPlugin, SelfDescription, assert_planned}"
        }
        _ => "{ComponentPlan, PlannedPlugin, ResourceFile, SelfDescription, assert_planned}",
    };
    let mut text = format!(
        "//! {HEADER}\n//!\n//! The `{name}` component with its plugins, in hook order.\n\n\
         // A plugin that nothing names would be left out of the binary without a word.\n\
         #![deny(unused_crate_dependencies)]\n\n\
         use std::hint::black_box;\nuse std::process::ExitCode;\n\n\
         use racetrack_core::plan::{imports};\n\n"
    );
    for plugin in &component.plugins {
        text.push_str(&assertion(plugin));
    }
    if !component.plugins.is_empty() {
        text.push('\n');
    }
    text.push_str("// What this binary says about itself, in sections that are read without running it.\n");
    text.push_str(&section("DESCRIPTION", sections::DESCRIPTION, DESCRIPTION_FILE));
    text.push_str(&section("CRATES", sections::CRATES, CRATES_FILE));
    text.push('\n');
    let rows: Vec<_> = component.plugins.iter().map(|plugin| row(component, plugin)).collect();
    writeln!(
        text,
        "// Each field on a line of its own, however long, so that a diff shows one change as one line.\n\
         #[rustfmt::skip]\nstatic PLAN: ComponentPlan = ComponentPlan {{\n    component: {name:?},\n    plugins: {},\n    \
         description: Some(SelfDescription {{ document: &DESCRIPTION, crates: &CRATES }}),\n}};\n\n\
         fn main() -> ExitCode {{\n    \
         // No optimisation sees whether the component reads all of the plan, so none leaves a section out.\n    \
         {library}::main(black_box(&PLAN))\n}}",
        indented(&array(&rows), 4)
    )
    .expect("a String takes any text");
    text
}

fn assertion(plugin: &PlannedPlugin) -> String {
    let registration = format!("&{}::__RACETRACK_PLUGIN", plugin.identifier);
    let (name, version) = (plugin.manifest.name.as_str(), plugin.manifest.version.as_str());
    let line = format!("const _: () = assert_planned({registration}, {name:?}, {version:?});");
    if line.len() <= MAX_WIDTH {
        return line + "\n";
    }
    format!("const _: () = assert_planned(\n    {registration},\n    {name:?},\n    {version:?},\n);\n")
}

/// A static with the content of a file beside `src/`, in a section of its own.
fn section(name: &str, section: Section, file: &str) -> String {
    let Section { elf, mach_o, coff } = section;
    let content = format!("include_bytes!(\"../{file}\")");
    let start = format!("static {name}: [u8; {content}.len()] =");
    let separator = if start.len() + content.len() + " *;".len() <= MAX_WIDTH { " " } else { "\n    " };
    format!(
        "#[cfg_attr(target_vendor = \"apple\", unsafe(link_section = \"__DATA,{mach_o}\"))]\n\
         #[cfg_attr(windows, unsafe(link_section = {coff:?}))]\n\
         #[cfg_attr(not(any(target_vendor = \"apple\", windows)), unsafe(link_section = {elf:?}))]\n\
         {start}{separator}*{content};\n"
    )
}

/// A row of the plan, without indentation of its first line.
fn row(component: &PlannedComponent, plugin: &PlannedPlugin) -> String {
    let manifest = &plugin.manifest;
    let optional =
        |text: Option<&str>| text.map_or_else(|| "None".to_owned(), |text| format!("Some({text:?})"));
    let components: Vec<_> = manifest.components.iter().map(|component| format!("{component:?}")).collect();
    let resources: Vec<_> = plugin.resources.iter().map(|path| resource(plugin, path)).collect();
    let fields = [
        ("name", format!("{:?}", manifest.name.as_str())),
        ("version", format!("{:?}", manifest.version.as_str())),
        ("priority", manifest.priority.to_string()),
        ("position", component.rank(plugin).to_string()),
        ("category", optional(manifest.category.map(racetrack_core::Category::as_str))),
        ("url", optional(manifest.url.as_deref())),
        ("build_date", optional(manifest.build_date.as_deref())),
        ("components", format!("&[{}]", components.join(", "))),
        ("digest", format!("{:?}", plugin.digest)),
        ("resources", array(&resources)),
    ];
    structure("PlannedPlugin", &fields)
}

fn resource(plugin: &PlannedPlugin, path: &str) -> String {
    let content = format!("../plugins/{}/resources/{path}", plugin.folder);
    structure(
        "ResourceFile",
        &[("path", format!("{path:?}")), ("content", format!("include_bytes!({content:?})"))],
    )
}

fn structure(name: &str, fields: &[(&str, String)]) -> String {
    let mut text = format!("{name} {{\n");
    for (field, value) in fields {
        writeln!(text, "    {field}: {},", indented(value, 4)).expect("a String takes any text");
    }
    text.push('}');
    text
}

/// An array with each item below the other.
fn array(items: &[String]) -> String {
    if items.is_empty() {
        return "&[]".to_owned();
    }
    let items: Vec<_> = items.iter().map(|item| format!("    {},\n", indented(item, 4))).collect();
    format!("&[\n{}]", items.concat())
}

/// All lines but the first moved to the right.
fn indented(text: &str, columns: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(columns)))
}
