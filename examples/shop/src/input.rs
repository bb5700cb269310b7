//! Input of the routes: JSON bodies, forms, queries and ids, read and checked before a handler sees
//! them.

use std::fmt;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, Ready, ready};
use serde::Deserializer;
use serde::de::{self, DeserializeOwned, Unexpected, Visitor};
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::problem::{Detail, Problem};

/// Longest body in bytes, far more than any that makes sense here.
pub const BODY_LIMIT: usize = 16 * 1024;

/// Longest time that a body may take to arrive. actix-web would wait for ever.
pub const BODY_TIME: Duration = Duration::from_secs(5);

/// A JSON body that keeps the rules of its type.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + Validate + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = collect(&request, &mut payload, "application/json").await?;
            let reader = &mut serde_json::Deserializer::from_slice(&bytes);
            let value = serde_path_to_error::deserialize(&mut *reader)
                .map_err(|error| not_readable(&error))?;
            reader.end().map_err(|error| not_json(&error))?;
            checked(value, "body").map(Self)
        })
    }
}

/// A form in the body, like `a=1&b=2`, as `/token` takes it.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes =
                collect(&request, &mut payload, "application/x-www-form-urlencoded").await?;
            pairs(&bytes, "body").map(Self)
        })
    }
}

/// A query that keeps the rules of its type.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Validate> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            pairs(request.query_string().as_bytes(), "query")
                .and_then(|value| checked(value, "query"))
                .map(Self),
        )
    }
}

/// An id in a path, which has to be a whole number.
pub struct Id(pub i64);

impl FromRequest for Id {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("id").unwrap_or_default();
        let problem = || Detail {
            loc: vec![json!("path"), json!("id")],
            msg: "has to be a whole number".to_owned(),
            rule: "int_parsing".to_owned(),
            input: Some(json!(text)),
        };
        ready(text.parse().map(Self).map_err(|_| Problem::Invalid(vec![problem()])))
    }
}

/// Reads the whole body, if it has this type, is not too long and does not take too long.
async fn collect(
    request: &HttpRequest,
    payload: &mut Payload,
    expected: &'static str,
) -> Result<Bytes, Problem> {
    timeout(BODY_TIME, all(request, payload, expected))
        .await
        .map_err(|_| Problem::TooSlow(BODY_TIME))?
}

