//! What a call is forwarded to: a job behind its replicas or a gateway.

use std::fmt;

/// Where a call goes, and on whose behalf.
#[derive(Debug, Clone, Copy)]
pub struct Upstream<'a> {
    /// The job's name.
    pub job_name: &'a str,
    /// The exact version, never an alias.
    pub job_version: &'a str,
    /// The addresses of the job's replicas, as `host:port`.
    pub replicas: &'a [String],
    /// The job's status, for the answer to a call that cannot be forwarded.
    pub status: &'a str,
    /// What follows `/pub/job/{name}/{version}` in the path of the call, still percent-encoded. May be empty.
    pub path: &'a str,
    /// Who calls, as told to the job: `User admin`.
    pub caller: &'a str,
    /// The gateway in front of the replicas, where they are not reached directly.
    pub gateway: Option<Gateway<'a>>,
}

/// The remote gateway of an infrastructure target.
#[derive(Clone, Copy)]
pub struct Gateway<'a> {
    /// Its URL, with the scheme `http`.
    pub url: &'a str,
    /// What proves to the gateway that lifecycle calls.
    pub token: Option<&'a str>,
}

impl fmt::Debug for Gateway<'_> {
    /// Leaves out the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gateway").field("url", &self.url).finish_non_exhaustive()
    }
}
