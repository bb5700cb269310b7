//! Service of three copies behind haproxy, which is updated under load: to the same image, and to
//! one whose start fails.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_deploy::balancer::Balancer;
use lifecycle_deploy::copies::{COPIES, labels};
use lifecycle_deploy::load::{Load, MIXED};
use lifecycle_deploy::network::Network;
use lifecycle_tests::LIMIT;
use lifecycle_tests::http::request;

use crate::engine::Engine;
use crate::image::{BROKEN, GOOD};

const STACK: &str = include_str!("../../../swarm/stack.yml");

/// Name that the engine gives the service of the stack `deploy`.
const SERVICE: &str = "deploy_worldclock";

/// Number of answers before the first update and after each.
const ANSWERS: usize = 200;

/// Deploys the stack and updates it.
///
/// # Errors
///
/// Requests or writes were lost, or the engine refuses something.
pub(crate) fn update(engine: &Engine, updates: usize) -> Result<(), String> {
    let network = Network::as_written();
    let manager = "127.0.0.1:2377";
    engine.docker(&["swarm", "init", "--advertise-addr", manager, "--listen-addr", manager])?;
    let file = "/run/stack.yml";
    fs::write(file, STACK).map_err(|error| error.to_string())?;
    engine.docker(&["stack", "deploy", "--resolve-image", "never", "-c", file, "deploy"])?;
    for number in 0..COPIES {
        wait_until_ready(&network.admin(number))?;
    }
    let front = Balancer::Haproxy.start(&network, str::to_owned);
    let load = Load::start(&network.front(), MIXED);
    load.wait_for(ANSWERS);
    let update = |image: &str| {
        let (service, how) = (["service", "update", "--quiet"], ["--no-resolve-image", "--force"]);
        let which = ["--detach=false", "--image", image, SERVICE];
        engine.docker(&[&service[..], &how[..], &which[..]].concat())
    };
    for _ in 0..updates {
        update(GOOD)?;
        load.wait_for(ANSWERS);
    }
    // The client fails, as the service is rolled back.
    let _ = update(BROKEN);
    let state = wait_for_rollback(engine)?;
    load.wait_for(ANSWERS);
    let outcome = load.end();
    println!("{updates} updates and one to an image whose start fails ({state}): {outcome}");
    let mut boards = BTreeSet::new();
    for number in 0..COPIES {
        let board = request(&network.copy(number), "GET /clocks");
        boards.extend(labels(&board.map_err(|error| format!("GET /clocks: {error:?}"))?.body));
    }
    drop(front);
    let unwritten: Vec<_> = outcome.written.difference(&boards).collect();
    match (outcome.lost, unwritten.len(), state.as_str()) {
        (0, 0, "rollback_completed") => {}
        (0, 0, state) => return Err(format!("the update has not been rolled back: {state}")),
        (lost, gone, _) => return Err(format!("{lost} requests lost, {gone} writes gone")),
    }
    engine.docker(&["stack", "rm", "deploy"]).map(drop)
}

/// Waits until the engine has rolled an update back, or has given up, and returns the state of the
/// update.
fn wait_for_rollback(engine: &Engine) -> Result<String, String> {
    let began = Instant::now();
    loop {
        let state = ["service", "inspect", "--format", "{{.UpdateStatus.State}}", SERVICE];
        let state = engine.docker(&state)?;
        if state != "rollback_started" && state != "updating" || began.elapsed() > LIMIT {
            return Ok(state);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a copy is ready.
pub(crate) fn wait_until_ready(admin: &str) -> Result<(), String> {
    let began = Instant::now();
    loop {
        match request(admin, "GET /readyz") {
            Ok(response) if response.status == 200 => return Ok(()),
            _ if began.elapsed() > LIMIT => return Err(format!("{admin} does not get ready")),
            _ => thread::sleep(Duration::from_millis(50)),
        }
    }
}
