//! Measurement of a program that serves: its speed and its memory.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::network::Network;
use super::program::{Kind, Memory, Program};
use super::{Settings, heading, median};

/// Time in which a program comes to rest before its memory is read.
const REST: Duration = Duration::from_millis(300);

/// Results of one run of one program.
pub(crate) struct Served {
    requests_per_second: f64,
    /// 99th percentile of the latency, in microseconds.
    p99: f64,
    /// Processor time of the program per request, in microseconds. Other programs on the machine
    /// affect it least.
    work: f64,
    errors: u64,
    after_start: Memory,
    after_load: Memory,
}

/// Looks for `wrk`, or returns an error that says how to install it.
pub(crate) fn find_wrk() -> Result<(), String> {
    let found =
        Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.map(drop).map_err(|_| "wrk is missing: apt-get install wrk".to_owned())
}

pub(crate) fn measure(
    kind: Kind,
    settings: &Settings,
    network: &Network,
) -> Result<Served, String> {
    let program = Program::start(kind, settings.workers, network)?;
    sleep(REST);
    let after_start = program.memory()?;
    let url = format!("http://{}/fast", program.address);
    let (connections, seconds) = (settings.connections, settings.seconds);
    let arguments = [
        "-t2".to_owned(),
        format!("-c{connections}"),
        format!("-d{seconds}s"),
        "--latency".to_owned(),
    ];
    let worked = program.processor_time()?;
    let output = network.client(|| Command::new("wrk").args(arguments).arg(url).output());
    let output = output.map_err(|error| format!("wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let after = |label| text.split_once(label).and_then(|(_, rest)| rest.split_whitespace().next());
    let missing = || format!("wrk says something unexpected:\n{text}");
    let requests_per_second =
        after("Requests/sec:").and_then(|rate| rate.parse().ok()).ok_or_else(missing)?;
    // The spaces tell it from the shares of the deviation above, which look alike.
    let p99 = after(" 99% ").and_then(microseconds).ok_or_else(missing)?;
    let broken = text
        .split_once("Socket errors:")
        .and_then(|(_, rest)| rest.lines().next())
        .unwrap_or_default();
    let broken = broken
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|count| count.parse::<u64>().ok());
    let refused =
        after("Non-2xx or 3xx responses:").and_then(|count| count.parse().ok()).unwrap_or(0);
    let errors = broken.sum::<u64>() + refused;
    let requests =
        text.split_once(" requests in ").and_then(|(before, _)| before.split_whitespace().last());
    let requests: f64 = requests.and_then(|count| count.parse().ok()).ok_or_else(missing)?;
    let work = program.processor_time()?.saturating_sub(worked).as_secs_f64() * 1e6 / requests;
    sleep(REST);
    Ok(Served {
        requests_per_second,
        p99,
        work,
        errors,
        after_start,
        after_load: program.memory()?,
    })
}

/// Parses a time as wrk writes it: `812.00us`, `1.20ms`, `1.00s`.
fn microseconds(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    let (number, unit) =
        units.into_iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)))?;
    Some(number.parse::<f64>().ok()? * unit)
}

/// Prints the medians of all rounds, each a run of every program, with their ratios to the first,
/// which is the bare server.
pub(crate) fn print(rounds: &[Vec<Served>]) {
    println!("{}", heading(&format!("serving, medians of {} rounds", rounds.len())));
    println!("|---|---|---|---|");
    let row = |name: &str, unit: &str, value: &dyn Fn(&Served) -> f64| {
        let bare = median(rounds.iter().map(|round| value(&round[0])));
        let digits = if bare < 100.0 { 2 } else { 0 };
        print!("| {name} | {bare:.digits$} {unit} |");
        for at in 1..Kind::ALL.len() {
            let with = median(rounds.iter().map(|round| value(&round[at])));
            // The runs of one round had the same neighbours, so ratios are taken within a round.
            let ratio = median(rounds.iter().map(|round| value(&round[at]) / value(&round[0])));
            print!(" {with:.digits$} {unit}, {ratio:.3} |");
        }
        println!();
    };
    row("throughput", "requests/s", &|served| served.requests_per_second);
    row("processor time per request", "µs", &|served| served.work);
    row("99th percentile", "µs", &|served| served.p99);
    #[expect(clippy::cast_precision_loss, reason = "memory in KiB is far below 2^53")]
    {
        row("memory after the start", "KiB", &|served| served.after_start.whole as f64);
        row("of it without pages of files", "KiB", &|served| served.after_start.own as f64);
        row("memory after the load", "KiB", &|served| served.after_load.whole as f64);
        row("of it without pages of files", "KiB", &|served| served.after_load.own as f64);
    }
    let errors = |at: usize| rounds.iter().map(|round| round[at].errors).sum::<u64>();
    println!("| errors in all | {} | {} | {} |", errors(0), errors(1), errors(2));
}
