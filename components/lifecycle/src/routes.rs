//! The list of routes: each with its handler, what it asks of its caller, and its place in the `OpenAPI` document.

use axum::Router;
use axum::middleware::from_fn_with_state;
use racetrack_store::Scope;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApi, OpenApiBuilder, Paths};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::App;
use crate::auth::{Access, Guard, authorize};

/// The name of the token's header in the `OpenAPI` document.
const TOKEN_SCHEME: &str = "token";

/// A route, as tests and documents list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method, in upper case.
    pub method: String,
    /// The path below the API's, with its parameters in braces.
    pub path: String,
    /// What is asked of the caller.
    pub access: Access,
    /// Whether it is closed during maintenance.
    pub is_closed_in_maintenance: bool,
}

/// Collects routes.
pub(crate) struct Routes {
    app: App,
    router: Router<App>,
    document: OpenApi,
    list: Vec<Route>,
}

impl Routes {
    pub(crate) fn new(app: &App, title: &str, version: &str) -> Self {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Racetrack-Auth")));
        let components = ComponentsBuilder::new().security_scheme(TOKEN_SCHEME, scheme).build();
        let document = OpenApiBuilder::new().info(Info::new(title, version)).components(Some(components));
        Self { app: app.clone(), router: Router::new(), document: document.build(), list: Vec::new() }
    }

    /// Adds the routes of a handler.
    pub(crate) fn add(self, access: Access, routes: UtoipaMethodRouter<App>) -> Self {
        self.add_guarded(access, false, routes)
    }

    /// Adds the routes of a handler that changes something, and so is closed during maintenance.
    pub(crate) fn add_changing(self, access: Access, routes: UtoipaMethodRouter<App>) -> Self {
        self.add_guarded(access, true, routes)
    }

    /// The router, its document, and the list.
    pub(crate) fn finish(self) -> (Router<App>, OpenApi, Vec<Route>) {
        (self.router, self.document, self.list)
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
            self.router = self.router.route(&router_path(path), methods.clone());
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
                if access != Access::Open {
                    let requirement = SecurityRequirement::new(TOKEN_SCHEME, [] as [&str; 0]);
                    operation.security = Some(vec![requirement]);
                }
                let description = operation.description.get_or_insert_default();
                if !description.is_empty() {
                    description.push_str("\n\n");
                }
                description.push_str(&in_words(access));
                self.list.push(Route {
                    method: method.to_owned(),
                    path: path.clone(),
                    access,
                    is_closed_in_maintenance,
                });
            }
        }
    }
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
        Access::Internal => "For parts of Racetrack.".to_owned(),
        Access::Anywhere(wanted) => scope(wanted, " for some job, and answers what that allows"),
        Access::Everywhere(wanted) => scope(wanted, ""),
        Access::Job(wanted) => scope(wanted, " for the job"),
        Access::Build(wanted) => scope(wanted, " for the version"),
        Access::Handler => "Asks for a token that allows what is asked about.".to_owned(),
        Access::Call => {
            scope(Scope::CallJob, " for the endpoint, or for no token where anybody may call the endpoint")
        }
    }
}
