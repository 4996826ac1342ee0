//! The plugins: what they offer, what they document, and their actions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use futures_util::StreamExt;
use racetrack_core::host::catalogue::Catalogue;
use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::host::registry::PluginEntry;
use racetrack_core::{Hook, Job, PluginManifest, Registry, RunAction, Version};
use racetrack_service::extract::{JsonObject, Path, Query};
use racetrack_service::{ApiError, plugin_endpoints};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::App;
use crate::auth::Caller;
use crate::document::schemas::PluginManifestSchema;
use crate::endpoints::jobs::may_read;
use crate::request_error::RequestError;

/// The longest body that is read only to be ignored.
const MAX_IGNORED_BYTES: usize = 256 << 20;

/// The plugins, and below those that offer something what it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tree {
    #[schema(value_type = Vec<PluginManifestSchema>)]
    plugins: Vec<PluginManifest>,
    job_type_plugins_data: Vec<JobTypePlugin>,
    infrastructure_plugins_data: Vec<InfrastructurePlugin>,
}

#[derive(Debug, Serialize, ToSchema)]
struct JobTypePlugin {
    name: String,
    version: String,
    job_types: Vec<Offer>,
}

#[derive(Debug, Serialize, ToSchema)]
struct InfrastructurePlugin {
    name: String,
    version: String,
    infrastructures: Vec<Offer>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Offer {
    name: String,
    active_jobs: usize,
}

/// Lists the plugins, in hook order
#[utoipa::path(get, path = "/plugin", tag = "plugins", responses((status = 200, body = Vec<PluginManifestSchema>)))]
pub(crate) async fn list(State(app): State<App>) -> Json<Vec<PluginManifest>> {
    Json(plugin_endpoints::manifests(&app.service.hooks))
}

/// Lists the job types by full name
#[utoipa::path(get, path = "/plugin/job_type/versions", tag = "plugins", responses((status = 200, body = Vec<String>)))]
pub(crate) async fn job_type_versions(State(app): State<App>) -> Json<Vec<String>> {
    Json(app.offers().job_types.iter().map(|(name, _)| name.to_owned()).collect())
}

/// Lists the infrastructure targets, each with the manifest of the plugin that provides it
#[utoipa::path(get, path = "/plugin/infrastructure_targets", tag = "plugins",
    responses((status = 200, body = BTreeMap<String, PluginManifestSchema>)))]
pub(crate) async fn infrastructure_targets(State(app): State<App>) -> Json<BTreeMap<String, PluginManifest>> {
    let registry = app.service.hooks.registry();
    let entries = registry.entries();
    let offers = app.offers();
    let targets = offers.targets.iter();
    let targets = targets.map(|(name, offer)| (name.to_owned(), entries[offer.plugin].manifest.clone()));
    Json(targets.collect())
}

/// Shows what each plugin offers, and how many of the jobs that the caller may read use it
#[utoipa::path(get, path = "/plugin/tree", tag = "plugins", responses((status = 200, body = Tree)))]
pub(crate) async fn tree(State(app): State<App>, caller: Caller) -> Result<Json<Tree>, RequestError> {
    let hooks = &app.service.hooks;
    let offers = app.offers();
    let jobs = app.store.jobs().await?;
    let readable: Vec<_> = jobs.as_slice().iter().filter(|record| may_read(&caller, record)).collect();
    let count = |is_of: &dyn Fn(&Job) -> bool| readable.iter().filter(|record| is_of(&record.job)).count();
    let of_type = |name: &str| count(&|job| job.job_type_version.as_deref() == Some(name));
    let on_target = |name: &str| count(&|job| job.infrastructure_target.as_deref() == Some(name));
    let registry = hooks.registry();
    let job_types = by_plugin(&offers.job_types, &registry, of_type).into_iter();
    let targets = by_plugin(&offers.targets, &registry, on_target).into_iter();
    Ok(Json(Tree {
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
    }))
}

