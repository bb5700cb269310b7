//! A value that is made at the start and saved at the stop: `cargo run -p tour --example 01_value`.
//!
//! ```console
//! $ curl http://127.0.0.1:8080/
//! you are visitor 1
//! ```
//!
//! Press Ctrl-C and start it again: it counts on. It keeps the number in `tour-visits.txt`, in the
//! folder for temporary files.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, io};

use actix_web::{App, Responder, get};
use lifecycle_runtime::{BoxError, Dep, Lifecycle, on_shutdown, on_startup};

struct Visits {
    file: PathBuf,
    count: AtomicU64,
}

/// Reads the number of visits so far. Hooks and handlers get this value as `Dep<visits>`. An error
/// ends the start before anything listens, with exit code 1.
///
/// A plain `fn` runs on a thread that may block, as the read of a file does.
#[on_startup(timeout = "2s")]
fn visits() -> Result<Visits, BoxError> {
    let file = env::temp_dir().join("tour-visits.txt");
    let count = match fs::read_to_string(&file) {
        Ok(text) => text.parse().map_err(|error| format!("{}: {error}", file.display()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(Visits { file, count: AtomicU64::new(count) })
}

/// Saves the number. This is a teardown, as it is `of` a startup hook: it runs only if that hook
/// succeeded, and only after everything that uses the value. By then the last request has been
/// counted.
#[on_shutdown(of = visits, timeout = "2s")]
fn save_visits(visits: Dep<visits>) -> io::Result<()> {
    fs::write(&visits.file, visits.count.load(Ordering::Relaxed).to_string())
}

#[get("/")]
async fn visit(visits: Dep<visits>) -> impl Responder {
    let before = visits.count.fetch_add(1, Ordering::Relaxed);
    format!("you are visitor {}\n", before + 1)
}

fn main() -> ExitCode {
    Lifecycle::new().http(|| App::new().service(visit)).run()
}
