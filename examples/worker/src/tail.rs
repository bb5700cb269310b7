//! The service that follows every log file in the spool.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use lifecycle_runtime::{Dep, Stop, service};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::batches::{batches, queue};
use crate::follow::{FileId, Followed, Piece};
use crate::settings::{Live, settings};
use crate::spool::spool;
use crate::store::positions;

/// Time between two attempts to send to a full queue.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks for new lines again and again, on a thread of its own, as it reads files.
///
/// It uses `batches`, so it is stopped first, and everything that it has read is written. It is
/// never restarted: only the failed run knew how far it had read, so the next process continues
/// from the positions in the database.
#[service(after = [batches], stop_timeout = "5s")]
pub fn tail(
    spool: Dep<spool>,
    positions: Dep<positions>,
    queue: Dep<queue>,
    settings: Dep<settings>,
    stop: Stop,
) {
    let mut tail =
        Tail { known: (*positions).clone(), followed: BTreeMap::new(), refused: BTreeSet::new() };
    let mut out = Out { queue: queue.sender(), stop: stop.clone() };
    loop {
        let live = settings.live.load_full();
        if tail.pass(&spool, &live, &mut out).is_err() || stop.wait(live.look_every()) {
            return;
        }
    }
}

/// Way of the pieces into the queue.
struct Out {
    queue: Sender<Piece>,
    stop: Stop,
}

/// Error that ends a pass: the stop has begun, and nothing more is read.
struct Stopped;

impl Out {
    /// Sends a piece, and waits for room until the stop. A piece that was not sent is read again by
    /// the next process.
    fn send(&self, mut piece: Piece) -> Result<(), Stopped> {
        while let Err(TrySendError::Full(refused)) = self.queue.try_send(piece) {
            if self.stop.wait(PAUSE) {
                return Err(Stopped);
            }
            piece = refused;
        }
        Ok(())
    }
}

struct Tail {
    /// Positions of the files that are not followed now.
    known: BTreeMap<FileId, u64>,
    /// The followed files, oldest first, as ids sort by age: a rotated file comes before the one
    /// that now has its name.
    followed: BTreeMap<FileId, Followed>,
    /// Names of the files that could not be read and were reported.
    refused: BTreeSet<String>,
}

impl Tail {
    /// Reads every file to its end.
    fn pass(&mut self, spool: &Path, live: &Live, out: &mut Out) -> Result<(), Stopped> {
        // The health check reports a spool that is gone.
        let Ok(present) = self.look(spool) else { return Ok(()) };
        for followed in self.followed.values_mut() {
            while let Some(pieces) = told(
                &mut self.refused,
                followed.name().to_owned(),
                followed.read(live.longest_line.get()),
            ) {
                if out.stop.is_requested() {
                    return Err(Stopped);
                }
                pieces
                    .into_iter()
                    .map(|piece| filtered(piece, &live.keep))
                    .try_for_each(|piece| out.send(piece))?;
            }
        }
        // These files were read to their ends after they had gone. If one comes back, as it can on
        // some file systems, it continues there.
        let gone: Vec<_> = self.followed.extract_if(.., |id, _| !present.contains(id)).collect();
        for (id, followed) in gone {
            self.known.insert(id, followed.position());
            let lost = match followed.begun() {
                0 => String::new(),
                bytes => format!("; its last {bytes} bytes were no line"),
            };
            eprintln!("{} is gone{lost}", followed.name());
        }
        Ok(())
    }

    /// Opens the files that are not followed yet, and returns the ids of all files that are there.
    fn look(&mut self, spool: &Path) -> io::Result<BTreeSet<FileId>> {
        let mut present = BTreeSet::new();
        for entry in spool.read_dir()? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // The file may have been renamed meanwhile; the next pass finds it.
            let Ok(metadata) = path.metadata() else { continue };
            if !is_log(&name) || !metadata.is_file() {
                continue;
            }
            let id = FileId::of(&metadata);
            present.insert(id);
            if self.followed.contains_key(&id) {
                continue;
            }
            let opened = Followed::open(&path, |id| self.known.remove(&id)).map(Some);
            if let Some(followed) = told(&mut self.refused, name.into_owned(), opened) {
                eprintln!("following {} from {}", followed.name(), followed.position());
                present.insert(followed.id());
                self.followed.insert(followed.id(), followed);
            }
        }
        Ok(present)
    }
}

/// Returns whether this is the name of a log: `a.log`, or `a.log.1` or `a.log.2026-11-23` as a
/// rotation leaves it, but not of a compressed one.
fn is_log(name: &str) -> bool {
    let is_packed = [".gz", ".bz2", ".xz", ".zst"].iter().any(|packed| name.ends_with(packed));
    name.ends_with(".log") || name.contains(".log.") && !is_packed
}

/// Removes the line of a piece unless it contains `keep`.
fn filtered(piece: Piece, keep: &str) -> Piece {
    let has_it = |line: &Vec<u8>| {
        keep.is_empty() || line.windows(keep.len()).any(|part| part == keep.as_bytes())
    };
    Piece { line: piece.line.filter(has_it), ..piece }
}

/// Returns the value, or reports the error once for each file. The next pass tries again.
fn told<T>(
    refused: &mut BTreeSet<String>,
    name: String,
    result: io::Result<Option<T>>,
) -> Option<T> {
    match result {
        Ok(value) => {
            refused.remove(&name);
            value
        }
        Err(error) => {
            if refused.insert(name.clone()) {
                eprintln!("can't read {name}, and go on trying: {error}");
            }
            None
        }
    }
}
