//! Schemas of what other crates make or take. They know nothing of `OpenAPI`, so what they serialize is described here once more;
//! tests compare both.

#![allow(dead_code, reason = "the fields are only described")]
#![allow(unused_qualifications, reason = "what utoipa's macros generate is qualified")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use racetrack_core::JobStatus;
use racetrack_store::{AuditEventType, DeploymentStatus, Scope, SubjectKind};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// An error, as every refusal and failure is answered.
#[derive(ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorSchema {
    /// What is wrong, for people.
    error: String,
    /// The class of the error, such as `ValueError`, `UnauthorizedError`, `EntityNotFound` or `AlreadyExists`.
    r#type: String,
}

/// The JSON `null`: the answer where there is nothing to tell.
pub(crate) struct Nothing;

/// A plugin's description of itself.
#[derive(ToSchema)]
#[schema(as = PluginManifest)]
pub(crate) struct PluginManifestSchema {
    name: String,
    version: String,
    /// When its bundle was made: UTC, `%Y-%m-%dT%H%M%SZ`.
    build_date: Option<String>,
    /// Its home page.
    url: Option<String>,
    /// Hooks run by ascending priority.
    priority: i64,
    /// `infrastructure`, `job-type` or `core`.
    category: Option<String>,
    /// Names of the components that it is meant for; empty means all.
    components: Vec<String>,
}

/// A job manifest, as in `job.yaml`.
#[derive(ToSchema)]
#[schema(as = JobManifest)]
pub(crate) struct JobManifestSchema {
    #[schema(max_length = 40, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    name: String,
    #[schema(pattern = "^[^@]+@.+")]
    owner_email: String,
    git: GitSourceSchema,
    #[schema(required = false)]
    version: String,
    /// The job type with its version, such as `python3:latest`.
    jobtype: Option<String>,
    /// A former name of `jobtype`.
    lang: Option<String>,
    /// The manifest that this one adds to; the client puts both together.
    extends: Option<String>,
    #[schema(required = false)]
    image_type: String,
    system_dependencies: Option<Vec<String>>,
    build_env: Option<BTreeMap<String, String>>,
    runtime_env: Option<BTreeMap<String, String>>,
    secret_build_env_file: Option<String>,
    secret_runtime_env_file: Option<String>,
    /// Anything, for people and plugins.
    labels: Option<BTreeMap<String, Value>>,
    public_endpoints: Option<Vec<String>>,
    #[schema(required = false, minimum = 1, maximum = 50)]
    replicas: u32,
    resources: Option<ResourcesSchema>,
    /// What the job type asks for.
    jobtype_extra: Option<BTreeMap<String, Value>>,
    python: Option<BTreeMap<String, Value>>,
    golang: Option<BTreeMap<String, Value>>,
    docker: Option<BTreeMap<String, Value>>,
    wrapper_properties: Option<BTreeMap<String, Value>>,
    infrastructure_target: Option<String>,
}

/// Where the source of a job is.
#[derive(ToSchema)]
#[schema(as = GitSource)]
pub(crate) struct GitSourceSchema {
    /// The address of the repository.
    remote: String,
    branch: Option<String>,
    /// The folder of the job inside the repository.
    #[schema(required = false)]
    directory: String,
}

/// How much memory and CPU an instance of a job gets: quantities such as `512Mi` and `1500m`.
#[derive(ToSchema)]
#[schema(as = Resources)]
pub(crate) struct ResourcesSchema {
    memory_min: Option<String>,
    memory_max: Option<String>,
    cpu_min: Option<String>,
    cpu_max: Option<String>,
}

/// A user name and a password or token of a git server.
#[derive(ToSchema)]
#[schema(as = GitCredentials)]
pub(crate) struct GitCredentialsSchema {
    username: String,
    password: String,
}

/// All versions of a job.
#[derive(ToSchema)]
#[schema(as = JobFamily)]
pub(crate) struct JobFamilySchema {
    name: String,
    /// Identifies it in graphs.
    id: String,
}

/// A path of a job that anybody may call.
#[derive(ToSchema)]
#[schema(as = PublicEndpoint)]
pub(crate) struct PublicEndpointSchema {
    job_name: String,
    job_version: String,
    endpoint: String,
    active: bool,
}

