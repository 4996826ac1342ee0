//! Who may do what, in memory: tokens, permissions and public endpoints.

use std::collections::{BTreeMap, HashMap};

use crate::database::reader::Reader;
use crate::error::StoreError;
use crate::records::esc;
use crate::records::permission::{self, Permission};
use crate::records::public_endpoint::{self, PublicEndpoint};
use crate::records::subject::Subject;
use crate::records::token::{self, Token, TokenRefusal};

/// Every token, permission and public endpoint, and the names of ESCs.
#[derive(Clone, Debug)]
pub struct AccessTable {
    tokens: Tokens,
    permissions: BTreeMap<Subject, Vec<Permission>>,
    public_endpoints: Vec<PublicEndpoint>,
    /// By id.
    esc_names: HashMap<String, String>,
}

/// By seed, which no `Debug` form shows.
#[derive(Clone)]
struct Tokens(HashMap<String, Token>);

impl AccessTable {
    pub(crate) async fn load(reader: &Reader) -> Result<Self, StoreError> {
        Ok(Self {
            tokens: Tokens(token::load(reader).await?),
            permissions: permission::load(reader).await?,
            public_endpoints: public_endpoint::load(reader).await?,
            esc_names: esc::all(reader).await?.into_iter().map(|esc| (esc.id, esc.name)).collect(),
        })
    }

    /// The token with a seed, if it is good now (in seconds since 1970). Whether it was signed is not asked
    /// here.
    pub fn authenticate(&self, seed: &str, now: i64) -> Result<&Token, TokenRefusal> {
        let token = self.tokens.0.get(seed).ok_or(TokenRefusal::Unknown)?;
        token.check(now)?;
        Ok(token)
    }

    /// Every token, in no order.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.0.values()
    }

    /// What a subject may do; see [`may`](crate::may).
    pub fn permissions_of(&self, subject: &Subject) -> &[Permission] {
        self.permissions.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Every subject with permissions, by kind and name, and what it may do.
    pub fn permissions(&self) -> impl Iterator<Item = (&Subject, &[Permission])> {
        self.permissions.iter().map(|(subject, permissions)| (subject, permissions.as_slice()))
    }

    /// The public endpoints of a job, open or closed, by path.
    pub fn public_endpoints(&self, job_name: &str, job_version: &str) -> &[PublicEndpoint] {
        let key = |endpoint: &PublicEndpoint| {
            endpoint
                .job_name
                .as_str()
                .cmp(job_name)
                .then_with(|| endpoint.job_version.as_str().cmp(job_version))
        };
        let start = self.public_endpoints.partition_point(|endpoint| key(endpoint).is_lt());
        let count = self.public_endpoints[start..].partition_point(|endpoint| key(endpoint).is_eq());
        &self.public_endpoints[start..start + count]
    }

    /// Whether anybody may call a path of a job.
    pub fn is_public(&self, job_name: &str, job_version: &str, path: &str) -> bool {
        self.public_endpoints(job_name, job_version).iter().any(|endpoint| endpoint.opens(path))
    }

    /// The name of the ESC of this id.
    pub fn esc_name(&self, id: &str) -> Option<&str> {
        self.esc_names.get(id).map(String::as_str)
    }

    /// How many ESCs have this name.
    pub fn escs_named(&self, name: &str) -> usize {
        self.esc_names.values().filter(|other| *other == name).count()
    }

    /// Takes over when tokens were last used.
    pub(crate) fn note_uses(&mut self, times_by_id: &HashMap<String, i64>) {
        for token in self.tokens.0.values_mut() {
            if let Some(time) = times_by_id.get(&token.id) {
                token.last_use_time = Some(*time);
            }
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.values()).finish()
    }
}
