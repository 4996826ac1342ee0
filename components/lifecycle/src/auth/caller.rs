//! Whoever calls the API or a job.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use racetrack_service::ApiError;
use racetrack_store::{
    AccessRequest, AccessTable, Permission, ReadableJobs, Scope, Subject, SubjectKind, may, may_anywhere,
};

/// A caller whose token was good, with what the caller may do. Handlers find it among the request's extensions.
#[derive(Clone, Debug)]
pub struct Caller(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Nobody is asked who they are.
    Anybody,
    /// A user, an ESC or the jobs of a family.
    Known { subject: Subject, access: Arc<AccessTable>, token: ShownToken },
    /// A part of Racetrack.
    Internal { name: String, permissions: Vec<Permission> },
}

/// What is known of the token that a caller showed.
#[derive(Clone, Debug)]
pub(crate) struct ShownToken {
    /// Identifies it.
    pub(crate) id: String,
    /// From when on it is not good any more, in seconds since 1970.
    pub(crate) expiry_time: Option<i64>,
    /// Whether it is good for calls of jobs only.
    pub(crate) is_for_calls: bool,
    /// Whether it ends with the session of a user who logged in.
    pub(crate) is_of_session: bool,
}

impl Caller {
    /// Whoever calls when nobody is asked: may do everything.
    pub(crate) const fn anybody() -> Self {
        Self(Kind::Anybody)
    }

    pub(crate) const fn known(subject: Subject, access: Arc<AccessTable>, token: ShownToken) -> Self {
        Self(Kind::Known { subject, access, token })
    }

    pub(crate) fn internal(name: &str, scopes: &[Scope]) -> Self {
        let permissions = scopes.iter().map(|scope| Permission::everywhere(*scope)).collect();
        Self(Kind::Internal { name: name.to_owned(), permissions })
    }

    /// Whom the token stands for. Nobody in particular when nobody is asked.
    pub fn subject(&self) -> Option<Subject> {
        match &self.0 {
            Kind::Anybody => None,
            Kind::Known { subject, .. } => Some(subject.clone()),
            Kind::Internal { name, .. } => Some(Subject::internal(name)),
        }
    }

    /// The name that deployments and audit events are kept under: of a user the username, of others also what they are.
    /// Usernames have no blanks, so nobody is taken for a user of the same name.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        match (&self.0, self.username()) {
            (Kind::Anybody, _) => None,
            (_, Some(username)) => Some(Cow::Borrowed(username)),
            _ => Some(Cow::Owned(self.description())),
        }
    }

    /// The [`name`](Self::name), unless others may have it, too: ESCs may be named alike.
    pub(crate) fn own_name(&self) -> Option<String> {
        let is_unique = match &self.0 {
            Kind::Known { subject: Subject { kind: SubjectKind::Esc, name }, access, .. } => {
                access.esc_name(name).is_some_and(|name| access.escs_named(name) == 1)
            }
            _ => true,
        };
        self.name().filter(|_| is_unique).map(Cow::into_owned)
    }

    /// The jobs that the caller may read.
    pub(crate) fn readable_jobs(&self) -> ReadableJobs {
        self.permissions().map_or(ReadableJobs::All, ReadableJobs::of)
    }

    /// The user of this name, if the caller is one.
    pub fn username(&self) -> Option<&str> {
        match &self.0 {
            Kind::Known { subject: Subject { kind: SubjectKind::User, name }, .. } => Some(name),
            _ => None,
        }
    }

    /// The token that the caller showed, if it is one that the store knows.
    pub(crate) const fn token(&self) -> Option<&ShownToken> {
        match &self.0 {
            Kind::Known { token, .. } => Some(token),
            Kind::Anybody | Kind::Internal { .. } => None,
        }
    }

    /// Whether the caller is a part of Racetrack.
    pub const fn is_internal(&self) -> bool {
        matches!(self.0, Kind::Anybody | Kind::Internal { .. })
    }

    /// Whether nobody is asked who they are.
    pub const fn is_anybody(&self) -> bool {
        matches!(self.0, Kind::Anybody)
    }

    /// Whether the caller may do this.
    pub fn may(&self, request: &AccessRequest<'_>) -> bool {
        self.may_use(request.scope())
            && self.permissions().is_none_or(|permissions| may(permissions, request))
    }

    /// Whether the caller has the permission, or a broader one.
    pub(crate) fn holds(&self, permission: &Permission) -> bool {
        let own = self.permissions();
        self.may_use(permission.scope) && own.is_none_or(|own| own.iter().any(|own| own.covers(permission)))
    }

    /// Whether the caller may do this to some job at least.
    pub fn may_anywhere(&self, scope: Scope) -> bool {
        self.may_use(scope) && self.permissions().is_none_or(|permissions| may_anywhere(permissions, scope))
    }

    /// The caller as jobs are told: `User admin`.
    pub fn description(&self) -> String {
        match &self.0 {
            Kind::Anybody => String::new(),
            Kind::Known { subject: Subject { kind, name }, access, .. } => match kind {
                SubjectKind::User => format!("User {name}"),
                SubjectKind::Esc => format!("ESC {}", access.esc_name(name).unwrap_or(name)),
                SubjectKind::JobFamily => format!("Job family {name}"),
                SubjectKind::Internal => format!("Internal {name}"),
            },
            Kind::Internal { name, .. } => format!("Internal {name}"),
        }
    }

    /// Whether the caller's token is good for the scope, if the caller has it.
    fn may_use(&self, scope: Scope) -> bool {
        scope == Scope::CallJob || self.token().is_none_or(|token| !token.is_for_calls)
    }

    /// What the caller may do; absent when that is everything.
    fn permissions(&self) -> Option<&[Permission]> {
        match &self.0 {
            Kind::Anybody => None,
            Kind::Known { subject, access, .. } => Some(access.permissions_of(subject)),
            Kind::Internal { permissions, .. } => Some(permissions),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::internal("a route that asks for no token wants to know its caller"))
    }
}
