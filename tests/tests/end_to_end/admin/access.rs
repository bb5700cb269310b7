//! Access to the listener, and the program's own routes.

use super::{address_of, ask, ask_with, document, start};
use crate::harness::own_address;
use crate::http::Connection;

const PATHS: [&str; 8] =
    ["/info", "/plan", "/timeline", "/services", "/checks", "/requests", "/connections", "/rows"];

#[test]
fn an_address_that_others_reach_shows_probes_and_metrics_only_unless_details_are_on() {
    let others_reach = || start("").env("LIFECYCLE_ADMIN", "0.0.0.0:0");
    let mut program = others_reach().start().ready();
    let port = address_of(&mut program).rsplit(':').next().expect("a port").to_owned();
    let address = format!("127.0.0.1:{port}");
    for path in ["/livez", "/metrics"] {
        assert_eq!(ask(&address, path).status, 200, "{path}");
        // The names of scrapers are those of their network.
        let named = ask_with(&address, &format!("GET {path}"), &["host: shop.svc:9000"]);
        assert_eq!(named.status, 200, "{path}");
    }
    for path in PATHS.into_iter().chain(["/events", "/unknown", "/"]) {
        let refusal = ask(&address, path);
        assert_eq!(refusal.status, 403, "{path}");
        assert_eq!(
            refusal.body,
            "only probes and metrics are shown on an address that others reach: set \
             `admin_details(true)` or LIFECYCLE_ADMIN_DETAILS=on to show the rest\n"
        );
    }
    program.stop().expect_code(0);

    let mut program = others_reach().env("LIFECYCLE_ADMIN_DETAILS", "on").start().ready();
    let port = address_of(&mut program).rsplit(':').next().expect("a port").to_owned();
    let address = format!("127.0.0.1:{port}");
    for path in PATHS {
        assert_eq!(ask(&address, path).status, 200, "{path}");
    }
    program.stop().expect_code(0);
}

#[test]
fn a_name_that_a_page_has_led_here_gets_the_probes_only() {
    let own = start("").env("LIFECYCLE_ADMIN_HOSTS", "admin.internal");
    let mut program = own.start().ready();
    let address = address_of(&mut program);
    for path in PATHS.into_iter().chain(["/", "/metrics", "/events", "/unknown"]) {
        let refusal = ask_with(&address, &format!("GET {path}"), &["host: evil.example"]);
        assert_eq!(refusal.status, 421, "{path}");
        assert!(refusal.body.starts_with("this listener has another host name: "), "{path}");
    }
    for head in ["GET http://evil.example/info", "GET http://localhost/info"] {
        let refusal = ask_with(&address, head, &["host: localhost", "host: evil.example"]);
        assert!(matches!(refusal.status, 400 | 421), "{head}: {}", refusal.status);
    }
    assert_eq!(
        ask_with(&address, "GET http://evil.example/info", &["host: localhost"]).status,
        421
    );
    assert_eq!(ask_with(&address, "GET /livez", &["host: evil.example"]).status, 200);
    for host in ["localhost", "shop.localhost:1", "admin.internal", "127.0.0.1"] {
        assert_eq!(ask_with(&address, "GET /info", &[&format!("host: {host}")]).status, 200);
    }
    program.stop().expect_code(0);
}

#[test]
fn a_unix_socket_shows_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = format!("unix:{}", folder.path().join("admin.sock").display());
    let mut program = start("").env("LIFECYCLE_ADMIN", &socket).start().ready();
    program.wait_for("probes on unix:");
    for path in PATHS {
        let mut connection = Connection::to_any(&socket).expect("it listens");
        connection.send(&format!("GET {path}")).expect("it listens");
        assert_eq!(connection.response().expect("a response").status, 200, "{path}");
    }
    program.stop().expect_code(0);
}

