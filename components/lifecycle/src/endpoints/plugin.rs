//! The plugins: what they offer, what they document, and their actions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use futures_util::StreamExt;
use racetrack_core::catalogue::Catalogue;
use racetrack_core::registry::PluginEntry;
use racetrack_core::{Hook, PluginManifest, Registry, RunAction, Version};
use racetrack_service::extract::{JsonObject, Path, Query};
use racetrack_service::{ApiError, HookRuntime, plugin_endpoints};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::App;

/// The longest body that is read only to be ignored.
const MAX_IGNORED_BYTES: usize = 256 << 20;

/// What `GET /plugin/tree` answers: the plugins, and below those that offer something what it is.
#[derive(Debug, Serialize)]
pub(crate) struct Tree {
    plugins: Vec<PluginManifest>,
    job_type_plugins_data: Vec<JobTypePlugin>,
    infrastructure_plugins_data: Vec<InfrastructurePlugin>,
}

#[derive(Debug, Serialize)]
struct JobTypePlugin {
    name: String,
    version: String,
    job_types: Vec<Offer>,
}

#[derive(Debug, Serialize)]
struct InfrastructurePlugin {
    name: String,
    version: String,
    infrastructures: Vec<Offer>,
}

#[derive(Debug, Serialize)]
struct Offer {
    name: String,
    active_jobs: usize,
}

/// `GET /plugin/infrastructure_targets`: each target's name, and the manifest of the plugin that provides it.
pub(crate) async fn infrastructure_targets(State(app): State<App>) -> Json<BTreeMap<String, PluginManifest>> {
    let entries = app.service.hooks.registry().entries();
    let targets = app.infrastructure_targets.iter();
    let targets = targets.map(|(name, offer)| (name.to_owned(), entries[offer.plugin].manifest.clone()));
    Json(targets.collect())
}

/// `GET /plugin/tree`: what each plugin offers, sorted by the plugin's name and version. No jobs are deployed yet, so
/// none is active.
pub(crate) async fn tree(State(app): State<App>) -> Json<Tree> {
    let hooks = &app.service.hooks;
    let job_types = by_plugin(&app.job_types, hooks.registry()).into_iter();
    let targets = by_plugin(&app.infrastructure_targets, hooks.registry()).into_iter();
    Json(Tree {
        plugins: plugin_endpoints::manifests(hooks),
        job_type_plugins_data: job_types
            .map(|((name, version), job_types)| JobTypePlugin {
                name,
                version: version.to_string(),
                job_types,
            })
            .collect(),
        infrastructure_plugins_data: targets
            .map(|((name, version), infrastructures)| InfrastructurePlugin {
                name,
                version: version.to_string(),
                infrastructures,
            })
            .collect(),
    })
}

/// `GET /plugin/{name}/docs`: the documentation of a plugin in Markdown, or null.
pub(crate) async fn docs(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Option<String>>, ApiError> {
    let hooks = &app.service.hooks;
    let entry = find(hooks, &name)?;
    let docs = hooks.call_one(entry, Hook::MarkdownDocs, Arc::new(()), |plugin, ()| plugin.markdown_docs());
    Ok(Json(docs.await?))
}

/// `POST /plugin/{name}/run`: runs the action of a plugin with the parameters of the query string and of the JSON
/// body. Where both have one parameter, the body wins.
pub(crate) async fn run(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let hooks = &app.service.hooks;
    let entry = find(hooks, &name)?;
    let query = query.into_iter().map(|(name, value)| (name, Value::String(value)));
    let parameters: Map<_, _> = query.chain(body).collect();
    let answer = hooks.call_one(entry, Hook::RunAction, Arc::new(parameters), |plugin, parameters| {
        plugin.run_action(RunAction::new(parameters))
    });
    Ok(Json(answer.await?))
}

/// `POST /plugin/upload` and `DELETE /plugin/{name}/{version}`: answers how plugins are changed instead.
pub(crate) async fn refuse_change(body: Body) -> ApiError {
    // A client that is still sending would see a broken connection instead of the answer.
    let mut rest = body.into_data_stream();
    let mut ignored = 0;
    while let Some(Ok(part)) = rest.next().await {
        ignored += part.len();
        if ignored > MAX_IGNORED_BYTES {
            break;
        }
    }
    ApiError::already_exists(
        "the plugins of this server were chosen when it was built, and cannot be changed while it runs; to add, replace \
         or remove one, change the [[plugin]] tables of racetrack.toml, run `cargo xtask build` and restart the server",
    )
}

/// The plugin of that name; of several versions the one with the highest.
fn find<'a>(hooks: &'a HookRuntime, name: &str) -> Result<&'a PluginEntry, ApiError> {
    let entry = hooks.registry().named(name);
    entry.ok_or_else(|| ApiError::not_found(format!("plugin named \"{name}\" was not found")))
}

fn by_plugin<T>(catalogue: &Catalogue<T>, registry: &Registry) -> BTreeMap<(String, Version), Vec<Offer>> {
    let mut offers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, offer) in catalogue.iter() {
        let PluginManifest { name: plugin, version, .. } = &registry.entries()[offer.plugin].manifest;
        offers
            .entry((plugin.to_string(), version.clone()))
            .or_default()
            .push(Offer { name: name.to_owned(), active_jobs: 0 });
    }
    offers
}
