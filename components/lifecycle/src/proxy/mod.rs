//! Forwards calls to jobs: what happens after a caller was allowed to call a job.
//!
//! A call goes to one of the job's replicas, and both bodies are streamed. Nothing here knows who may call what, or how a
//! version is resolved.
//!
//! Each call drives its connection to the job in its own task; `connection` says why. Idle connections are kept in
//! `pool`, `headers` has the rules of what passes, `target` where a call goes, `tunnel` what follows a switch of
//! protocols.

mod call;
mod connection;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod headers;
mod lasting_body;
mod origin_headers;
mod pool;
mod response_body;
mod rotation;
mod stream;
mod target;
mod tunnel;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request};
use axum::http::{StatusCode, Version};
use axum::response::Response;
use futures_util::future::BoxFuture;

use call::{Call, CallError};
use failure::ForwardError;
use headers::Sender;
use pool::Pool;
use rotation::Rotation;
use target::Target;
use tunnel::Upgrade;
pub use upstream::{Gateway, Upstream};

/// How long an unused connection to a job is kept.
///
/// Web servers that jobs are made of close connections after 5 s without a call. Being first avoids the race in which a
/// call is sent into a connection that is just being closed.
const IDLE_LIMIT: Duration = Duration::from_secs(3);

/// Forwards calls to jobs and keeps the connections to them; clones share these.
#[derive(Debug, Clone)]
pub struct JobProxy {
    pool: Arc<Pool>,
    rotation: Arc<Rotation>,
}

/// Begins to watch whether a caller may go on: what it gives is ready when the caller may not. Asked for when a call turns
/// out to last, as tunnels and streams of events do.
pub type WatchRight = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

impl JobProxy {
    /// A proxy without connections.
    pub fn new() -> Self {
        Self { pool: Arc::new(Pool::new(IDLE_LIMIT)), rotation: Arc::default() }
    }

    /// Forwards a call and passes on the answer.
    ///
    /// Replicas take turns. One that cannot be connected to is passed over, and so is a connection that the job closed
    /// before it got the call. What can be repeated without harm (an idempotent method, no body) is repeated when the
    /// connection breaks before the answer: a reused connection is replaced, and after a new one another replica is
    /// asked. That is done once, so that a call that jobs die of does not go through all of them. The call is dropped
    /// when the returned future or the body of the response is. There is no time limit once the connection stands.
    ///
    /// A tunnel, and an answer whose length is not known, are cut off when the caller loses the right to call.
    ///
    /// A job that cannot be reached or breaks off is told as a status 502 with JSON, and so is a switch of protocols that
    /// nobody asked for; a path with `..` as a 400.
    ///
    /// The address of the caller is passed on if the server provides it, as
    /// [`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info) does.
    pub async fn forward(
        &self,
        upstream: Upstream<'_>,
        request: Request,
        watch_right: WatchRight,
    ) -> Response {
        let tracing_id = headers::tracing_id(request.headers());
        let sender = Sender {
            address: request
                .extensions()
                .get()
                .map(|ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip()),
            caller: upstream.caller,
            tracing_id: &tracing_id,
        };
        let mut response = match self.exchange(&upstream, &sender, request, watch_right).await {
            Ok(response) => response,
            Err(error) => failure::response(&error, &upstream, &tracing_id),
        };
        response.headers_mut().insert(headers::TRACING_ID, tracing_id);
        response
    }

    async fn exchange(
        &self,
        upstream: &Upstream<'_>,
        sender: &Sender<'_>,
        request: Request,
        watch_right: WatchRight,
    ) -> Result<Response, ForwardError> {
        let (mut parts, body) = request.into_parts();
        let target = Target::new(upstream, parts.uri.query())?;
        let upgrade = Upgrade::asked_by(&mut parts);
        headers::prepare_request(&mut parts.headers, sender);
        parts.uri = target.uri.clone();
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        if let Some(upgrade) = &upgrade {
            upgrade.ask(&mut parts.headers);
        }
        let mut request = Request::from_parts(parts, body);

        let first = self.rotation.next(upstream);
        // One gateway stands for all replicas.
        let attempts = if target.gateway_address().is_some() { 1 } else { upstream.replicas.len() };
        let replicas = upstream.replicas.iter().cycle().skip(first).take(attempts);
        let mut failure = ForwardError::NoReplica;
        let mut is_repeated = false;
        for replica in replicas {
            target.address(&mut request, replica)?;
            let address = target.gateway_address().unwrap_or(replica);
            match call::send(&self.pool, address, request).await {
                Ok(call) => {
                    let own = [replica.as_str(), address];
                    return self.answer(call, upgrade, own, watch_right);
                }
                Err(CallError::NotSent(unsent)) => (failure, request) = *unsent,
                Err(CallError::Repeatable(copy)) if !is_repeated => {
                    is_repeated = true;
                    (failure, request) = *copy;
                }
                Err(CallError::Repeatable(copy)) => return Err(copy.0),
                Err(CallError::Broken(error)) => return Err(error),
            }
        }
        Err(failure)
    }

    /// The answer of the job as the caller gets it. `own` are the names under which the job knows itself.
    fn answer(
        &self,
        call: Call,
        upgrade: Option<Upgrade>,
        own: [&str; 2],
        watch_right: WatchRight,
    ) -> Result<Response, ForwardError> {
        let Call { response, connection, is_large } = call;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // Passed on, a proxy in front of lifecycle would take the connection for a tunnel.
            let agreed = upgrade.filter(|upgrade| upgrade.is_agreed_by(response.headers()));
            let upgrade = agreed.ok_or_else(|| ForwardError::UnaskedSwitch { address: own[1].to_owned() })?;
            return Ok(upgrade.grant(response, connection, watch_right()));
        }
        let (mut parts, incoming) = response.into_parts();
        headers::prepare_response(&mut parts.headers, own);
        parts.version = Version::HTTP_11;
        let is_endless = incoming.size_hint().exact().is_none();
        let body = response_body::new(incoming, connection, is_large, &self.pool);
        let body = if is_endless { lasting_body::new(body, watch_right()) } else { body };
        Ok(Response::from_parts(parts, body))
    }
}

impl Default for JobProxy {
    fn default() -> Self {
        Self::new()
    }
}
