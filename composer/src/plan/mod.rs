//! What is built: which plugins each component holds, and in which order their hooks run. A pure function of the
//! declaration and of the sources it names.

pub mod constraint;
pub mod explain;
pub mod graph;
pub mod order;
pub mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use racetrack_bundle::{Diagnostics, PluginSource};
use racetrack_core::{Category, PluginManifest};

use crate::codes;
use crate::declaration::{ComponentDeclaration, Declaration, PluginDeclaration};
use crate::plan::constraint::{Constraint, constraints, hook_order};

/// A declared plugin whose source was read.
#[derive(Debug)]
pub struct LoadedPlugin {
    /// What the declaration says.
    pub declaration: PluginDeclaration,
    /// What the source holds.
    pub source: PluginSource,
    /// The hooks it implements, sorted by name.
    pub hooks: Vec<&'static str>,
}

/// What each component is built from.
#[derive(Debug)]
pub struct BuildPlan {
    /// The components, sorted by name.
    pub components: Vec<PlannedComponent>,
    /// What the declaration says about the order of plugins within one priority.
    pub constraints: Vec<Constraint>,
}

/// One component binary.
#[derive(Debug)]
pub struct PlannedComponent {
    /// The component and its crate.
    pub declaration: ComponentDeclaration,
    /// Its plugins in hook order: by ascending (priority, position), where constraints refine the position. The order
    /// is that of all plugins of the declaration, so that components agree.
    pub plugins: Vec<Arc<PlannedPlugin>>,
}

/// One plugin, as every component that holds it sees it.
#[derive(Debug)]
pub struct PlannedPlugin {
    /// The checked plugin manifest; `components` are those the plugin is meant for after the declaration's narrowing.
    pub manifest: PluginManifest,
    /// The place of its table among all `[[plugin]]` tables, counted from 0.
    pub position: usize,
    /// The source as the declaration writes it.
    pub source: String,
    /// The line that declares it, such as `racetrack.toml:12`.
    pub declared_at: String,
    /// The digest of the source, hexadecimal.
    pub digest: String,
    /// The folder in generated workspaces, below `plugins/`. It holds the digest, so that no content is ever built
    /// under the folder name of another.
    pub folder: String,
    /// What generated code calls the crate.
    pub identifier: String,
    /// The crate's package.
    pub package: String,
    /// The hooks it implements, sorted by name.
    pub hooks: Vec<&'static str>,
    /// The files below `resources/`, sorted by path.
    pub resources: Vec<String>,
    /// Whether it is built from another source than the declared one.
    pub overridden: bool,
}

/// Decides what each component holds, or says everything that keeps the plugins from fitting together.
pub fn plan(declaration: &Declaration, plugins: &[LoadedPlugin]) -> Result<BuildPlan, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    check_versions(declaration, plugins, &mut diagnostics);
    check_identifiers(declaration, plugins, &mut diagnostics);
    let planned: Vec<_> =
        plugins.iter().map(|plugin| Arc::new(plan_one(declaration, plugin, &mut diagnostics))).collect();
    let constraints = constraints(declaration, plugins, &mut diagnostics);
    let order = hook_order(declaration, plugins, &constraints, &mut diagnostics);
    let components = declaration.components.iter().map(|component| {
        let ordered = order.iter().map(|index| &planned[*index]);
        let meant = ordered.filter(|plugin| plugin.manifest.is_meant_for(&component.name));
        PlannedComponent { declaration: component.clone(), plugins: meant.cloned().collect() }
    });
    let components = components.collect();
    diagnostics.into_result(BuildPlan { components, constraints })
}

impl PlannedComponent {
    /// The plugins that implement each hook, in hook order; hooks that none implements are left out.
    pub fn hooks(&self) -> BTreeMap<&'static str, Vec<&PlannedPlugin>> {
        let mut hooks: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for plugin in &self.plugins {
            for hook in &plugin.hooks {
                hooks.entry(*hook).or_default().push(&**plugin);
            }
        }
        hooks
    }

    /// The plugin's place among those of this component in the order of the declaration, counted from 0: within one
    /// priority, the places of the tables are dealt out in hook order. Components carry this figure and sort by it, and
    /// a plugin of another component does not change it.
    pub fn rank(&self, plugin: &PlannedPlugin) -> usize {
        let peers = self.plugins.iter().filter(|other| other.manifest.priority == plugin.manifest.priority);
        let peers: Vec<_> = peers.map(|peer| peer.position).collect();
        let turn = peers.iter().take_while(|position| **position != plugin.position).count();
        let mut places = peers;
        places.sort_unstable();
        self.plugins.iter().filter(|other| other.position < places[turn]).count()
    }
}

impl PlannedPlugin {
    /// `name version`, as messages write it.
    pub fn title(&self) -> String {
        format!("`{}` {}", self.manifest.name, self.manifest.version)
    }
}

