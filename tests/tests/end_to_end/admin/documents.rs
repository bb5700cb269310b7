//! Documents about a run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{address_of, document, start, wait_for};
use crate::harness::Signal;
use crate::http::Connection;

#[test]
fn the_program_is_described_with_its_settings_and_where_they_come_from() {
    let started = start("").env("LIFECYCLE_WORKERS", "2").env("LIFECYCLE_BIND", "127.0.0.1:0");
    let mut program = started.start().ready();
    let info = document(&address_of(&mut program), "/info");
    assert_eq!(info["name"], "shop");
    assert_eq!(info["version"], "1.2.3");
    assert_eq!(info["revision"], "0a1b2c3");
    assert_eq!(info["built"], "2026-03-01T12:00:00Z");
    assert!(info["rust"].as_str().expect("a text").starts_with("rustc "), "{info}");
    assert_eq!(info["state"], "ready");
    assert_eq!(info["pid"], i64::from(program.pid().as_raw()));
    let started_at = info["started_at"].as_str().expect("a time");
    assert!(started_at.starts_with("20") && started_at.ends_with('Z'), "{started_at}");
    let setting = |name: &str| info["settings"][name].clone();
    assert_eq!(setting("grace"), json!({ "value": 25000.0, "from": "environment" }));
    assert_eq!(setting("quiet_window"), json!({ "value": 250.0, "from": "default" }));
    let server = &info["servers"][0];
    assert_eq!(server["workers"], json!({ "value": 2, "from": "environment" }));
    assert_eq!(server["bind"], json!({ "value": ["127.0.0.1:0"], "from": "environment" }));
    assert_eq!(server["keep_alive"], json!({ "value": 75000.0, "from": "default" }));
    program.stop().expect_code(0);
}

#[test]
fn services_are_shown_with_their_restarts_and_backoff() {
    let mut program = start("").start().ready();
    let services = document(&address_of(&mut program), "/services");
    assert_eq!(services["services"][0]["state"], "running");
    program.tell("pump");
    let services =
        wait_for(&mut program, "/services", |it| it["services"][0]["state"] == "backing_off");
    let pump = &services["services"][0];
    let left =
        pump["backoff_until"].as_f64().expect("a time") - services["now"].as_f64().expect("a time");
    assert!((1_000_000.0..=3_600_000.0).contains(&left), "{services}");
    assert_eq!(pump["last_error"], "failed: <script>alert(\"broken\")</script>");
    program.stop().expect_code(0);
}

#[test]
fn checks_are_shown_with_their_last_results() {
    let mut program = start("").start().ready();
    wait_for(&mut program, "/checks", |it| {
        let history = it["checks"][0]["history"].as_array().expect("a list");
        history.len() == 20 && it["checks"][0]["status"] == "pass"
    });
    program.tell("break ping");
    let checks = wait_for(&mut program, "/checks", |it| it["checks"][0]["status"] == "fail");
    let ping = &checks["checks"][0];
    assert_eq!(ping["last_error"], "failed: no answer");
    assert_eq!(ping["history"][0]["error"], "failed: no answer");
    assert_eq!(ping["history"].as_array().expect("a list").len(), 20);
    program.stop().expect_code(0);
}

#[test]
fn requests_in_flight_are_shown_with_their_worker() {
    let mut program = start("").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held?key=secret").expect("it listens");
    program.wait_until_said("held");
    let requests = document(&address_of(&mut program), "/requests");
    assert_eq!(requests["count"], 1);
    let held = &requests["requests"][0];
    assert_eq!((&held["method"], &held["path"]), (&"GET".into(), &"/held".into()));
    assert_eq!((&held["server"], &held["state"]), (&0.into(), &"running".into()));
    assert!(held["worker"].is_u64() && held["age"].is_f64(), "{held}");
    program.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    let none = wait_for(&mut program, "/requests", |it| it["count"] == 0);
    assert_eq!(none["requests"], json!([]));
    program.stop().expect_code(0);
}

#[test]
fn connections_are_counted_by_worker_protocol_and_state() {
    let mut program = start("").env("LIFECYCLE_WORKERS", "1").start();
    let address = program.address();
    let mut held = Connection::to(&address).expect("it listens");
    held.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    let mut idle = Connection::to(&address).expect("it listens");
    idle.send("GET /").expect("it listens");
    idle.response().expect("a response");
    let counted = |state: &str, count: usize| {
        let protocol = "http/1.1";
        json!({ "protocol": protocol, "state": state, "count": count })
    };
    let expected = json!([counted("idle", 1), counted("in_flight", 1)]);
    let is_expected = |it: &Value| it["servers"][0]["workers"][0]["connections"] == expected;
    let connections = wait_for(&mut program, "/connections", is_expected);
    assert_eq!(connections["servers"][0]["workers"][0]["open"], 2);
    assert_eq!(connections["servers"][0]["urls"], json!([format!("http://{address}")]));
    program.tell("held");
    held.response().expect("a response");
    program.stop().expect_code(0);
}

#[test]
fn a_worker_that_is_blocked_does_not_count_its_connections() {
    let mut program = start("").env("LIFECYCLE_WORKERS", "1").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let connections = document(&address_of(&mut program), "/connections");
    let worker = &connections["servers"][0]["workers"][0];
    assert_eq!((&worker["open"], &worker["connections"]), (&1.into(), &Value::Null));
    let requests = document(&address_of(&mut program), "/requests");
    assert_eq!(requests["requests"][0]["path"], "/block");
    program.tell("block");
    client.response().expect("a response");
    program.stop().expect_code(0);
}

