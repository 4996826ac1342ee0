//! Whoever calls the API or a job.

use std::borrow::Cow;
use std::sync::Arc;

use racetrack_store::{
    AccessRequest, AccessTable, Permission, Scope, Subject, SubjectKind, may, may_anywhere,
};

/// A caller whose token was good, with what the caller may do. Handlers find it among the request's extensions.
#[derive(Clone, Debug)]
pub struct Caller(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Nobody is asked who they are.
    Anybody,
    /// A user, an ESC or the jobs of a family.
    Known { subject: Subject, access: Arc<AccessTable> },
    /// A part of Racetrack.
    Internal { name: String, permissions: Vec<Permission> },
}

impl Caller {
    /// Whoever calls when nobody is asked: may do everything.
    pub(crate) const fn anybody() -> Self {
        Self(Kind::Anybody)
    }

    pub(crate) const fn known(subject: Subject, access: Arc<AccessTable>) -> Self {
        Self(Kind::Known { subject, access })
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

    /// The user of this name, if the caller is one.
    pub fn username(&self) -> Option<&str> {
        match &self.0 {
            Kind::Known { subject: Subject { kind: SubjectKind::User, name }, .. } => Some(name),
            _ => None,
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
        self.permissions().is_none_or(|permissions| may(permissions, request))
    }

    /// Whether the caller may do this to some job at least.
    pub fn may_anywhere(&self, scope: Scope) -> bool {
        self.permissions().is_none_or(|permissions| may_anywhere(permissions, scope))
    }

    /// The caller as jobs are told: `User admin`.
    pub fn description(&self) -> String {
        match &self.0 {
            Kind::Anybody => String::new(),
            Kind::Known { subject: Subject { kind, name }, access } => match kind {
                SubjectKind::User => format!("User {name}"),
                SubjectKind::Esc => format!("ESC {}", access.esc_name(name).unwrap_or(name)),
                SubjectKind::JobFamily => format!("Job family {name}"),
                SubjectKind::Internal => format!("Internal {name}"),
            },
            Kind::Internal { name, .. } => format!("Internal {name}"),
        }
    }

    /// What the caller may do; absent when that is everything.
    fn permissions(&self) -> Option<&[Permission]> {
        match &self.0 {
            Kind::Anybody => None,
            Kind::Known { subject, access } => Some(access.permissions_of(subject)),
            Kind::Internal { permissions, .. } => Some(permissions),
        }
    }
}
