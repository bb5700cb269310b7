//! `docker stop` of a container that is busy.

use lifecycle_deploy::copies::labels;
use lifecycle_tests::http::{Connection, request};

use crate::engine::Engine;
use crate::image::GOOD;
use crate::service::wait_until_ready;

const ADDRESS: &str = "127.0.0.21:8080";
const ADMIN: &str = "127.0.0.21:9000";
const NAME: &str = "busy";

/// Number of writes before the stop.
const WRITES: usize = 10;

/// Stops a container with the defaults of both sides, while a request is in flight that never ends,
/// and starts it again.
///
/// # Errors
///
/// It was killed, or has lost a write that it had acknowledged.
pub(crate) fn stop(engine: &Engine) -> Result<(), String> {
    let bind = format!("LIFECYCLE_BIND={ADDRESS}");
    let admin = format!("LIFECYCLE_ADMIN={ADMIN}");
    let run = ["run", "--detach", "--name", NAME, "--network", "host", "--volume", "busy:/data"];
    let database = "WORLDCLOCK_DB=/data/worldclock.db";
    let settings = ["--env", bind.as_str(), "--env", admin.as_str(), "--env", database, GOOD];
    engine.docker(&[&run[..], &settings[..]].concat())?;
    wait_until_ready(ADMIN)?;
    let mut client = Connection::to(ADDRESS).map_err(|error| error.to_string())?;
    client.write(head(100).as_bytes()).map_err(|error| error.to_string())?;
    for number in 0..WRITES {
        write(&format!("write {number}"))?;
    }
    engine.docker(&["stop", NAME])?;
    let code = engine.docker(&["inspect", "--format", "{{.State.ExitCode}}", NAME])?;
    engine.docker(&["start", NAME])?;
    wait_until_ready(ADMIN)?;
    let board = request(ADDRESS, "GET /clocks").map_err(|error| format!("{error:?}"))?;
    let found = labels(&board.body).len();
    println!("docker stop of a busy copy: exit code {code}, {found} of {WRITES} writes are there");
    // 137 is that of a process that was killed. 3 says that a request was cut off.
    match (found, code.as_str()) {
        (WRITES, "3") => Ok(()),
        _ => Err("a busy copy does not stop as it should".to_owned()),
    }
}

fn write(label: &str) -> Result<(), String> {
    let body = format!(r#"{{"label":"{label}","zone":"Europe/Zurich"}}"#);
    let request = head(body.len()) + &body;
    let mut client = Connection::to(ADDRESS).map_err(|error| error.to_string())?;
    client.write(request.as_bytes()).map_err(|error| error.to_string())?;
    match client.response() {
        Ok(response) if response.status == 201 => Ok(()),
        other => Err(format!("POST /clocks: {other:?}")),
    }
}

/// Returns the head of a request to write, whose body has this many bytes.
fn head(length: usize) -> String {
    format!(
        "POST /clocks HTTP/1.1\r\nHost: {ADDRESS}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}