/// A version of a job.
#[derive(ToSchema)]
#[schema(as = JobKey)]
pub(crate) struct JobKeySchema {
    name: String,
    /// The exact version.
    version: String,
}

/// Whoever tokens and permissions are for.
#[derive(ToSchema)]
#[schema(as = Subject)]
pub(crate) struct SubjectSchema {
    kind: SubjectKindName,
    /// The name of the user or the job family, or the id of the ESC.
    name: String,
}

/// A program that calls jobs.
#[derive(ToSchema)]
#[schema(as = Esc)]
pub(crate) struct EscSchema {
    /// Its name among people; two may have the same.
    name: String,
    id: String,
}

/// An attempt to bring a version of a job up. Times are seconds since 1970.
#[derive(ToSchema)]
#[schema(as = Deployment)]
pub(crate) struct DeploymentSchema {
    id: String,
    status: DeploymentStatusName,
    create_time: i64,
    /// When it last made progress.
    update_time: i64,
    /// Why it failed.
    error: Option<String>,
    /// Who asked for it.
    deployed_by: Option<String>,
    /// What is being done, or was when it failed.
    phase: Option<String>,
    image_name: Option<String>,
    infrastructure_target: Option<String>,
    manifest_yaml: String,
    job_name: String,
    job_version: String,
    /// What its owner should know, a line each.
    warnings: Option<String>,
}

/// Something that was done.
#[derive(ToSchema)]
#[schema(as = AuditEvent)]
pub(crate) struct AuditEventSchema {
    id: String,
    /// The version of this shape: 1.
    version: u32,
    /// When it was done, in seconds since 1970.
    timestamp: i64,
    event_type: AuditEventTypeName,
    /// More about it.
    properties: BTreeMap<String, Value>,
    /// Who did it.
    username_executor: Option<String>,
    /// To whom.
    username_subject: Option<String>,
    job_name: Option<String>,
    job_version: Option<String>,
}

/// The name of a [`Scope`].
pub(crate) struct ScopeName;

/// The name of a [`SubjectKind`] that permissions are for: all but the parts of Racetrack.
pub(crate) struct SubjectKindName;

/// The name of a [`JobStatus`].
pub(crate) struct JobStatusName;

/// The name of a [`DeploymentStatus`].
pub(crate) struct DeploymentStatusName;

/// The name of an [`AuditEventType`].
pub(crate) struct AuditEventTypeName;

impl PartialSchema for Nothing {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Null).description(Some("Nothing.")).into()
    }
}

impl PartialSchema for ScopeName {
    fn schema() -> RefOr<Schema> {
        names(Scope::ALL)
    }
}

impl PartialSchema for SubjectKindName {
    fn schema() -> RefOr<Schema> {
        use SubjectKind::{Esc, JobFamily, User};
        names([User, Esc, JobFamily])
    }
}

impl PartialSchema for JobStatusName {
    fn schema() -> RefOr<Schema> {
        use JobStatus::{Error, Lost, Orphaned, Running, Starting};
        names([Starting, Running, Error, Orphaned, Lost])
    }
}

impl PartialSchema for DeploymentStatusName {
    fn schema() -> RefOr<Schema> {
        use DeploymentStatus::{Done, Failed, InProgress};
        names([InProgress, Done, Failed])
    }
}

impl PartialSchema for AuditEventTypeName {
    fn schema() -> RefOr<Schema> {
        use AuditEventType::{
            DeploymentFailed, JobDeleted, JobDeployed, JobMoved, JobRedeployed, PluginInstalled,
            PluginUninstalled,
        };
        names([
            JobDeployed,
            JobRedeployed,
            JobDeleted,
            JobMoved,
            DeploymentFailed,
            PluginInstalled,
            PluginUninstalled,
        ])
    }
}

impl ToSchema for Nothing {}

impl ToSchema for ScopeName {
    fn name() -> Cow<'static, str> {
        "Scope".into()
    }
}

impl ToSchema for SubjectKindName {
    fn name() -> Cow<'static, str> {
        "SubjectKind".into()
    }
}

