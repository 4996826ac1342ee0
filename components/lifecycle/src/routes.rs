//! The list of routes: each with its handler and what it asks of its caller; those of the API also with their place in the
//! `OpenAPI` document.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use racetrack_store::Scope;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApi, OpenApiBuilder, Paths};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::App;
use crate::auth::{Access, Guard, authorize};
use crate::document::answers;

/// The name of the token's header in the `OpenAPI` document.
const TOKEN_SCHEME: &str = "token";

/// What is listed as the method of a route for every method.
pub const ANY_METHOD: &str = "*";

/// A route, as tests and documents list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method, in upper case.
    pub method: String,
    /// The path from the root, with its parameters in braces.
    pub path: String,
    /// What is asked of the caller.
    pub access: Access,
    /// Whether it is closed during maintenance.
    pub is_closed_in_maintenance: bool,
    /// Whether it is also served below `/lifecycle`.
    pub is_below_lifecycle: bool,
}

/// Segments of paths by which a route is about jobs.
const SEGMENTS_ABOUT_JOBS: [&str; 9] =
    ["audit", "build", "can-call-job", "deploy", "job", "job_endpoint", "job_family", "jobs", "socket.io"];

/// Where the API is.
pub(crate) const API: &str = "/api/v1";

impl Route {
    /// Whether its answers tell something of jobs, or it does something to them. To be known is not enough for such a route.
    pub fn is_about_jobs(&self) -> bool {
        self.path.split('/').any(|segment| SEGMENTS_ABOUT_JOBS.contains(&segment))
    }
}

/// Collects routes.
pub(crate) struct Routes {
    app: App,
    api: Router<App>,
    beside: Router<App>,
    calls: Router<App>,
    document: OpenApi,
    list: Vec<Route>,
}

impl Routes {
    pub(crate) fn new(app: &App, title: &str, version: &str) -> Self {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Racetrack-Auth")));
        let mut components = ComponentsBuilder::new().security_scheme(TOKEN_SCHEME, scheme).build();
        answers::describe_errors(&mut components);
        let document = OpenApiBuilder::new().info(Info::new(title, version)).components(Some(components));
        Self {
            app: app.clone(),
            api: Router::new(),
            beside: Router::new(),
            calls: Router::new(),
            document: document.build(),
            list: Vec::new(),
        }
    }

    /// The document of the routes of the API so far.
    pub(crate) const fn document(&self) -> &OpenApi {
        &self.document
    }

    /// Adds a route beside the API, for requests to read.
    pub(crate) fn add_beside(mut self, access: Access, path: &str, handler: MethodRouter<App>) -> Self {
        let guard = Guard { app: self.app.clone(), access, is_closed_in_maintenance: false };
        self.beside = self.beside.route(path, handler.route_layer(from_fn_with_state(guard, authorize)));
        self.list_beside("GET", path, access);
        self
    }

    /// Adds routes beside the API that a service of its own answers, which asks for the access itself.
    pub(crate) fn add_service(mut self, access: Access, paths: &[&str], service: Router<App>) -> Self {
        self.beside = self.beside.merge(service);
        for path in paths {
            for method in ["GET", "POST"] {
                self.list_beside(method, path, access);
            }
        }
        self
    }

    /// Adds a route for calls of jobs with any method, which are nowhere else; the handler asks for the access itself.
    pub(crate) fn add_calls(mut self, path: &str, handler: MethodRouter<App>) -> Self {
        self.calls = self.calls.route(path, handler);
        self.list.push(Route {
            method: ANY_METHOD.to_owned(),
            path: path.to_owned(),
            access: Access::Call,
            is_closed_in_maintenance: true,
            is_below_lifecycle: false,
        });
        self
    }

    /// Adds the routes of a handler.
    pub(crate) fn add(self, access: Access, routes: UtoipaMethodRouter<App>) -> Self {
        self.add_guarded(access, false, routes)
    }

    /// Adds the routes of a handler that changes something, and so is closed during maintenance.
    pub(crate) fn add_changing(self, access: Access, routes: UtoipaMethodRouter<App>) -> Self {
        self.add_guarded(access, true, routes)
    }

    /// The routers: of everything that is also below `/lifecycle`, and of the calls of jobs.
    pub(crate) fn into_routers(self) -> (Router<App>, Router<App>) {
        (self.beside.nest(API, self.api), self.calls)
    }

    /// The list.
    pub(crate) fn into_list(self) -> Vec<Route> {
        self.list
    }