#[test]
fn nothing_changes_anything_and_unknown_paths_lead_on() {
    let mut program = start("").start().ready();
    let address = address_of(&mut program);
    let host = format!("host: {address}");
    let others = ["/", "/events", "/metrics", "/livez", "/readyz", "/startupz"];
    for path in PATHS[..7].iter().copied().chain(others) {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let refusal = ask_with(&address, &format!("{method} {path}"), &[&host]);
            assert_eq!(refusal.status, 405, "{method} {path}");
            assert!(refusal.head.contains("\r\nallow: get, head\r\n"), "{}", refusal.head);
        }
        let mut connection = Connection::to(&address).expect("it listens");
        let head = format!("HEAD {path} HTTP/1.1\r\n{host}\r\nconnection: close\r\n\r\n");
        connection.write(head.as_bytes()).expect("it listens");
        let head = connection.response_head().expect("a head");
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert!(connection.is_closed(), "{path}: no body");
    }
    for path in ["/unknown", "/info/", "/../info", "/%2e%2e/info", "/rows/../info"] {
        let unknown = ask(&address, path);
        assert_eq!(unknown.status, 404, "{path}");
        let body: serde_json::Value = serde_json::from_str(&unknown.body).expect("JSON");
        let paths = body["paths"].as_array().expect("a list");
        assert_eq!(paths.len(), 13, "{body}");
        assert!(paths.contains(&"/timeline".into()) && paths.contains(&"/livez".into()));
        assert!(unknown.head.contains("\r\nx-content-type-options: nosniff\r\n"));
    }
    program.stop().expect_code(0);
}

#[test]
fn the_programs_own_routes_answer_from_when_their_hooks_have_values() {
    let mut program = start("db=wait close_db=wait").start();
    let address = address_of(&mut program);
    program.wait_until_said("db");
    let early = ask(&address, "/rows");
    assert_eq!(early.status, 503);
    assert!(early.body.starts_with("hook `db` (tests/src/bin/admin.rs:"), "{}", early.body);
    assert!(early.body.contains(" has no value now: it has not started, or"), "{}", early.body);
    program.tell("db");
    let mut program = program.ready();
    assert_eq!(ask(&address, "/rows").body, "3 rows");
    // The route of the framework stays, and a panic is an answer.
    assert_eq!(ask(&address, "/livez").status, 200);
    assert_eq!(ask(&address, "/panicking").status, 500);
    program.signal(crate::harness::Signal::SIGTERM);
    program.wait_until_said("close_db");
    assert_eq!(ask(&address, "/rows").status, 200, "the value is there until its teardown ends");
    program.tell("close_db");
    program.end().expect_code(0);
}

#[test]
fn a_page_of_another_origin_changes_nothing() {
    let mut program = start("").start().ready();
    let address = address_of(&mut program);
    let host = format!("host: {address}");
    let post = |origin: &str| ask_with(&address, "POST /level", &[&host, origin]).status;
    assert_eq!(post("accept: */*"), 204);
    assert_eq!(post(&format!("origin: http://{address}")), 204);
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        assert_eq!(post(&format!("origin: {origin}")), 403, "{origin}");
    }
    program.stop().expect_code(0);
}

#[test]
fn a_name_that_is_none_is_refused_before_anything_runs() {
    let refused = start("").env("LIFECYCLE_ADMIN_HOSTS", "http://admin").end();
    refused.expect_code(2).expect_said(&["`http://admin` is no host name; expected host names"]);
}

#[test]
fn the_documents_are_there_before_the_first_hook_and_until_after_the_last() {
    let address = own_address();
    let program = start("db=wait close_db=wait").env("LIFECYCLE_ADMIN", &address);
    let mut program = program.start();
    program.wait_until_said("db");
    for path in &PATHS[..7] {
        document(&address, path);
    }
    program.tell("db");
    let mut program = program.ready();
    program.signal(crate::harness::Signal::SIGTERM);
    program.wait_until_said("close_db");
    for path in &PATHS[..7] {
        document(&address, path);
    }
    program.tell("close_db");
    program.end().expect_code(0);
}
