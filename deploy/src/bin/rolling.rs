//! Table of what rolling restarts lose: behind each balancer, with the defaults of the framework,
//! with the settings of `docs/deploying.md` on both sides, and for bare actix-web.
//!
//! ```console
//! cargo run --release -p lifecycle-deploy --bin rolling -- --all --restarts 20
//! ```
//!
//! Words instead of `--all` choose the rows that contain one of them. Rows whose balancer is not
//! installed have the reason in their cells.
#![cfg(unix)]

use std::process::ExitCode;

use lifecycle_deploy::balancer::Balancer;
use lifecycle_deploy::copies::{COPIES, Setting};
use lifecycle_deploy::kept::Kept;
use lifecycle_deploy::load::{FRESH, Load, MIXED, Mix, Outcome, THINKING};
use lifecycle_deploy::program::Program;
use lifecycle_deploy::trial::{ANSWERS, DOCUMENTED, Trial};

/// Number of rolling restarts that a cell counts, unless `--restarts` says otherwise.
const RESTARTS: usize = 2;

/// Place of the service.
#[derive(Clone, Copy)]
enum Place {
    /// A balancer with its files, changed for the columns other than that of the page.
    Behind(Balancer, fn(&str) -> String),
    /// A balancer with files that are changed for each column.
    Changed(Balancer, fn(&str) -> String),
    /// Nothing: the parent keeps the listener open.
    KeptListener,
}

/// Row of the table.
struct Row {
    name: &'static str,
    place: Place,
    mix: Mix,
    /// Settings of the service for the first column.
    defaults: &'static [Setting],
    /// Settings for the second column.
    documented: &'static [Setting],
    /// Set if bare actix-web can be compared.
    has_bare: bool,
}

const PLAIN: Row = Row {
    name: "",
    place: Place::KeptListener,
    mix: MIXED,
    defaults: &[],
    documented: DOCUMENTED,
    has_bare: true,
};

const ROWS: &[Row] = &[
    Row {
        name: "haproxy without retries, mode tcp, new connections",
        place: Place::Changed(Balancer::Haproxy, |text| {
            without_retries(text).replace("mode http", "mode tcp")
        }),
        mix: FRESH,
        ..PLAIN
    },
    Row {
        name: "haproxy without retries, mode http, new connections",
        place: Place::Changed(Balancer::Haproxy, without_retries),
        mix: FRESH,
        ..PLAIN
    },
    Row {
        name: "the same with `ready_while_draining`, for which the delay is useless (haproxy)",
        place: Place::Changed(Balancer::Haproxy, without_retries),
        mix: FRESH,
        defaults: &[("LIFECYCLE_READY_WHILE_DRAINING", "on")],
        documented: &[("LIFECYCLE_READY_WHILE_DRAINING", "on"), ("LIFECYCLE_DRAIN_DELAY", "2s")],
        has_bare: false,
    },
    Row { name: "haproxy", place: Place::Behind(Balancer::Haproxy, str::to_owned), ..PLAIN },
    Row {
        name: "nginx, its defaults in the first column and the last",
        place: Place::Behind(Balancer::Nginx, |text| {
            let text = text.replace(" max_fails=0", "");
            text.replace("keepalive 16;", "").replace("keepalive_timeout 1s;", "")
        }),
        ..PLAIN
    },
    Row {
        name: "nginx with `max_fails=0`",
        place: Place::Behind(Balancer::Nginx, str::to_owned),
        ..PLAIN
    },
    Row { name: "Envoy", place: Place::Behind(Balancer::Envoy, str::to_owned), ..PLAIN },
    Row { name: "Traefik", place: Place::Behind(Balancer::Traefik, str::to_owned), ..PLAIN },
    Row { name: "Caddy", place: Place::Behind(Balancer::Caddy, str::to_owned), ..PLAIN },
    Row {
        name: "one port, the parent keeps the listener",
        documented: &[("LIFECYCLE_QUIET_WINDOW", "1s")],
        ..PLAIN
    },
    Row {
        name: "the same, clients that think for up to 400 ms (one port)",
        mix: THINKING,
        documented: &[("LIFECYCLE_QUIET_WINDOW", "1s")],
        ..PLAIN
    },
];

/// Takes the retries out of haproxy's file.
fn without_retries(text: &str) -> String {
    text.replace("retries 3", "retries 0").replace("option redispatch 1", "")
}

/// Column of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Defaults,
    Documented,
    Bare,
}

fn main() -> ExitCode {
    let (words, restarts) = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\nusage: rolling [--restarts N] --all | WORD…");
            return ExitCode::from(2);
        }
    };
    println!("Requests lost in {restarts} rolling restarts of {COPIES} copies:\n");
    println!("| in front | our defaults | documented settings | bare actix-web |");
    println!("|---|---|---|---|");
    let is_meant = |row: &Row| words.iter().any(|word| row.name.contains(word));
    for row in ROWS.iter().filter(|row| words.is_empty() || is_meant(row)) {
        let cell = |column| row.measured(column, restarts);
        let cells = [Column::Defaults, Column::Documented, Column::Bare].map(cell);
        println!("| {} | {} |", row.name, cells.join(" | "));
    }
    ExitCode::SUCCESS
}

/// Returns the words that choose rows, none for all of them, and the number of restarts.
fn arguments() -> Result<(Vec<String>, usize), String> {
    let (mut words, mut restarts, mut is_all) = (Vec::new(), RESTARTS, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--all" => is_all = true,
            "--restarts" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                restarts = number.ok_or("--restarts takes a number")?;
            }
            _ => words.push(argument),
        }
    }
    if is_all == words.is_empty() {
        return Ok((words, restarts));
    }
    Err("either --all, or words that rows contain".to_owned())
}

impl Row {
    /// Measures a cell, and describes losses on stderr.
    fn measured(&self, column: Column, restarts: usize) -> String {
        if column == Column::Bare && !self.has_bare {
            return "–".to_owned();
        }
        let program = if column == Column::Bare { Program::Bare } else { Program::Worldclock };
        let settings = match column {
            Column::Defaults => self.defaults,
            Column::Documented => self.documented,
            Column::Bare => &[],
        };
        let (balancer, change): (_, fn(&str) -> String) = match self.place {
            Place::Behind(balancer, _) if column == Column::Documented => (balancer, str::to_owned),
            Place::Behind(balancer, change) | Place::Changed(balancer, change) => {
                (balancer, change)
            }
            Place::KeptListener => return shown(&self.kept(program, settings, restarts), 0),
        };
        let trial = Trial { balancer, change, program, settings, mix: self.mix, restarts };
        match trial.run() {
            Ok(tried) => shown(&tried.outcome, tried.unwritten.len()),
            Err(reason) => format!("SKIPPED, {reason}"),
        }
    }

    fn kept(&self, program: Program, settings: &[Setting], restarts: usize) -> Outcome {
        let mut kept = Kept::start(program, settings);
        let load = Load::start(&kept.address(), self.mix);
        for _ in 0..restarts * COPIES {
            load.wait_for(ANSWERS);
            kept.restart();
        }
        load.wait_for(ANSWERS);
        load.end()
    }
}

/// Returns a cell of the table.
fn shown(outcome: &Outcome, unwritten: usize) -> String {
    if outcome.lost > 0 {
        eprintln!("{outcome}");
    }
    let Outcome { answered, lost, .. } = outcome;
    let cell = format!("{lost} of {}", answered + lost);
    if unwritten == 0 { cell } else { format!("{cell}, {unwritten} writes gone") }
}
