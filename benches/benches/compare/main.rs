//! Comparison of a server with the framework and the same app on actix-web's own server: requests
//! per second, memory, and time to stop.
//!
//! The programs run in turns, one at a time, so that other load on the machine affects both.
//! Everything is measured twice: on loopback, and with a round trip between the server and its
//! clients.

mod network;
mod operator;
mod program;
mod serve;
mod stop;

use std::time::Duration;

use network::Network;
use program::Kind;

/// Settings of a comparison, from the command line.
struct Settings {
    rounds: usize,
    seconds: u64,
    connections: usize,
    workers: usize,
    /// Round trip time of the second network, in milliseconds.
    rtt: u64,
}

impl Settings {
    fn of_the_command_line() -> Result<Self, String> {
        let mut settings = Self { rounds: 7, seconds: 5, connections: 64, workers: 2, rtt: 40 };
        let mut arguments = std::env::args().skip(1);
        while let Some(key) = arguments.next() {
            // `cargo bench` adds this argument.
            if key == "--bench" {
                continue;
            }
            let value =
                arguments.next().and_then(|value| value.parse().ok()).filter(|value| *value > 0);
            let value: usize = value.ok_or_else(|| format!("{key} takes a number above 0"))?;
            match key.as_str() {
                "--rounds" => settings.rounds = value,
                "--seconds" => settings.seconds = value as u64,
                "--connections" => settings.connections = value,
                "--workers" => settings.workers = value,
                "--rtt" => settings.rtt = value as u64,
                _ => {
                    return Err(format!(
                        "{key} is none of --rounds, --seconds, --connections, --workers, --rtt"
                    ));
                }
            }
        }
        Ok(settings)
    }
}

fn main() -> Result<(), String> {
    let settings = Settings::of_the_command_line()?;
    serve::find_wrk()?;
    println!(
        "load average {}",
        std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim_end()
    );

    println!("\nOn loopback:\n");
    compare(&settings, &Network::Loopback)?;
    println!("\nAt a round trip of {} ms:\n", settings.rtt);
    match Network::distant(settings.rtt) {
        Ok(network) => compare(&settings, &network)?,
        Err(reason) => println!("SKIPPED, {reason}"),
    }
    Ok(())
}

/// Measures and prints everything on one network.
fn compare(settings: &Settings, network: &Network) -> Result<(), String> {
    let rounds: Vec<_> = (0..settings.rounds)
        .map(|round| {
            eprintln!("round {} of {}", round + 1, settings.rounds);
            // The programs that run later find a warmer machine, so each round has another order.
            let mut kinds = Kind::ALL;
            kinds.rotate_left(round % Kind::ALL.len());
            let served = kinds.map(|kind| (kind, serve::measure(kind, settings, network)));
            let mut round = Vec::new();
            for (kind, served) in served {
                round.push((kind, served?));
            }
            round.sort_by_key(|(kind, _)| *kind);
            Ok(round.into_iter().map(|(_, served)| served).collect())
        })
        .collect::<Result<_, String>>()?;
    serve::print(&rounds);

    println!("\n{}\n|---|---|---|---|", heading("stop, from SIGTERM to exit"));
    for situation in stop::SITUATIONS {
        let mut stops = Kind::ALL.map(|_| Vec::new());
        for _ in 0..settings.rounds {
            for (kind, stops) in Kind::ALL.into_iter().zip(&mut stops) {
                stops.push(stop::measure(kind, situation, settings.workers, network)?);
            }
        }
        let texts: Vec<_> = stops.iter().map(|stops| stop::text(stops)).collect();
        println!("| {} | {} |", situation.name, texts.join(" | "));
    }
    Ok(())
}

/// Returns the heading of a table with a column for each program.
fn heading(of: &str) -> String {
    format!("| {of} | {} |", Kind::ALL.map(Kind::name).join(" | "))
}

/// Returns the median of the values.
fn median<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<_> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).expect("comparable values"));
    values[values.len() / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