fn plan_one(
    declaration: &Declaration,
    plugin: &LoadedPlugin,
    diagnostics: &mut Diagnostics,
) -> PlannedPlugin {
    let mut manifest = plugin.source.manifest.clone();
    for (component, place) in plugin.declaration.components.iter().flatten() {
        if !manifest.is_meant_for(component) {
            let message =
                format!("`{component}` is not among the components that `{}` is meant for", manifest.name);
            let allowed: Vec<_> = manifest.components.iter().map(|allowed| format!("`{allowed}`")).collect();
            let help = format!(
                "the plugin manifest says {}; a declaration can narrow that, not widen it",
                allowed.join(", ")
            );
            let diagnostic =
                declaration.document.diagnostic(codes::WIDENS_COMPONENTS, place.clone(), message);
            diagnostics.push(diagnostic.with_help(help));
        }
    }
    if let Some(components) = &plugin.declaration.components {
        manifest.components = components.iter().map(|(component, _)| component.clone()).collect();
    }
    if !declaration.component_names().any(|component| manifest.is_meant_for(component)) {
        let message = format!("no declared component would hold plugin `{}`", manifest.name);
        let wanted: Vec<_> = manifest.components.iter().map(|wanted| format!("`{wanted}`")).collect();
        let help =
            format!("it is meant for {}; declare that component or remove the plugin", wanted.join(", "));
        let place = plugin.declaration.place.clone();
        let diagnostic = declaration.document.diagnostic(codes::UNUSED_PLUGIN, place, message);
        diagnostics.push(diagnostic.with_help(help));
    }
    let resources = plugin.source.files.iter().filter_map(|file| file.path.strip_prefix("resources/"));
    PlannedPlugin {
        position: plugin.declaration.position,
        source: plugin.declaration.source.clone(),
        declared_at: declaration.line_of(&plugin.declaration),
        digest: plugin.source.digest.clone(),
        folder: plugin.source.store_name(),
        identifier: identifier(&manifest),
        package: plugin.source.crate_name.clone(),
        hooks: plugin.hooks.clone(),
        resources: resources.map(str::to_owned).collect(),
        overridden: plugin.declaration.overridden,
        manifest,
    }
}

/// One plugin may come in several versions, unless it brings infrastructure targets.
fn check_versions(declaration: &Declaration, plugins: &[LoadedPlugin], diagnostics: &mut Diagnostics) {
    let mut seen: Vec<&LoadedPlugin> = Vec::new();
    for plugin in plugins {
        let manifest = &plugin.source.manifest;
        let earlier: Vec<_> =
            seen.iter().filter(|other| other.source.manifest.name == manifest.name).collect();
        let same_version = earlier.iter().find(|other| other.source.manifest.version == manifest.version);
        let brings_targets = |manifest: &PluginManifest| manifest.category == Some(Category::Infrastructure);
        let place = plugin.declaration.place.clone();
        if let Some(other) = same_version {
            let message = format!(
                "plugin `{}` {} is declared twice: by `{}` at {} and by `{}` here",
                manifest.name,
                manifest.version,
                other.declaration.source,
                declaration.line_of(&other.declaration),
                plugin.declaration.source
            );
            let help = "remove one of the two tables, or give one source another version";
            let diagnostic = declaration.document.diagnostic(codes::DUPLICATE_PLUGIN, place, message);
            diagnostics.push(diagnostic.with_help(help));
        } else if let Some(other) =
            earlier.iter().find(|other| brings_targets(manifest) || brings_targets(&other.source.manifest))
        {
            let message = format!(
                "infrastructure plugin `{0}` is declared in two versions, which would claim the same jobs: {1} at {2} and {3} here",
                manifest.name,
                other.source.manifest.version,
                declaration.line_of(&other.declaration),
                manifest.version
            );
            let diagnostic = declaration.document.diagnostic(codes::INFRASTRUCTURE_VERSIONS, place, message);
            diagnostics.push(diagnostic.with_help("keep one of the two versions"));
        }
        seen.push(plugin);
    }
}

fn check_identifiers(declaration: &Declaration, plugins: &[LoadedPlugin], diagnostics: &mut Diagnostics) {
    let mut owners: HashMap<String, &LoadedPlugin> = HashMap::new();
    for plugin in plugins {
        let manifest = &plugin.source.manifest;
        let identifier = identifier(manifest);
        let Some(owner) = owners.insert(identifier.clone(), plugin) else {
            continue;
        };
        let other = &owner.source.manifest;
        if (&other.name, &other.version) == (&manifest.name, &manifest.version) {
            continue;
        }
        let message = format!(
            "plugins `{}` {} and `{}` {} would both be called `{identifier}` in generated code",
            other.name, other.version, manifest.name, manifest.version
        );
        let help = "rename one of the two, or give it another version";
        let place = plugin.declaration.place.clone();
        let diagnostic = declaration.document.diagnostic(codes::IDENTIFIER_CLASH, place, message);
        diagnostics.push(diagnostic.with_help(help));
    }
}

