//! What operations answer besides what their handlers say: it follows from what their routes ask of callers and read of requests.

use axum::http::StatusCode;
use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{
    Components, Content, Header, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
};

use super::schemas::ErrorSchema;
use crate::auth::Access;

/// The media type of errors.
const JSON: &str = "application/json";

/// Adds the schema of errors to a document.
pub(crate) fn describe_errors(components: &mut Components) {
    let schema = <ErrorSchema as utoipa::PartialSchema>::schema();
    components.schemas.insert(ErrorSchema::name().into_owned(), schema);
}

/// Adds the answers of a route to its operation, and to each error the schema of errors. What the handler says of an answer
/// stays.
pub(crate) fn complete(operation: &mut Operation, access: Access, is_closed_in_maintenance: bool) {
    for (status, description) in common(operation, access, is_closed_in_maintenance) {
        let response = || ResponseBuilder::new().description(description).build().into();
        operation.responses.responses.entry(status.as_str().to_owned()).or_insert_with(response);
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if response.description.is_empty() {
            "it is done".clone_into(&mut response.description);
        }
        if status.starts_with(['4', '5']) {
            complete_error(status, response);
        }
    }
}

fn common(
    operation: &Operation,
    access: Access,
    is_closed_in_maintenance: bool,
) -> Vec<(StatusCode, &'static str)> {
    let is_about_user = matches!(access, Access::User | Access::FilteredForUsers(_));
    let mut answers = vec![(StatusCode::INTERNAL_SERVER_ERROR, "something inside went wrong")];
    answers.push((
        StatusCode::UNAUTHORIZED,
        if access == Access::Open {
            "this server asks nobody who they are, and the request is from elsewhere"
        } else {
            "the caller is not known, or may not do this"
        },
    ));
    if operation.parameters.is_some() || operation.request_body.is_some() || is_about_user {
        answers.push((StatusCode::BAD_REQUEST, "the request is wrong"));
    }
    if operation.request_body.is_some() {
        answers.push((StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
        answers.push((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
    }
    if matches!(access, Access::Job(_) | Access::Build(_) | Access::Call) {
        answers.push((StatusCode::NOT_FOUND, "there is no such job"));
    }
    if is_closed_in_maintenance || access == Access::Call {
        answers.push((StatusCode::SERVICE_UNAVAILABLE, "it is maintenance"));
    }
    answers
}

fn complete_error(status: &str, response: &mut Response) {
    let schema = Ref::from_schema_name(ErrorSchema::name());
    let content = || Content::new(Some(schema)).into();
    response.content.entry(JSON.to_owned()).or_insert_with(content);
    if status == StatusCode::TOO_MANY_REQUESTS.as_str() {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::Integer));
        header.description = Some("After how many seconds to try again.".to_owned());
        response.headers.insert("Retry-After".to_owned(), header.into());
    }
}
