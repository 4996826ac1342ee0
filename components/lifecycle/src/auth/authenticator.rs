//! Makes a caller of what a request shows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use racetrack_core::error::chain;
use racetrack_core::trouble::Trouble;
use racetrack_service::ApiError;
use racetrack_service::setting_value::AuthToken;
use racetrack_store::{AccessTable, Scope, Store, Subject, SubjectKind, TokenRefusal};

use super::caller::ShownToken;
use super::credential::Credential;
use super::request_token::{token_in_cookie, token_in_header};
use super::{AuthKey, Caller, Claims};
use crate::clock::seconds_since_1970;

/// How often it is kept when tokens were last used.
const KEEPING_INTERVAL: Duration = Duration::from_mins(1);

/// What a token is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A request to the API.
    Api,
    /// The call of a job, for which some tokens are made that are good for nothing else.
    Call,
}

/// Knows whose tokens are good.
#[derive(Debug)]
pub(crate) struct Authenticator {
    key: AuthKey,
    is_required: bool,
    component_token: Option<AuthToken>,
    /// When tokens were used since that was last kept: ids and times in seconds since 1970.
    uses: Mutex<HashMap<String, i64>>,
}

impl Authenticator {
    pub(crate) fn new(key: AuthKey, is_required: bool, component_token: Option<AuthToken>) -> Self {
        Self { key, is_required, component_token, uses: Mutex::default() }
    }

    /// Whether callers are asked who they are at all.
    pub(crate) const fn is_required(&self) -> bool {
        self.is_required
    }

    /// Whoever sent a request to the API with these headers.
    ///
    /// # Errors
    /// 401 with the reason, when there is no token or it is not good.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        access: &Arc<AccessTable>,
    ) -> Result<Caller, ApiError> {
        self.noted(self.recognize(token_in_header(headers), Purpose::Api, access))
    }

    /// Like [`authenticate`](Self::authenticate), for the call of a job: browsers may show the token in a cookie too.
    ///
    /// The API takes no cookies. Pages of jobs are of the same origin, and could do there whatever their reader may.
    pub(crate) fn authenticate_call(
        &self,
        headers: &HeaderMap,
        access: &Arc<AccessTable>,
    ) -> Result<Caller, ApiError> {
        let in_cookie = token_in_header(headers).is_none().then(|| token_in_cookie(headers)).flatten();
        let token = token_in_header(headers).or(in_cookie.as_deref());
        self.noted(self.recognize(token, Purpose::Call, access))
    }

    /// Whoever shows this credential, outside a header of the request.
    ///
    /// # Errors
    /// 401 with the reason, when there is no token or it is not good.
    pub(crate) fn authenticate_credential(
        &self,
        credential: &Credential,
        access: &Arc<AccessTable>,
    ) -> Result<Caller, ApiError> {
        self.noted(self.recognize(credential.token(), Purpose::Api, access))
    }

    /// Whoever shows this token; that is not noted as a use of it.
    ///
    /// # Errors
    /// 401 with the reason, when there is no token or it is not good for the purpose.
    pub(crate) fn recognize(
        &self,
        token: Option<&str>,
        purpose: Purpose,
        access: &Arc<AccessTable>,
    ) -> Result<Caller, ApiError> {
        if !self.is_required {
            return Ok(Caller::anybody());
        }
        let token = token.ok_or_else(|| {
            ApiError::unauthorized("Unauthenticated: no token is shown in the header X-Racetrack-Auth")
        })?;
        if self.component_token.as_ref().is_some_and(|own| own.is(token.as_bytes())) {
            return Ok(Caller::internal("image-builder", &[]));
        }
        let refused =
            |reason: &str| ApiError::unauthorized(format!("Unauthenticated: invalid token: {reason}"));
        let claims = Claims::verify(token, &self.key).map_err(|error| refused(&error.to_string()))?;
        let now = seconds_since_1970();
        if claims.expiry_time.is_some_and(|expiry| expiry <= now) {
            return Err(refused(reason(TokenRefusal::Expired)));
        }
        if claims.subject_type == SubjectKind::Internal {
            return Ok(Caller::internal(&claims.subject, claims.scopes.as_deref().unwrap_or_default()));
        }
        let token = access.authenticate(&claims.seed, now).map_err(|refusal| refused(reason(refusal)))?;
        if (token.subject.kind, &token.subject.name) != (claims.subject_type, &claims.subject) {
            return Err(refused("it was made for somebody else"));
        }
        let is_for_calls = match claims.scopes.as_deref() {
            None => false,
            Some([Scope::CallJob]) => true,
            Some(_) => return Err(refused("its scopes are not those of a token that is made here")),
        };
        if is_for_calls && purpose == Purpose::Api {
            return Err(refused("it is for calls of jobs only"));
        }
        let shown = ShownToken {
            id: token.id.clone(),
            expiry_time: claims.expiry_time.into_iter().chain(token.expiry_time).min(),
            is_for_calls,
            is_of_session: token.is_session,
        };
        Ok(Caller::known(token.subject.clone(), Arc::clone(access), shown))
    }

    /// The caller, with the use of the token noted.
    fn noted(&self, caller: Result<Caller, ApiError>) -> Result<Caller, ApiError> {
        if let Ok(caller) = &caller
            && let Some(token) = caller.token()
        {
            let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            uses.insert(token.id.clone(), seconds_since_1970());
        }
        caller
    }

    /// The token of a subject, as it is shown.
    pub(crate) fn sign(&self, subject: &Subject, seed: &str) -> String {
        claims(subject, seed).sign(&self.key)
    }

    /// A token with the seed of another, for calls of jobs and until a time, in seconds since 1970. It ends with the other
    /// one at the latest.
    pub(crate) fn sign_for_calls(&self, subject: &Subject, seed: &str, expiry_time: i64) -> String {
        let scopes = Some(vec![Scope::CallJob]);
        Claims { scopes, expiry_time: Some(expiry_time), ..claims(subject, seed) }.sign(&self.key)
    }

    /// Keeps, now and then, when tokens were last used.
    pub(crate) async fn keep_token_uses(&self, store: &Store) {
        let trouble = Trouble::new();
        loop {
            tokio::time::sleep(KEEPING_INTERVAL).await;
            let uses = std::mem::take(&mut *self.uses.lock().unwrap_or_else(PoisonError::into_inner));
            if uses.is_empty() {
                continue;
            }
            match store.note_token_uses(&uses).await {
                Ok(()) if trouble.ends() => tracing::info!("it is kept again when tokens were last used"),
                Err(error) if trouble.begins() => {
                    tracing::warn!(error = chain(&error), "it is not kept when tokens were last used");
                }
                _ => {}
            }
        }
    }
}

fn claims(subject: &Subject, seed: &str) -> Claims {
    Claims {
        seed: seed.to_owned(),
        subject: subject.name.clone(),
        subject_type: subject.kind,
        scopes: None,
        expiry_time: None,
    }
}

const fn reason(refusal: TokenRefusal) -> &'static str {
    match refusal {
        TokenRefusal::Unknown => "it is unknown, or was revoked",
        TokenRefusal::Inactive => "it was switched off",
        TokenRefusal::Expired => "it has expired",
        TokenRefusal::SubjectInactive => "its user is not active",
    }
}