    fn list_beside(&mut self, method: &str, path: &str, access: Access) {
        self.list.push(Route {
            method: method.to_owned(),
            path: path.to_owned(),
            access,
            is_closed_in_maintenance: false,
            is_below_lifecycle: true,
        });
    }

    fn add_guarded(
        mut self,
        access: Access,
        is_closed_in_maintenance: bool,
        (schemas, mut paths, methods): UtoipaMethodRouter<App>,
    ) -> Self {
        self.list_paths(&mut paths, access, is_closed_in_maintenance);
        let guard = Guard { app: self.app.clone(), access, is_closed_in_maintenance };
        let methods = methods.route_layer(from_fn_with_state(guard, authorize));
        for path in paths.paths.keys() {
            self.api = self.api.route(&router_path(path), methods.clone());
        }
        let components = ComponentsBuilder::new().schemas_from_iter(schemas).build();
        self.document.merge(OpenApiBuilder::new().paths(paths).components(Some(components)).build());
        self
    }

    /// Lists the routes, and says in their document what they ask.
    fn list_paths(&mut self, paths: &mut Paths, access: Access, is_closed_in_maintenance: bool) {
        for (path, item) in &mut paths.paths {
            let methods = [
                ("GET", &mut item.get),
                ("POST", &mut item.post),
                ("PUT", &mut item.put),
                ("DELETE", &mut item.delete),
            ];
            for (method, operation) in methods {
                let Some(operation) = operation else { continue };
                operation.operation_id = Some(operation_id(operation));
                let token = || SecurityRequirement::new(TOKEN_SCHEME, [] as [&str; 0]);
                operation.security = match access {
                    Access::Open => None,
                    // Or none, where anybody may call the endpoint.
                    Access::Call => Some(vec![token(), SecurityRequirement::default()]),
                    _ => Some(vec![token()]),
                };
                answers::complete(operation, access, is_closed_in_maintenance);
                let description = operation.description.get_or_insert_default();
                if !description.is_empty() {
                    description.push_str("\n\n");
                }
                description.push_str(&in_words(access));
                self.list.push(Route {
                    method: method.to_owned(),
                    path: format!("{API}{path}"),
                    access,
                    is_closed_in_maintenance,
                    is_below_lifecycle: true,
                });
            }
        }
    }
}

/// Handlers of several groups may have one name, and operations may not.
fn operation_id(operation: &Operation) -> String {
    let tags = operation.tags.iter().flatten().map(String::as_str);
    tags.chain(operation.operation_id.as_deref()).collect::<Vec<_>>().join("_")
}

/// Where `OpenAPI` has `{path}` for everything that follows, the router has a wildcard.
fn router_path(path: &str) -> String {
    path.replace("/{path}", "/{*path}")
}

fn in_words(access: Access) -> String {
    let scope = |scope: Scope, what: &str| format!("Asks for a token with the scope `{scope}`{what}.");
    match access {
        Access::Open => "Asks for no token.".to_owned(),
        Access::Authenticated => "Asks for any token.".to_owned(),
        Access::User => "Asks for the token of a user.".to_owned(),
        Access::Staff => "Asks for the token of an administrator.".to_owned(),
        Access::StaffWith(wanted) => {
            format!("Asks for the token of an administrator with the scope `{wanted}` for all jobs.")
        }
        Access::Internal => "For parts of Racetrack.".to_owned(),
        Access::Anywhere(wanted) => scope(wanted, " for some job, and answers what that allows"),
        Access::Everywhere(wanted) => scope(wanted, ""),
        Access::Job(wanted) => scope(wanted, " for the job"),
        Access::Build(wanted) => scope(wanted, " for the version"),
        Access::Filtered(wanted) => format!(
            "Asks for any token, and answers what is about jobs for which the token has the scope `{wanted}`, and what the \
             caller did."
        ),
        Access::FilteredForUsers(wanted) => format!(
            "Asks for the token of a user, and answers what is about jobs for which the token has the scope `{wanted}`, \
             and what the user did."
        ),
        Access::Manifest => {
            let scopes = (Scope::DeployJob, Scope::DeployNewFamily);
            format!(
                "Asks for a token with the scope `{}` for the version in the manifest, or `{}` for the first.",
                scopes.0, scopes.1
            )
        }
        Access::Listen => "Asks for any token, in the header or as a subprotocol.".to_owned(),
        Access::Follow => "Asks for no token to connect, and for each log as `live-logs` says.".to_owned(),
        Access::Handler => "Asks for a token that allows what is asked about.".to_owned(),
        Access::Call => {
            scope(Scope::CallJob, " for the endpoint, or for no token where anybody may call the endpoint")
        }
    }
}
