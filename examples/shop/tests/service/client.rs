//! Clients of the service.

use std::io::{Read, Write};
use std::net::TcpStream;

use lifecycle_runtime::testing::process::Child;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::process::LIMIT;

/// Returns a client that keeps its own connections and takes every status as an answer.
pub fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(LIMIT))
        .max_redirects(0)
        .build()
        .into()
}

pub fn body(response: Response<Body>) -> Value {
    response.into_body().read_json().unwrap()
}

/// Returns the status and the body of a response.
pub fn parts(response: Response<Body>) -> (u16, Value) {
    (response.status().as_u16(), body(response))
}

/// Sends these bytes, and returns everything that the service answers until it closes the
/// connection.
pub fn raw(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // The service may have answered and closed before all is sent.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A customer who has signed in.
#[derive(Clone)]
pub struct Customer {
    pub url: String,
    pub agent: Agent,
    pub token: String,
}

pub const PASSWORD: &str = "correct horse battery";

/// Returns the answer of `/token` to this form.
pub fn token(url: &str, form: &[(&str, &str)]) -> (u16, Value) {
    parts(agent().post(format!("{url}/token")).send_form(form.iter().copied()).unwrap())
}

impl Customer {
    /// Makes an account, and signs in.
    pub fn sign_up(url: &str, email: &str) -> Self {
        let new = json!({ "email": email, "password": PASSWORD });
        let (status, body) = parts(agent().post(format!("{url}/users")).send_json(new).unwrap());
        assert_eq!(status, 201, "{body}");
        Self::sign_in(url, email, PASSWORD)
    }

    pub fn sign_in(url: &str, email: &str, password: &str) -> Self {
        let (status, tokens) =
            token(url, &[("grant_type", "password"), ("username", email), ("password", password)]);
        assert_eq!(status, 200, "{tokens}");
        Self::with(url, tokens["access_token"].as_str().unwrap())
    }

    pub fn with(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), agent: agent(), token: token.to_owned() }
    }

    /// Returns the same customer, for a service that was started again.
    pub fn at(&self, url: &str) -> Self {
        Self::with(url, &self.token)
    }

    pub fn try_post(&self, path: &str, body: &Value) -> Result<(u16, Value), ureq::Error> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let response =
            request.header("authorization", format!("Bearer {}", self.token)).send_json(body)?;
        let status = response.status().as_u16();
        // An answer that breaks off does not count.
        Ok((status, response.into_body().read_json()?))
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.try_post(path, body).unwrap()
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        let request = self.agent.get(format!("{}{path}", self.url));
        parts(request.header("authorization", format!("Bearer {}", self.token)).call().unwrap())
    }

    /// Waits until the service answers this path with this status.
    #[track_caller]
    pub fn wait_for(&self, service: &mut Child, path: &str, status: u16) {
        let condition = format!("{status} from {path}");
        service.wait_until(&condition, |_| self.get(path).0 == status);
    }

    /// Places an order, and returns its id.
    pub fn order(&self, note: &str) -> i64 {
        let (status, body) = self.post("/orders", &an_order(note));
        assert_eq!(status, 201, "{body}");
        body["id"].as_i64().unwrap()
    }
}

pub fn an_order(note: &str) -> Value {
    json!({
        "items": [{ "product": 1, "quantity": 2 }, { "product": 3, "quantity": 1 }],
        "note": note,
    })
}
