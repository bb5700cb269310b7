//! File that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// File that is written once. It appears under its path when it is complete: until then it has
/// another name, in the same folder.
pub(super) struct AtomicFile {
    path: PathBuf,
    state: Mutex<FileState>,
}

/// State of a file that is written. A thread that can't wait any longer decides by it how the
/// writing of another thread ends.
enum FileState {
    Unwritten,
    /// Some of the text is in the temporary file.
    Begun(PathBuf),
    /// All of the text is in the temporary file, which is to get the name `target`.
    Complete {
        temporary: PathBuf,
        target: PathBuf,
    },
    /// It is written, or can't be.
    Over,
}

/// Place in which a file is to be when it appears.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// On the disk, where it outlives the system.
    OnDisk,
    /// In the memory of the system, where it outlives the process.
    InMemory,
}

impl AtomicFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::new(FileState::Unwritten) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file, unless that has begun already.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses any step. Then nothing is left of the file, and one that was
    /// there before is as it was.
    pub(super) fn write(&self, text: &str, durability: Durability) -> io::Result<()> {
        let Some((file, temporary, target)) = self.begin()? else { return Ok(()) };
        let written = self.fill(&file, text, temporary, target).and_then(|()| match durability {
            Durability::OnDisk => file.sync_all(),
            Durability::InMemory => Ok(()),
        });
        if let Err(error) = written {
            self.give_up();
            return Err(error);
        }
        self.finish()
    }

    /// Ends the writing: gives a complete file its name, and gives up any other.
    ///
    /// # Errors
    ///
    /// Fails if the file can't get its name, or is not complete.
    pub(super) fn finish(&self) -> io::Result<()> {
        // The lock is held meanwhile, as the process may end as soon as the writing is over.
        let mut state = self.state();
        match std::mem::replace(&mut *state, FileState::Over) {
            FileState::Unwritten => *state = FileState::Unwritten,
            FileState::Begun(temporary) => {
                let _ = fs::remove_file(temporary);
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            FileState::Complete { temporary, target } => {
                let renamed = fs::rename(&temporary, target);
                if renamed.is_err() {
                    let _ = fs::remove_file(temporary);
                }
                return renamed;
            }
            FileState::Over => {}
        }
        Ok(())
    }

    /// Creates the temporary file. Returns it with its path and the path that it is to get; `None`
    /// if the file is being written, or was.
    fn begin(&self) -> io::Result<Option<(File, PathBuf, PathBuf)>> {
        let mut state = self.state();
        if !matches!(*state, FileState::Unwritten) {
            return Ok(None);
        }
        *state = FileState::Over;
        let target = target(&self.path)?;
        // The name is no other's, so that two processes may write the same report.
        let name = format!(".lifecycle-{}-{:08x}.tmp", process::id(), fastrand::u32(..));
        let temporary = target.with_file_name(name);
        let file = File::create_new(&temporary)?;
        *state = FileState::Begun(temporary.clone());
        Ok(Some((file, temporary, target)))
    }

    /// Writes all of the text. From then on another thread may give the file its name.
    fn fill(
        &self,
        mut file: &File,
        text: &str,
        temporary: PathBuf,
        target: PathBuf,
    ) -> io::Result<()> {
        file.write_all(text.as_bytes())?;
        let mut state = self.state();
        if matches!(*state, FileState::Begun(_)) {
            *state = FileState::Complete { temporary, target };
        }
        Ok(())
    }

    /// Removes the temporary file, unless another thread has ended the writing.
    fn give_up(&self) {
        let mut state = self.state();
        if let FileState::Begun(temporary) | FileState::Complete { temporary, .. } =
            std::mem::replace(&mut *state, FileState::Over)
        {
            let _ = fs::remove_file(temporary);
        }
    }

    fn state(&self) -> MutexGuard<'_, FileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl AtomicFile {
    /// Creates the temporary file, as a thread that then waits for the disk.
    pub(super) fn begin_only(&self) {
        assert!(matches!(self.begin(), Ok(Some(_))));
    }

    /// Writes the temporary file, as a thread that then waits for the disk.
    pub(super) fn begin_and_write(&self, text: &str) {
        let (file, temporary, target) = self.begin().expect("a file").expect("the first time");
        self.fill(&file, text, temporary, target).expect("a file");
    }
}

/// Returns the path of the file that is to be replaced: where a link leads, and the path itself
/// otherwise.
///
/// # Errors
///
/// Fails if something other than a file is there, such as a device, which would be lost.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}
