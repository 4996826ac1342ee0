//! What is built: which plugins each component holds, and in which order their hooks run. A pure function of the
//! declaration and of the sources it names.

mod conflict;
pub mod constraint;
pub mod explain;
pub mod graph;
mod loaded;
mod loaded_plugin;
pub mod order;
mod planned;
pub mod view;

use std::sync::Arc;

use racetrack_bundle::Diagnostics;

use crate::codes;
use crate::declaration::Declaration;
use crate::plan::conflict::{check_identifiers, check_versions, identifier};
use crate::plan::constraint::{constraints, hook_order};

pub use loaded::Loaded;
pub use loaded_plugin::LoadedPlugin;
pub use planned::{BuildPlan, PlannedComponent, PlannedPlugin, binary_package};

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

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;
    use racetrack_bundle::{Origin, PluginSource};
    use racetrack_core::{Category, PluginManifest};

    use super::*;
    use crate::declaration::{ComponentDeclaration, DeclaredOrder, Document, PluginDeclaration, Profiles};

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
