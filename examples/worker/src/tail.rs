//! Follows every log file in the spool.

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

/// How often to look for room in the queue when it is full.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks for something new again and again, on a thread of its own: it reads files.
///
/// It uses `batches`, so it is told to stop first, and all that it has read is written. It is never
/// run again: how far it got is known to nobody else, and the next process begins with what the
/// database knows.
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

/// Where pieces go to.
struct Out {
    queue: Sender<Piece>,
    stop: Stop,
}

/// The stop has begun: nothing more is read.
struct Stopped;

impl Out {
    /// Waits for room, but not beyond the stop: what is not sent is read again by the next process.
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
    /// How far files had been read that are not followed now.
    known: BTreeMap<FileId, u64>,
    /// By their ids, so the oldest first: a file that was rotated before the one that has its name.
    followed: BTreeMap<FileId, Followed>,
    /// What could not be read, and has been told.
    refused: BTreeSet<String>,
}

impl Tail {
    /// Reads all files to their ends.
    fn pass(&mut self, spool: &Path, live: &Live, out: &mut Out) -> Result<(), Stopped> {
        // A spool that is not there is for the health check to tell.
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
        // Read to their ends after they were gone. One that comes back, as another file system may
        // let it, goes on there.
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

    /// The files that are there, all of which are followed now.
    fn look(&mut self, spool: &Path) -> io::Result<BTreeSet<FileId>> {
        let mut present = BTreeSet::new();
        for entry in spool.read_dir()? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // It may have got another name meanwhile, and is found by the next pass.
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

/// `a.log`, and `a.log.1` and `a.log.2026-11-23` into which a rotation turns it, but nothing that
/// is packed.
fn is_log(name: &str) -> bool {
    let is_packed = [".gz", ".bz2", ".xz", ".zst"].iter().any(|packed| name.ends_with(packed));
    name.ends_with(".log") || name.contains(".log.") && !is_packed
}

/// Without its line, unless that is one to keep.
fn filtered(piece: Piece, keep: &str) -> Piece {
    let has_it = |line: &Vec<u8>| {
        keep.is_empty() || line.windows(keep.len()).any(|part| part == keep.as_bytes())
    };
    Piece { line: piece.line.filter(has_it), ..piece }
}

/// What can't be read now is tried again in the next pass, and told once.
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
