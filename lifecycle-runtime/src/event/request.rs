//! Requests, as events and reports name them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::readable;
use super::text::as_millis;

/// Request that was in flight, or that has spawned a task, as events and reports name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestInfo {
    /// Method: `GET`.
    pub method: Cow<'static, str>,
    /// Path, without the query: `/report`.
    pub path: String,
    /// Time for which the request was in flight, or for which its task ran.
    #[serde(serialize_with = "as_millis")]
    pub running: Duration,
}

/// Response that was broken off because its body failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ResponseFailure {
    /// Method of the request: `GET`.
    pub method: Cow<'static, str>,
    /// Path of the request, without the query: `/export`.
    pub path: String,
    /// Error of the body, with its causes.
    pub error: String,
}

/// Panic of a request's handler, or of a task that it has spawned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestPanic {
    /// The request, with the time for which it, or the task, had been running.
    pub request: RequestInfo,
    /// Message of the panic; `None` if it is not known, as that of a destructor.
    pub message: Option<String>,
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.path, readable(self.running))
    }
}

impl fmt::Display for ResponseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.method, self.path, self.error)
    }
}

impl fmt::Display for RequestPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.request)?;
        self.message.iter().try_for_each(|message| write!(f, ": {message}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_is_an_object_in_json_and_a_line_for_people() {
        let request = RequestInfo {
            method: "POST".into(),
            path: "/orders".to_owned(),
            running: Duration::from_micros(4_210_500),
        };
        let json = serde_json::to_string(&request).expect("plain values");
        assert_eq!(json, r#"{"method":"POST","path":"/orders","running":4210.5}"#);
        assert_eq!(request.to_string(), "POST /orders 4.2 s");
        let panic = RequestPanic { request, message: Some("no mail".to_owned()) };
        assert_eq!(panic.to_string(), "POST /orders 4.2 s: no mail");
    }
}
