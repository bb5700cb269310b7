//! Rolling restarts behind each balancer, with its files and the settings of the page.
//!
//! Each test restarts all copies once by default, `LIFECYCLE_DEPLOY_RESTARTS` sets another number
//! of rolling restarts. One test runs at a time: each is a load for the whole machine.
#![cfg(unix)]

use std::fs;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lifecycle_deploy::balancer::Balancer;
use lifecycle_deploy::load::{Load, MIXED};
use lifecycle_deploy::network::Network;
use lifecycle_deploy::program::Program;
use lifecycle_deploy::trial::{ANSWERS, Trial};
use lifecycle_tests::skipped;
use tempfile::TempDir;

/// Variable with the number of rolling restarts.
const RESTARTS: &str = "LIFECYCLE_DEPLOY_RESTARTS";

fn restarts() -> usize {
    let number = std::env::var(RESTARTS).ok();
    number.map_or(1, |number| number.parse().expect("a number of restarts"))
}

/// Waits until no other test runs, and keeps others waiting until this is dropped.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn check(balancer: Balancer) {
    let _alone = alone();
    match Trial::documented(balancer, restarts()).run() {
        Ok(tried) => {
            println!("{tried}");
            tried.expect_nothing_lost();
        }
        Err(reason) => skipped(&reason),
    }
}

#[test]
fn a_rolling_restart_behind_haproxy_loses_nothing() {
    check(Balancer::Haproxy);
}

#[test]
fn a_rolling_restart_behind_nginx_loses_nothing() {
    check(Balancer::Nginx);
}

#[test]
fn a_rolling_restart_behind_envoy_loses_nothing() {
    check(Balancer::Envoy);
}

#[test]
fn a_rolling_restart_behind_traefik_loses_nothing() {
    check(Balancer::Traefik);
}

#[test]
fn a_rolling_restart_behind_caddy_loses_nothing() {
    check(Balancer::Caddy);
}

/// Script of the page, with addresses of its own, in a folder of its own. Its copies are stopped
/// when this is dropped.
struct Script(TempDir);

impl Script {
    fn new(network: &Network) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = network.rewrite(include_str!("../copies.sh"));
        fs::write(folder.path().join("copies.sh"), script).expect("a file");
        Self(folder)
    }

    fn run(&self, action: &str) -> bool {
        let mut script = Command::new("sh");
        script.args(["copies.sh", action]).current_dir(self.0.path());
        script.env("PROGRAM", Program::Worldclock.path());
        // The service refuses variables that it doesn't know.
        script.env_remove(RESTARTS).env_remove("LIFECYCLE_DEPLOY_UPDATES");
        script.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.run("stop");
    }
}

#[test]
fn the_commands_of_the_page_restart_three_copies_behind_haproxy_and_lose_nothing() {
    if let Some(reason) = Balancer::Haproxy.unavailable() {
        return skipped(&reason);
    }
    if Command::new("curl").arg("--version").output().is_err() {
        return skipped("curl is not installed (apt-get install curl)");
    }
    let _alone = alone();
    let network = Network::new();
    let script = Script::new(&network);
    assert!(script.run("start"));
    let front = Balancer::Haproxy.start(&network, str::to_owned);
    let load = Load::start(&network.front(), MIXED);
    load.wait_for(ANSWERS);
    assert!(script.run("restart"));
    let outcome = load.end();
    drop(front);
    assert_eq!(outcome.lost, 0, "{outcome}");
}