/// Shows the documentation of a plugin in Markdown, or null
#[utoipa::path(get, path = "/plugin/{name}/docs", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = Option<String>, content_type = "application/json"), (status = 404, description = "there is no such plugin")))]
pub(crate) async fn docs(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Option<String>>, ApiError> {
    let hooks = &app.service.hooks;
    let registry = hooks.registry();
    let entry = find(&registry, &name)?;
    let docs = hooks.call_one(entry, Hook::MarkdownDocs, Arc::new(()), |plugin, ()| plugin.markdown_docs());
    Ok(Json(docs.await?))
}

/// Runs the action of a plugin
///
/// Its parameters are those of the query string and of the JSON body. Where both have one, the body wins. A plugin is not told who
/// asks, and may answer with whatever it knows of jobs.
#[utoipa::path(post, path = "/plugin/{name}/run", tag = "plugins", params(("name" = String, Path)),
    request_body = Option<BTreeMap<String, Value>>,
    responses((status = 200, description = "what the plugin answers: any JSON", body = Value),
        (status = 400, description = "the plugin does not understand the request"),
        (status = 404, description = "there is no such plugin, it has no action, or what the action is about is not there"),
        (status = 409, description = "the plugin cannot do this now")))]
pub(crate) async fn run(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    let hooks = &app.service.hooks;
    let registry = hooks.registry();
    let entry = find(&registry, &name)?;
    let query = query.into_iter().map(|(name, value)| (name, Value::String(value)));
    let parameters: Map<_, _> = query.chain(body).collect();
    let answer = hooks.call_one(entry, Hook::RunAction, Arc::new(parameters), |plugin, parameters| {
        plugin.run_action(RunAction::new(parameters))
    });
    let answer = answer.await.map_err(|failure| match &failure.cause {
        HookFailureCause::Refused { kind, text } => ApiError::refused(*kind, text.to_string()),
        _ => failure.into(),
    });
    Ok(Json(answer?))
}

/// Answers how a plugin is added instead
#[utoipa::path(post, path = "/plugin/upload", tag = "plugins", responses((status = 409, description = "always")))]
pub(crate) async fn upload(body: Body) -> ApiError {
    refuse_change(body).await
}

/// Answers how a plugin is added instead
#[utoipa::path(post, path = "/plugin/upload/{filename}", tag = "plugins", params(("filename" = String, Path)),
    responses((status = 409, description = "always")))]
pub(crate) async fn upload_file(body: Body) -> ApiError {
    refuse_change(body).await
}

/// Answers how a plugin is removed instead
#[utoipa::path(delete, path = "/plugin/{name}/{version}", tag = "plugins",
    params(("name" = String, Path), ("version" = String, Path)), responses((status = 409, description = "always")))]
pub(crate) async fn delete(body: Body) -> ApiError {
    refuse_change(body).await
}

/// Answers how plugins are removed instead
#[utoipa::path(delete, path = "/plugin/all", tag = "plugins", responses((status = 409, description = "always")))]
pub(crate) async fn delete_all(body: Body) -> ApiError {
    refuse_change(body).await
}

/// Answers why there is no bundle of a plugin here
#[utoipa::path(get, path = "/plugin/{name}/{version}/download", tag = "plugins",
    params(("name" = String, Path), ("version" = String, Path)), responses((status = 404, description = "always")))]
pub(crate) async fn download(Path((name, version)): Path<(String, String)>) -> ApiError {
    ApiError::not_found(format!(
        "plugin {name} {version} is not a file here: plugins are part of this server; their sources are where racetrack.toml \
         says"
    ))
}

async fn refuse_change(body: Body) -> ApiError {
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
fn find<'a>(registry: &'a Registry, name: &str) -> Result<&'a PluginEntry, ApiError> {
    let entry = registry.named(name);
    entry.ok_or_else(|| ApiError::not_found(format!("plugin named \"{name}\" was not found")))
}

fn by_plugin<T>(
    catalogue: &Catalogue<T>,
    registry: &Registry,
    active_jobs: impl Fn(&str) -> usize,
) -> BTreeMap<(String, Version), Vec<Offer>> {
    let mut offers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, offer) in catalogue.iter() {
        let PluginManifest { name: plugin, version, .. } = &registry.entries()[offer.plugin].manifest;
        offers
            .entry((plugin.to_string(), version.clone()))
            .or_default()
            .push(Offer { name: name.to_owned(), active_jobs: active_jobs(name) });
    }
    offers
}
