//! Errors of the service: always JSON, in the shape that FastAPI's clients know.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::logs::with_causes;

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("the request is not what this route takes")]
    Invalid(Vec<Detail>),
    #[error("{0}")]
    Unauthorized(&'static str),
    #[error("this takes the scope `{0}`, which the token doesn't have")]
    Forbidden(&'static str),
    #[error("{0}")]
    NotFound(String),
    #[error("{method} is not possible here, only {allowed}")]
    Method { method: String, allowed: String },
    #[error("{0}")]
    Conflict(&'static str),
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the body takes longer than {0:?}")]
    TooSlow(Duration),
    #[error("the body must be {expected}: send it with the header `content-type: {expected}`")]
    MediaType { expected: &'static str },
    /// An error of a token endpoint, in the form of
    /// [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    #[error("{description}")]
    Grant { error: &'static str, description: &'static str },
    #[error("too many requests; try again in {} s", whole_seconds(.0))]
    TooMany(Duration),
    #[error("the shop is busy; try again later")]
    Busy,
    /// A state of the database in which nobody can read or write; a later attempt will work.
    #[error("the database can't answer now; try again later")]
    Unavailable(#[source] sqlx::Error),
    #[error("internal server error")]
    Internal(#[source] lifecycle_runtime::BoxError),
}

/// A mistake in a request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Detail {
    /// The place, from the outside to the inside.
    #[schema(value_type = Vec<Value>, example = json!(["body", "items", 0, "quantity"]))]
    pub loc: Vec<Value>,
    /// The mistake, for people.
    #[schema(example = "has to be 1 to 1000")]
    pub msg: String,
    /// The rule that is broken, for programs.
    #[serde(rename = "type")]
    #[schema(example = "range")]
    pub rule: String,
    /// The value that was sent, if it is of the right type and not secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// The mistakes in a request: the body of a 422.
#[derive(Serialize, ToSchema)]
pub struct Invalid {
    detail: Vec<Detail>,
}

/// The reason for which a request is refused, for people: the body of any other error.
#[derive(Serialize, ToSchema)]
pub struct Refusal {
    #[schema(example = "not authenticated")]
    detail: String,
}

/// The reason for which there is no token, as OAuth2 has it.
#[derive(Serialize, ToSchema)]
pub struct GrantRefusal {
    /// The kind of error, for programs: `invalid_grant` or `invalid_scope`.
    #[schema(example = "invalid_grant")]
    error: &'static str,
    /// The error, for people.
    #[schema(example = "there is no such user, or the password is another")]
    error_description: String,
}

/// The body of an answer to a request that is refused.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer {
    Invalid(Invalid),
    Grant(GrantRefusal),
    Refusal(Refusal),
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if is_transient(&error) { Self::Unavailable(error) } else { Self::Internal(error.into()) }
    }
}

/// Returns whether the database's state has caused the error, and not the statement: it is gone,
/// too busy, or has no space left.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| match code.parse::<u32>() {
                // SQLite's number, whose low byte is the kind: busy, locked, read-only, I/O error,
                // full, can't open. https://www.sqlite.org/rescode.html
                Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6 | 8 | 10 | 13 | 14),
                // PostgreSQL's class: connection lost, conflict with another transaction, out of
                // resources, shut down, I/O error.
                // https://www.postgresql.org/docs/current/errcodes-appendix.html
                _ => matches!(&code[..code.len().min(2)], "08" | "40" | "53" | "57" | "58"),
            })
        }
        _ => false,
    }
}

/// Returns the number of seconds after which this time has surely passed.
fn whole_seconds(time: &Duration) -> u64 {
    time.as_secs() + 1
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Grant { .. } => StatusCode::BAD_REQUEST,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Grant { .. } => {
                response.insert_header((header::CACHE_CONTROL, "no-store"));
            }
            Self::Unauthorized(_) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::Method { allowed, .. } => {
                response.insert_header((header::ALLOW, allowed.as_str()));
            }
            // The rest of the body is not waited for, so no other request can follow it.
            Self::TooLong(_) | Self::TooSlow(_) => drop(response.force_close()),
            Self::TooMany(wait) => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(wait)));
            }
            Self::Busy => drop(response.insert_header((header::RETRY_AFTER, "1"))),
            // The client learns nothing about the inside; the operator learns everything.
            Self::Unavailable(error) => {
                tracing::warn!("the database can't answer: {error}");
                response.insert_header((header::RETRY_AFTER, "5"));
            }
            Self::Internal(error) => tracing::error!("a bug: {}", with_causes(&**error)),
            _ => {}
        }
        response.json(self.body())
    }
}

impl Problem {
    /// Returns the body of the answer.
    pub fn body(&self) -> Answer {
        let said = self.to_string();
        match self {
            Self::Invalid(detail) => Answer::Invalid(Invalid { detail: detail.clone() }),
            Self::Grant { error, .. } => {
                Answer::Grant(GrantRefusal { error, error_description: said })
            }
            _ => Answer::Refusal(Refusal { detail: said }),
        }
    }

    /// Returns a problem with one mistake, at this place.
    pub fn invalid(loc: &[&str], rule: &str, msg: impl Into<String>) -> Self {
        let loc = loc.iter().map(|part| json!(part)).collect();
        Self::Invalid(vec![Detail { loc, msg: msg.into(), rule: rule.to_owned(), input: None }])
    }

    /// Returns the problem of an insertion that failed: this conflict, if there is such a row
    /// already.
    pub fn of_insertion(error: sqlx::Error, conflict: &'static str) -> Self {
        match error {
            sqlx::Error::Database(error) if error.is_unique_violation() => Self::Conflict(conflict),
            error => error.into(),
        }
    }
}
