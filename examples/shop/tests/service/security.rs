//! Attacks on the running service. The README lists them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lifecycle_runtime::testing::process::Child;
use serde_json::json;

use crate::client::{Customer, agent, an_order, raw, token};
use crate::process::{command, ready_url, stop};

struct Target {
    service: Child,
    _folder: tempfile::TempDir,
    url: String,
    ana: Customer,
}

impl Target {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut service = command(folder.path()).spawn();
        let url = ready_url(&mut service);
        let ana = Customer::sign_up(&url, "ana@example.org");
        Self { service, _folder: folder, url, ana }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    fn raw(&self, request: &str) -> String {
        raw(&self.url, request)
    }

    /// Checks that the service goes on as if nothing had happened.
    fn expect_well(self) {
        let id = self.ana.order("after the attack");
        assert_eq!(self.ana.get(&format!("/orders/{id}")).0, 200);
        stop(self.service);
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn sql_in_a_value_stays_a_value() {
    let target = Target::start();
    let ben = Customer::sign_up(&target.url, "ben@example.org");
    let of_ben = ben.order("secret");
    for text in [
        "'; DROP TABLE orders; --",
        "\" OR \"\"=\"",
        "1 UNION SELECT password FROM users",
        "$1",
        "?",
        "\\",
    ] {
        let id = target.ana.order(text);
        assert_eq!(target.ana.get(&format!("/orders/{id}")).1["note"], text);
        let (status, said) = token(
            &target.url,
            &[("grant_type", "password"), ("username", text), ("password", text)],
        );
        assert_eq!((status, &said["error"]), (400, &json!("invalid_grant")));
        assert_eq!(
            token(&target.url, &[("grant_type", "refresh_token"), ("refresh_token", text)]).0,
            400
        );
    }
    for path in [
        format!("/orders/{of_ben}%20OR%201=1"),
        "/orders?before=99%20OR%201=1".to_owned(),
        "/orders?limit=1%3BDROP%20TABLE%20orders".to_owned(),
    ] {
        assert_eq!(target.ana.get(&path).0, 422, "{path}");
    }
    assert_eq!(ben.get(&format!("/orders/{of_ben}")).0, 200);
    target.expect_well();
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let target = Target::start();
    let (token, limit) = (&target.ana.token, 16 * 1024);
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n"
    );
    // The service refuses this without a byte of the body.
    let announced = target.raw(&format!("{head}content-length: 1000000000\r\n\r\n"));
    assert_eq!(status(&announced), "413", "{announced}");
    let chunk = format!("{:x}\r\n{}\r\n", 1024, " ".repeat(1024));
    let chunked = target.raw(&format!(
        "{head}transfer-encoding: chunked\r\n\r\n{}",
        chunk.repeat(limit / 1024 + 1) + "0\r\n\r\n"
    ));
    assert_eq!(status(&chunked), "413", "{chunked}");
    assert!(chunked.contains("\r\nconnection: close\r\n"), "{chunked}");
    let deep = "[".repeat(limit - 100);
    let response = target
        .raw(&format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n{deep}", deep.len()));
    assert_eq!(status(&response), "422", "{response}");
    // A head that never ends.
    let long = target.raw(&format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}", "a".repeat(1 << 20)));
    assert!(["", "400", "431"].contains(&status(&long)), "{long}");
    let password = json!({ "email": "ben@example.org", "password": "a".repeat(129) });
    assert_eq!(
        agent().post(format!("{}/users", target.url)).send_json(password).unwrap().status(),
        422,
        "argon2 costs time"
    );
    target.expect_well();
}

#[test]
fn numbers_beyond_all_measure_are_refused() {
    let target = Target::start();
    for quantity in [
        json!(-1),
        json!(1e300),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1.5),
        json!(null),
        json!([]),
        json!("1"),
    ] {
        let order = json!({ "items": [{ "product": 1, "quantity": quantity }] });
        assert_eq!(target.ana.post("/orders", &order).0, 422, "{quantity}");
    }
    for product in [json!(0), json!(-1), json!(i64::MAX), json!(i64::MIN)] {
        let order = json!({ "items": [{ "product": product, "quantity": 1 }] });
        assert_eq!(target.ana.post("/orders", &order).0, 422, "{product}");
    }
    for id in ["0", "-1", "9223372036854775807"] {
        assert_eq!(target.ana.get(&format!("/orders/{id}")).0, 404, "{id}");
        assert_eq!(target.ana.get(&format!("/orders?before={id}")).0, 200, "{id}");
    }
    assert_eq!(target.ana.get("/orders/9223372036854775808").0, 422);
    let many = json!({ "items": vec![json!({ "product": 1, "quantity": 1 }); 21] });
    assert_eq!(target.ana.post("/orders", &many).0, 422);
    target.expect_well();
}

#[test]
fn a_path_leads_nowhere_else() {
    let target = Target::start();
    for path in [
        "/docs/../../../../etc/passwd",
        "/docs/..%2f..%2f..%2fetc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/....//etc/passwd",
        "/docs/%00",
        "/docs/\\..\\shop.db",
        "//etc/passwd",
        "/shop.db",
        "/docs/shop.toml",
        "/redoc/../shop.db",
        "/ORDERS",
        "/orders/1/",
        "/orders/events/..",
        "/orders/%ff",
    ] {
        let answer = target.raw(&format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             connection: close\r\n\r\n",
            target.ana.token
        ));
        assert!(["400", "404", "422"].contains(&status(&answer)), "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("SQLite"), "{path}: {answer}");
    }
    target.expect_well();
}

#[test]
fn a_value_makes_no_header_and_no_line_of_the_log() {
    let target = Target::start();
    // The paths contain line breaks, and so does the note.
    for path in [
        "/%0d%0aset-cookie:%20evil=1",
        "/orders/1%0d%0aset-cookie:%20evil=1",
        "/docs/%0d%0alocation:%20evil",
    ] {
        let answer =
            target.raw(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
        let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        assert!(
            !head.contains("\r\nset-cookie") && !head.contains("\r\nlocation: evil"),
            "{answer}"
        );
    }
    let note = "a\r\nset-cookie: evil=1";
    assert_eq!(target.ana.post("/orders", &an_order(note)).0, 422);
    // These heads hide a request in another one: by a bare carriage return within a header's value,
    // a second length, or a length beside chunks.
    for head in [
        "x-a: b\rc\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length : 5\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
    ] {
        let answer = target.raw(&format!(
            "POST /token HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\nhello"
        ));
        assert_eq!(status(&answer), "400", "{head}: {answer}");
    }
    let evil = agent().get(format!("{}/%0aERROR%20shop:%20forged", target.url)).call().unwrap();
    assert_eq!(evil.status(), 404);
    let id = target.ana.order("after the attack");
    assert!(id > 0);
    let log = stop(target.service);
    assert!(!log.lines().any(|line| line.starts_with("ERROR")), "{log}");
}

#[test]
fn slow_clients_hold_nobody_up_and_are_cut_off() {
    let target = Target::start();
    // Each client sends half a head, or half a body, and then a byte now and then.
    let head = "GET /products HTTP/1.1\r\nhost: x\r\nx-slow: ";
    let body = "POST /users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 9999\r\n\r\n{";
    let connect = |number: usize| {
        let mut stream = TcpStream::connect(target.address()).unwrap();
        stream.write_all([head, body][number % 2].as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let begun = Instant::now();
    let mut open: Vec<_> = (0..200).map(connect).collect();
    while !open.is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{} slow clients are still there",
            open.len()
        );
        let asked = Instant::now();
        assert_eq!(agent().get(format!("{}/products", target.url)).call().unwrap().status(), 200);
        assert!(asked.elapsed() < Duration::from_secs(3), "others wait for them");
        open.retain_mut(|stream| {
            let _ = stream.write(b" ");
            let mut answer = [0; 512];
            // The service answers with 408, or closes: anything but "nothing yet".
            match stream.read(&mut answer) {
                Ok(length) => {
                    assert!(length == 0 || answer.starts_with(b"HTTP/1.1 408 "), "{answer:?}")
                }
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
            false
        });
        // The pause waits for nothing: it is the pace of a slow client.
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begun.elapsed() > Duration::from_secs(2), "they were given no time at all");
    target.expect_well();
}

#[test]
fn who_has_an_account_can_not_be_found_out_by_the_time_that_it_takes() {
    let target = Target::start();
    let take = |name: &str| {
        let begun = Instant::now();
        let form = [("grant_type", "password"), ("username", name), ("password", "a guess")];
        assert_eq!(token(&target.url, &form).0, 400);
        begun.elapsed()
    };
    // The two take turns, and only the quickest of each counts, as the machine does other work,
    // too.
    let (known, unknown): (Vec<_>, Vec<_>) =
        (0..15).map(|_| (take("ana@example.org"), take("nobody@example.org"))).unzip();
    let (known, unknown) = (known.into_iter().min().unwrap(), unknown.into_iter().min().unwrap());
    // Both take as long as a hash, which takes many times longer than the rest.
    assert!(unknown > known / 2, "a known user takes {known:?}, an unknown one {unknown:?}");
    target.expect_well();
}

#[test]
fn what_a_client_sends_is_not_in_answers_as_a_page() {
    let target = Target::start();
    let script = "<script>alert(1)</script>";
    let (status, said) = target.ana.post("/orders", &json!({ "items": script }));
    assert_eq!(status, 422, "{said}");
    let response = agent()
        .get(format!("{}/{}", target.url, "%3Cscript%3Ealert(1)%3C/script%3E"))
        .call()
        .unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["x-frame-options"], "DENY");
    target.expect_well();
}