/// What generated code calls the crate of a plugin.
fn identifier(manifest: &PluginManifest) -> String {
    let text = format!("plugin_{}_{}", manifest.name, manifest.version);
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;
    use racetrack_bundle::Origin;

    use super::*;
    use crate::declaration::{DeclaredOrder, Document, Profiles};

    /// A declaration that lists no plugins.
    pub fn declaration(components: &[&str]) -> Declaration {
        let component = |name: &&str| ComponentDeclaration {
            name: (*name).to_owned(),
            package: format!("package-{name}"),
            member: format!("components/{name}"),
        };
        Declaration {
            document: Document { file: "racetrack.toml".into(), text: "".into() },
            folder: "/checkout".into(),
            profile: "release".to_owned(),
            out_dir: "/checkout/dist".into(),
            components: components.iter().map(component).collect(),
            plugins: Vec::new(),
            profiles: Profiles::default(),
        }
    }

    /// A plugin for all components, with one hook.
    pub fn plugin(position: usize, name: &str, version: &str, priority: i64) -> LoadedPlugin {
        let mut manifest = PluginManifest::new(name.parse().unwrap(), version.parse().unwrap());
        manifest.priority = priority;
        let origin = Origin::Folder(format!("/checkout/plugins/{position}").into());
        LoadedPlugin {
            declaration: PluginDeclaration {
                position,
                origin: origin.clone(),
                remote: None,
                source: format!("plugins/{position}"),
                components: None,
                order: DeclaredOrder::default(),
                allow_build_script: false,
                place: 0..0,
                overridden: false,
            },
            source: PluginSource {
                origin,
                manifest,
                files: Vec::new(),
                digest: "0".repeat(64),
                crate_name: name.to_owned(),
                archive_digest: None,
            },
            hooks: vec!["job_types"],
        }
    }

    fn codes_of(plugins: &[LoadedPlugin]) -> Vec<&'static str> {
        let found = plan(&declaration(&["a"]), plugins).expect_err("the plugins do not fit together");
        found.0.iter().map(|diagnostic| diagnostic.code.0).collect()
    }

    #[test]
    fn a_plugin_goes_where_manifest_and_declaration_agree() {
        let mut everywhere = plugin(0, "everywhere", "1.0.0", 0);
        let mut narrowed = plugin(1, "narrowed", "1.0.0", 0);
        narrowed.declaration.components = Some(vec![("b".to_owned(), 0..0)]);
        everywhere.hooks.clear();
        let plan = plan(&declaration(&["a", "b"]), &[everywhere, narrowed]).unwrap();
        let names = |index: usize| {
            let plugins = plan.components[index].plugins.iter();
            plugins.map(|plugin| plugin.manifest.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(names(0), ["everywhere"]);
        assert_eq!(names(1), ["everywhere", "narrowed"]);
        assert!(plan.components[0].hooks().is_empty());
        assert_eq!(plan.components[1].hooks()["job_types"][0].title(), "`narrowed` 1.0.0");
        assert_eq!(plan.components[1].rank(&plan.components[1].plugins[1]), 1);
    }

    #[test]
    fn several_mistakes_are_reported_together() {
        let mut targets = plugin(2, "harbor", "2.0.0", 0);
        targets.source.manifest.category = Some(Category::Infrastructure);
        let mut nowhere = plugin(3, "nowhere", "1.0.0", 0);
        nowhere.source.manifest.components = vec!["b".to_owned()];
        let plugins =
            [plugin(0, "twin", "1.0.0", 0), plugin(1, "twin", "1.0.0", 0), plugin(4, "harbor", "1.0.0", 0)];
        let plugins: Vec<_> = plugins.into_iter().chain([targets, nowhere]).collect();
        assert_eq!(codes_of(&plugins), ["duplicate-plugin", "infrastructure-versions", "unused-plugin"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn hook_order_is_priority_then_position(priorities in proptest::collection::vec(-3_i64..3, 0..12)) {
            let plugins: Vec<_> = priorities
                .iter()
                .enumerate()
                .map(|(position, priority)| plugin(position, &format!("p{position}"), "1.0.0", *priority))
                .collect();
            let plan = plan(&declaration(&["a"]), &plugins).unwrap();
            let planned: Vec<_> = plan.components[0].plugins.iter().map(|plugin| plugin.position).collect();
            let mut expected: Vec<_> = (0..priorities.len()).collect();
            expected.sort_by_key(|position| (priorities[*position], *position));
            prop_assert_eq!(&planned, &expected);
            let ranks = plan.components[0].plugins.iter().map(|plugin| plan.components[0].rank(plugin));
            prop_assert_eq!(ranks.collect::<Vec<_>>(), planned);
        }
    }
}
