//! Health checks, and the probes that report them: `cargo run -p tour --example 03_health`.
//!
//! ```console
//! $ curl -d 'buy milk' http://127.0.0.1:8080/notes
//! $ curl -i http://127.0.0.1:8080/readyz
//! $ rm -r /tmp/tour-notes
//! $ curl -i http://127.0.0.1:8080/readyz
//! ```
//!
//! The folder is gone, and two seconds later `/readyz` answers 503 and says why. It answers 200
//! again soon after `mkdir /tmp/tour-notes`. (It is `$TMPDIR/tour-notes` where that is set.)
//!
//! A note without text meets a bug of this program, which three seconds later `/livez` reports:
//!
//! ```console
//! $ curl -d '' http://127.0.0.1:8080/notes
//! $ curl -i http://127.0.0.1:8080/livez
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::{env, fs, io};

use actix_web::error::{ErrorInternalServerError, ErrorServiceUnavailable};
use actix_web::{App, Responder, post};
use lifecycle_runtime::{Dep, Lifecycle, health_check, on_startup, probes};

struct Notes {
    folder: PathBuf,
    /// Number of the last note.
    last: Mutex<u64>,
}

#[on_startup]
fn notes() -> io::Result<Notes> {
    let folder = env::temp_dir().join("tour-notes");
    fs::create_dir_all(&folder)?;
    Ok(Notes { folder, last: Mutex::new(0) })
}

/// Writes a file. This is a readiness check: while it fails, requests should go to another process,
/// and this one lives on. It suits failures that pass by themselves: here of a disk, in most
/// services of a database.
#[health_check(interval = "1s", failures = 2)]
fn notes_can_be_saved(notes: Dep<notes>) -> io::Result<()> {
    let file = notes.folder.join("check");
    fs::write(&file, "can this be written?")?;
    fs::remove_file(file)
}

/// Looks at the lock. This is a liveness check: once it has failed three times in a row, the
/// process should be replaced. It suits failures that nothing else repairs: here a lock that a
/// handler held when it panicked.
#[health_check(kind = "liveness", interval = "1s")]
fn notes_are_not_poisoned(notes: Dep<notes>) -> Result<(), String> {
    notes.last.lock().map(drop).map_err(|error: PoisonError<_>| error.to_string())
}

#[post("/notes")]
async fn save_note(text: String, notes: Dep<notes>) -> actix_web::Result<impl Responder> {
    let number = {
        let mut last =
            notes.last.lock().map_err(|error| ErrorInternalServerError(error.to_string()))?;
        // The bug: a panic while the lock is held leaves the lock poisoned.
        assert!(!text.is_empty());
        *last += 1;
        *last
    };
    let file = notes.folder.join(format!("{number}.txt"));
    tokio::fs::write(file, text).await.map_err(ErrorServiceUnavailable)?;
    Ok(format!("note {number}\n"))
}

fn main() -> ExitCode {
    // `probes` adds `/livez`, `/readyz` and `/startupz`.
    Lifecycle::new().http(|| App::new().service(save_note).configure(probes)).run()
}
