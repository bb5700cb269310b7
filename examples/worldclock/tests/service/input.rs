//! Requests with mistakes: each answer names the mistake, and the service goes on.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, header};

use crate::process::{body, client, command};

/// A request that is refused: method, path, body, the status of the answer, and a part of its
/// error.
type Case<'a> = (&'a str, &'a str, Option<&'a str>, u16, &'a str);

#[rustfmt::skip]
const REFUSED: &[Case] = &[
    (
        "POST", "/clocks", Some(r#"{"label": "Ana""#), 400,
        "EOF while parsing an object at line 1 column 15",
    ),
    (
        "POST", "/clocks", Some("{\n  \"label\": nobody\n}"), 400,
        "expected ident at line 2 column 13",
    ),
    ("POST", "/clocks", Some(""), 400, "EOF while parsing a value"),
    ("POST", "/clocks", Some("\u{0}\u{1}"), 400, "expected value at line 1 column 1"),
    ("POST", "/clocks", Some("[]"), 400, "invalid length 0"),
    ("POST", "/clocks", Some(r#"{"label": "Ana"}"#), 400, "missing field `zone`"),
    (
        "POST", "/clocks", Some(r#"{"label": 5, "zone": "UTC"}"#), 400,
        "invalid type: integer `5`, expected a string",
    ),
    (
        "POST", "/clocks", Some(r#"{"label": "Ana", "zone": "Asia/Tokyo", "id": 1}"#), 400,
        "unknown field `id`, expected `label` or `zone`",
    ),
    (
        "POST", "/clocks", Some(r#"{"label": "Ana", "label": "Ben"}"#), 400,
        "duplicate field `label`",
    ),
    (
        "POST", "/clocks", Some(r#"{"label": " ", "zone": "Asia/Tokyo"}"#), 400,
        "a label has 1 to 80 characters, not 0 at line 1 column 13",
    ),
    (
        "POST", "/clocks", Some(r#"{"label": "a\u0000b", "zone": "Asia/Tokyo"}"#), 400,
        "no control characters",
    ),
    ("POST", "/clocks", Some(r#"{"label": "\ud800", "zone": "Asia/Tokyo"}"#), 400, "line 1 column"),
    (
        "POST", "/clocks", Some(r#"{"label": "Ana", "zone": "Asia/Tokio"}"#), 422,
        "there is no zone `Asia/Tokio`",
    ),
    (
        "POST", "/clocks", Some(r#"{"label": "Ana", "zone": "'; DROP TABLE clocks; --"}"#), 422,
        "there is no zone",
    ),
    ("PATCH", "/clocks/1", Some(r#"{"label": 5}"#), 400, "invalid type: integer `5`"),
    ("PATCH", "/clocks/7", Some("{}"), 404, "there is no clock 7"),
    ("GET", "/clocks/7", None, 404, "there is no clock 7"),
    ("DELETE", "/clocks/7", None, 404, "there is no clock 7"),
    ("GET", "/clocks/seven", None, 404, "there is no clock seven"),
    ("GET", "/clocks/99999999999999999999", None, 404, "there is no clock 99999999999999999999"),
    ("PUT", "/clocks/1", Some("{}"), 405, "PUT is not possible here, only GET, PATCH, DELETE"),
    ("DELETE", "/zones", None, 405, "DELETE is not possible here, only GET"),
    ("GET", "/zones/Asia/Tokio", None, 404, "there is no zone `Asia/Tokio`"),
    ("GET", "/zones/%FF%00", None, 404, "there is no zone"),
    ("GET", "/zones?country=XX", None, 400, "there is no country `XX`"),
    ("GET", "/zones?land=CH", None, 400, "unknown field `land`, expected `country`"),
    ("POST", "/", Some("{}"), 405, "POST is not possible here, only GET"),
    ("GET", "/index.html", None, 404, "there is nothing at /index.html: the routes are"),
    ("POST", "/clock", Some("{}"), 404, "there is nothing at /clock"),
];

fn send(
    client: &Agent,
    url: &str,
    method: &str,
    content_type: &str,
    text: Option<&str>,
) -> (u16, Value) {
    let request =
        Request::builder().method(method).uri(url).header(header::CONTENT_TYPE, content_type);
    let response = match text {
        Some(text) => client.run(request.body(text).unwrap()),
        None => client.run(request.body(()).unwrap()),
    };
    let mut response = response.unwrap_or_else(|error| panic!("{method} {url} {text:?}: {error}"));
    (response.status().as_u16(), body(&mut response))
}

#[test]
fn bad_requests_are_answered_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let (url, client) = (service.url(), client());
    for &(method, path, text, status, expected) in REFUSED {
        let (got, answer) =
            send(&client, &format!("{url}{path}"), method, "application/json", text);
        assert_eq!(got, status, "{method} {path} {text:?}: {answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{method} {path} {text:?}: {answer}");
        let (line, column) = (answer["line"].as_u64(), answer["column"].as_u64());
        let place =
            line.zip(column).map(|(line, column)| format!(" at line {line} column {column}"));
        assert_eq!(
            place.is_some(),
            status == 400 && text.is_some(),
            "{method} {path} {text:?}: {answer}"
        );
        assert!(error.ends_with(&place.unwrap_or_default()), "{method} {path} {text:?}: {answer}");
    }

    let clocks = format!("{url}/clocks");
    let (status, answer) = send(&client, &clocks, "POST", "text/plain", Some("{}"));
    assert_eq!(
        (status, answer["error"].as_str().unwrap().contains("content-type: application/json")),
        (415, true)
    );
    let long = format!(r#"{{"label": "{}"}}"#, "x".repeat(100_000));
    let (status, answer) = send(&client, &clocks, "POST", "application/json", Some(&long));
    assert_eq!((status, &answer["error"]), (413, &"the body is longer than 4096 bytes".into()));

    assert_eq!(
        body(&mut client.get(&clocks).call().unwrap()),
        Value::Array(vec![]),
        "nothing of it was kept"
    );
    service.stop().assert_exit_code(0).assert_lacks("panicked");
}

#[test]
fn what_is_no_http_is_answered_with_400() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = service.url();
    let address = url.strip_prefix("http://").unwrap();
    let post = "POST /clocks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    for request in [
        "nonsense\r\n\r\n",
        "GET /clocks HTTP/9.9\r\n\r\n",
        "GET /clocks HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /clocks HTTP/1.1\r\nhost: \0\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
        &format!("{post}content-length: -1\r\n\r\n"),
        &format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
        &format!("{post}transfer-encoding: chunked\r\n\r\nnot a size\r\n"),
    ] {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap_or_else(|error| panic!("{request:?}: {error}"));
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 400", "{request:?}");
    }

    // A client that promises more than it sends holds nobody up.
    let mut half = TcpStream::connect(address).unwrap();
    write!(half, "{post}content-length: 30\r\n\r\n{{\"label\": ").unwrap();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client().get(format!("{url}/clocks")).call().unwrap().status(), 200);
    service.stop().assert_lacks("panicked");
}