#[test]
fn the_plan_is_the_one_that_is_printed() {
    let mut program = start("").start().ready();
    let plan = document(&address_of(&mut program), "/plan");
    program.stop().expect_code(0);
    let printed = start("").env("LIFECYCLE_PLAN", "json").end();
    let printed: Value = serde_json::from_str(&printed.did().join("\n")).expect("JSON");
    assert_eq!(plan["hooks"], printed["hooks"]);
    assert_eq!(plan["stop"], printed["stop"]);
    let hooks = plan["hooks"].as_array().expect("a list");
    let value_of = |name: &str| {
        let hook = hooks.iter().find(|hook| hook["name"] == name);
        hook.expect("a hook")["value"].clone()
    };
    assert_eq!(value_of("db"), "alloc::string::String");
    assert_eq!(value_of("close_db"), Value::Null);
}

#[test]
fn the_timeline_has_what_is_stalled_and_what_holds_it() {
    let settings = start("").env("LIFECYCLE_WORKERS", "1").env("LIFECYCLE_STALL_AFTER", "1s");
    let mut program = settings.start().ready();
    let timeline = document(&address_of(&mut program), "/timeline");
    assert_eq!(timeline["stalls"], json!([]));
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /block").expect("it listens");
    program.wait_until_said("block");
    let timeline = wait_for(&mut program, "/timeline", |it| it["stalls"] != json!([]));
    let stall = &timeline["stalls"][0];
    let url = format!("http://{}", program.address());
    assert_eq!(stall["stalled"], format!("worker 0 of {url}"));
    assert!(stall["time"].as_f64().expect("a time") >= 1000.0, "{stall}");
    assert!(stall["holders"][0].as_str().expect("a text").starts_with("GET /block "), "{stall}");
    assert_eq!(stall["part"], "runtime");
    assert_eq!(stall["of"], json!({ "runtime": "worker", "number": 0, "url": url }));
    assert!(stall["reason"].as_str().expect("a text").starts_with("blocked by GET /block "));
    let readiness = &timeline["probes"]["readiness"];
    assert_eq!((&readiness["path"], &readiness["passes"]), (&"/readyz".into(), &false.into()));
    let reason = readiness["reason"].as_str().expect("a text");
    assert!(reason.starts_with("all workers of "), "{reason}");
    assert_eq!(timeline["probes"]["liveness"]["passes"], true);
    program.tell("block");
    client.response().expect("a response");
    wait_for(&mut program, "/timeline", |it| it["stalls"] == json!([]));
    program.stop().expect_code(0);
}

#[test]
fn the_timeline_has_the_start_and_a_stop_in_progress() {
    let mut program = start("close_db=wait").start().ready();
    let timeline = document(&address_of(&mut program), "/timeline");
    assert_eq!((&timeline["state"], &timeline["stop"]), (&"ready".into(), &Value::Null));
    let on_path = |timeline: &Value, of: &str| {
        let path = timeline[of]["critical_path"].as_array().expect("a list");
        path.iter().map(|step| step["name"].clone()).collect::<Vec<_>>()
    };
    let start_path = on_path(&timeline, "start");
    assert!(start_path.contains(&"db".into()) && start_path.contains(&"announce".into()));
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    let timeline = document(&address_of(&mut program), "/timeline");
    assert_eq!(timeline["stop"]["cause"], "SIGTERM");
    assert_eq!(on_path(&timeline, "stop").last(), Some(&"close_db".into()));
    assert!(timeline["waiting_for"][0].as_str().expect("a text").starts_with("close_db "));
    let wait = &timeline["waits"][0];
    assert_eq!((&wait["kind"], &wait["hook"]), (&"hook".into(), &"admin::close_db".into()));
    assert!(wait["running"].is_f64() && wait["text"] == timeline["waiting_for"][0], "{wait}");
    // `withdraw` and `pump`, and not yet `close_db`.
    let stop = &timeline["stop"];
    assert_eq!((&stop["done"], &stop["total"]), (&2.into(), &3.into()));
    assert_eq!(
        (&stop["traffic"]["requests"]["cut"], &stop["exit_code"]),
        (&json!([]), &json!(null))
    );
    let hooks = timeline["hooks"].as_array().expect("a list");
    let close_db = hooks.iter().find(|hook| hook["name"] == "close_db").expect("a hook");
    assert_eq!((&close_db["ended"], &close_db["paths"]), (&Value::Null, &json!(["stop"])));
    program.tell("close_db");
    program.end().expect_code(0);
}

/// Adds the paths of the fields of a value, such as `hooks[].outcome.result`.
fn add_fields(value: &Value, path: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                add_fields(value, &format!("{path}.{name}"), fields);
            }
        }
        Value::Array(list) => {
            for value in list {
                add_fields(value, &format!("{path}[]"), fields);
            }
        }
        _ => drop(fields.insert(path.to_owned())),
    }
}

#[test]
fn the_fields_of_each_document_stay() {
    let mut program = start("close_db=wait").start();
    let mut client = Connection::to(&program.address()).expect("it listens");
    client.send("GET /held").expect("it listens");
    program.wait_until_said("held");
    let address = address_of(&mut program);
    program.tell("pump");
    wait_for(&mut program, "/services", |it| it["services"][0]["state"] == "backing_off");
    wait_for(&mut program, "/checks", |it| !it["checks"][0]["history"][0].is_null());
    wait_for(&mut program, "/timeline", |it| !it["recurring"][0].is_null());
    let mut fields = BTreeSet::new();
    for path in ["/info", "/plan", "/services", "/checks", "/requests", "/connections"] {
        add_fields(&document(&address, path), path, &mut fields);
    }
    program.tell("held");
    client.response().expect("a response");
    let mut program = program.ready();
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    add_fields(&document(&address, "/timeline"), "/timeline", &mut fields);
    insta::assert_snapshot!(fields.into_iter().collect::<Vec<_>>().join("\n"));
    program.tell("close_db");
    program.end();
}