impl ToSchema for JobStatusName {
    fn name() -> Cow<'static, str> {
        "JobStatus".into()
    }
}

impl ToSchema for DeploymentStatusName {
    fn name() -> Cow<'static, str> {
        "DeploymentStatus".into()
    }
}

impl ToSchema for AuditEventTypeName {
    fn name() -> Cow<'static, str> {
        "AuditEventType".into()
    }
}

/// The texts that values are serialized as.
fn names<T: Serialize>(values: impl IntoIterator<Item = T>) -> RefOr<Schema> {
    let names = values.into_iter().map(|value| serde_json::json!(value));
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use racetrack_core::{Job, JobManifest, PluginManifest};
    use racetrack_store::{
        AuditFilter, DatabaseUrl, JobKey, NewAuditEvent, NewDeployment, Store, Subject, Visibility,
    };

    use super::*;

    /// What is serialized has exactly the fields that are described; those in `left_out` are absent where they are empty.
    #[track_caller]
    fn compare<S: PartialSchema>(value: &impl Serialize, left_out: &[&str]) {
        let value = serde_json::to_value(value).unwrap();
        let schema = serde_json::to_value(S::schema()).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let mut serialized = keys(&value);
        serialized.extend(left_out.iter().map(|key| (*key).to_owned()));
        assert_eq!(serialized, keys(&schema["properties"]));
    }

    #[test]
    fn manifests_are_as_described() {
        let plugin = PluginManifest::new("watcher".parse().unwrap(), "1.0.0".parse().unwrap());
        compare::<PluginManifestSchema>(&plugin, &[]);
        let manifest = "name: adder\nowner_email: a@example.com\ngit: {remote: 'https://example.com'}\n\
                        jobtype: python3:latest\nresources: {memory_min: 1Mi}";
        let manifest = JobManifest::parse(manifest).unwrap();
        compare::<JobManifestSchema>(
            &manifest,
            &[
                "lang",
                "extends",
                "system_dependencies",
                "build_env",
                "runtime_env",
                "secret_build_env_file",
                "secret_runtime_env_file",
                "labels",
                "public_endpoints",
                "jobtype_extra",
                "python",
                "golang",
                "docker",
                "wrapper_properties",
                "infrastructure_target",
            ],
        );
        compare::<GitSourceSchema>(&manifest.git, &["branch"]);
        compare::<ResourcesSchema>(&manifest.resources.unwrap(), &["memory_max", "cpu_min", "cpu_max"]);
        let is_described = |key: &str| JobManifest::parse(&format!("{key}: 1")).unwrap_err().to_string();
        assert!(!is_described("owner_email").contains("unknown"));
    }

    #[tokio::test]
    async fn what_is_stored_is_as_described() {
        let store = Store::open(&DatabaseUrl::memory()).await.unwrap();
        let manifest_yaml = "public_endpoints: [/a]".to_owned();
        let mut job = Job::new("adder", "1.0.0", JobStatus::Running, 0);
        job.manifest_yaml = Some(manifest_yaml.clone());
        store.save_job(&job, &[]).await.unwrap();
        compare::<JobFamilySchema>(&store.job_families().await.unwrap()[0], &[]);
        compare::<EscSchema>(&store.create_esc("Bob", None).await.unwrap(), &[]);
        let deployment = NewDeployment {
            job_name: "adder".to_owned(),
            job_version: "1.0.0".to_owned(),
            manifest_yaml,
            infrastructure_target: None,
            deployed_by: None,
            image_name: None,
        };
        compare::<DeploymentSchema>(&store.claim_deployment(&deployment).await.unwrap(), &[]);
        store.add_audit_event(&NewAuditEvent::new(AuditEventType::JobMoved)).await.unwrap();
        let events = store.audit_events(&AuditFilter::default(), &Visibility::ALL, 1).await.unwrap();
        compare::<AuditEventSchema>(&events[0], &[]);
        let key = JobKey { name: "adder".to_owned(), version: "1.0.0".to_owned() };
        compare::<JobKeySchema>(&key, &[]);
        compare::<SubjectSchema>(&Subject::user("admin"), &[]);
    }
}