async fn all(
    request: &HttpRequest,
    payload: &mut Payload,
    expected: &'static str,
) -> Result<Bytes, Problem> {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected)) {
        return Err(Problem::MediaType { expected });
    }
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > BODY_LIMIT) {
        return Err(Problem::TooLong(BODY_LIMIT));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let unreadable =
            |error| Problem::invalid(&["body"], "unreadable", format!("can't be read: {error}"));
        let chunk: Bytes = chunk.map_err(unreadable)?;
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(Problem::TooLong(BODY_LIMIT));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn pairs<T: DeserializeOwned>(bytes: &[u8], place: &'static str) -> Result<T, Problem> {
    serde_path_to_error::deserialize(serde_html_form::Deserializer::from_bytes(bytes)).map_err(
        |error| Problem::Invalid(vec![misfit(place, error.path(), &error.inner().to_string())]),
    )
}

fn checked<T: Validate>(value: T, place: &'static str) -> Result<T, Problem> {
    match value.validate() {
        Ok(()) => Ok(value),
        Err(errors) => {
            let mut details = Vec::new();
            broken(&errors, &mut vec![json!(place)], &mut details);
            // The fields come out of a map, so their order varies.
            details.sort_by_key(|detail| {
                detail.loc.iter().map(ToString::to_string).collect::<Vec<_>>()
            });
            Err(Problem::Invalid(details))
        }
    }
}

/// Collects every broken rule, with its place.
fn broken(errors: &ValidationErrors, place: &mut Vec<Value>, details: &mut Vec<Detail>) {
    for (field, kind) in errors.errors() {
        place.push(json!(field));
        match kind {
            ValidationErrorsKind::Struct(errors) => broken(errors, place, details),
            ValidationErrorsKind::List(entries) => {
                for (number, errors) in entries {
                    place.push(json!(number));
                    broken(errors, place, details);
                    place.pop();
                }
            }
            ValidationErrorsKind::Field(rules) => details.extend(rules.iter().map(|rule| {
                Detail {
                    loc: place.clone(),
                    msg: rule
                        .message
                        .as_ref()
                        .map_or_else(|| message(&rule.code, &rule.params), ToString::to_string),
                    rule: rule.code.to_string(),
                    // Secrets are never repeated.
                    input: rule.params.get("value").filter(|_| field != "password").cloned(),
                }
            })),
        }
        place.pop();
    }
}

fn message(
    rule: &str,
    params: &std::collections::HashMap<std::borrow::Cow<'static, str>, Value>,
) -> String {
    let unit = if rule == "length" { " long" } else { "" };
    match (rule, params.get("min"), params.get("max")) {
        (_, Some(min), Some(max)) => format!("has to be {min} to {max}{unit}"),
        (_, Some(min), None) => format!("has to be at least {min}{unit}"),
        (_, None, Some(max)) => format!("has to be at most {max}{unit}"),
        _ => format!("breaks the rule `{rule}`"),
    }
}

fn not_readable(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    match error.inner().classify() {
        serde_json::error::Category::Data => {
            Problem::Invalid(vec![misfit("body", error.path(), &error.inner().to_string())])
        }
        _ => not_json(error.inner()),
    }
}

/// Describes broken JSON, by line and column, counted from 1.
fn not_json(error: &serde_json::Error) -> Problem {
    let loc = vec![json!("body"), json!(error.line()), json!(error.column())];
    Problem::Invalid(vec![Detail {
        loc,
        msg: error.to_string(),
        rule: "json_invalid".to_owned(),
        input: None,
    }])
}

/// Describes a value that does not fit its type. serde names the broken rule only in its message.
fn misfit(place: &str, path: &Path, said: &str) -> Detail {
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    let named = said.split('`').nth(1);
    let (rule, missing) = match said {
        _ if said.starts_with("missing field") => ("missing", named),
        _ if said.starts_with("unknown field") => ("extra_forbidden", None),
        _ if said.starts_with("invalid type: ") => ("type", None),
        _ => ("value", None),
    };
    let msg = match said
        .strip_prefix("invalid type: ")
        .or_else(|| said.strip_prefix("invalid value: "))
    {
        // The message repeats the value, which may be secret.
        Some(said) => said
            .rsplit_once(", expected ")
            .map_or("has to be another".to_owned(), |(_, expected)| {
                format!("has to be {expected}")
            }),
        None => said.to_owned(),
    };
    let parts = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(json!(index)),
        Segment::Map { key } => Some(json!(key)),
        Segment::Enum { variant } => Some(json!(variant)),
        Segment::Unknown => None,
    });
    let loc =
        std::iter::once(json!(place)).chain(parts).chain(missing.map(|name| json!(name))).collect();
    Detail { loc, msg, rule: rule.to_owned(), input: None }
}

/// Reads a whole number, even one that is written as `2.0`: JSON has one kind of number, and JSON
/// Schema calls that an integer.
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Whole;
    impl Visitor<'_> for Whole {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
            Ok(number)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
            number.try_into().map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
            // Up to this number, `f64` represents every whole number exactly.
            const EXACT: f64 = (1_i64 << 53) as f64;
            if number.fract() != 0.0 || number.abs() > EXACT {
                return Err(E::invalid_type(Unexpected::Float(number), &self));
            }
            #[expect(clippy::cast_possible_truncation, reason = "it was looked at before")]
            Ok(number as i64)
        }
    }
    deserializer.deserialize_i64(Whole)
}

/// Checks a text that is shown in one line: it must have no control characters. In the description
/// the rule is a `pattern`.
pub fn one_line(text: &str) -> Result<(), ValidationError> {
    if text.contains(char::is_control) {
        return Err(ValidationError::new("one_line")
            .with_message("has to be one line, without control characters".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
