//! Errors of the service: always JSON, with advice on what to do about it.

use actix_web::error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the body is not what this route takes: {0}")]
    Body(serde_json::Error),
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the body must be JSON: send it with the header `content-type: application/json`")]
    NotJson,
    #[error("the body can't be read: {0}")]
    Unreadable(PayloadError),
    #[error("the query is not what this route takes: {0}")]
    Query(String),
    #[error("there is no country `{0}`: use an ISO 3166 code such as CH")]
    NoCountry(String),
    #[error(
        "there is nothing at {0}: the routes are /zones, /zones/{{zone}}, /clocks and \
         /clocks/{{id}}"
    )]
    NoRoute(String),
    #[error("there is no clock {0}")]
    NoClock(String),
    #[error("there is no zone `{name}`")]
    NoZone { name: String, suggestion: Option<String> },
    /// A zone as in [`NoZone`](Self::NoZone), but named in a body and not in the URL.
    #[error("there is no zone `{name}` that a clock could show")]
    UnknownZone { name: String, suggestion: Option<String> },
    #[error("{method} is not possible here, only {allowed}")]
    Method { method: String, allowed: &'static str },
    #[error("the database can't answer; try again later")]
    Database(#[from] sqlx::Error),
}

/// The body of every error.
#[derive(Serialize)]
struct Problem<'a> {
    error: String,
    /// Place of the error in the request's body, counted from 1.
    #[serde(flatten)]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
}

#[derive(Serialize)]
struct Place {
    line: usize,
    column: usize,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Body(_) | Self::Unreadable(_) | Self::Query(_) | Self::NoCountry(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::NoRoute(_) | Self::NoClock(_) | Self::NoZone { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UnknownZone { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Database(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            // The client learns nothing about the inside; the operator learns everything.
            Self::Database(error) => eprintln!("error: {error}"),
            Self::Method { allowed, .. } => drop(response.insert_header((header::ALLOW, *allowed))),
            _ => {}
        }
        response.json(Problem {
            error: self.to_string(),
            place: self.place(),
            suggestion: self.suggestion(),
        })
    }
}

impl ApiError {
    fn place(&self) -> Option<Place> {
        match self {
            Self::Body(error) => Some(Place { line: error.line(), column: error.column() }),
            _ => None,
        }
    }

    fn suggestion(&self) -> Option<&str> {
        match self {
            Self::NoZone { suggestion, .. } | Self::UnknownZone { suggestion, .. } => {
                suggestion.as_deref()
            }
            _ => None,
        }
    }

    /// Converts an error of a JSON body, for [`JsonConfig`](actix_web::web::JsonConfig).
    pub fn json(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
        match error {
            JsonPayloadError::Deserialize(error) => Self::Body(error),
            JsonPayloadError::OverflowKnownLength { limit, .. }
            | JsonPayloadError::Overflow { limit } => Self::TooLong(limit),
            JsonPayloadError::Payload(error) => Self::Unreadable(error),
            _ => Self::NotJson,
        }
        .into()
    }

    /// Converts an error of a query, for [`QueryConfig`](actix_web::web::QueryConfig).
    pub fn query(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
        match error {
            QueryPayloadError::Deserialize(error) => Self::Query(error.to_string()),
            other => Self::Query(other.to_string()),
        }
        .into()
    }

    /// Converts an error of a path, for [`PathConfig`](actix_web::web::PathConfig). Only ids are
    /// more than text in a path, and a text that is no id names no clock.
    pub fn path(_: PathError, request: &HttpRequest) -> actix_web::Error {
        Self::NoClock(request.match_info().get("id").unwrap_or_default().to_owned()).into()
    }
}
