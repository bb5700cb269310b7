//! File with the id of the process, for tools that send signals to it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::server::Handover;

/// File with the id of this process. It is written under another name in the same folder, and
/// appears whole. It is removed when this is dropped, unless a successor has put its own in its
/// place.
pub(super) struct PidFile {
    path: PathBuf,
    temporary: PathBuf,
    is_shown: AtomicBool,
    handover: Handover,
}

impl PidFile {
    /// Writes the file under its other name.
    ///
    /// # Errors
    ///
    /// The system's error: there is no such folder, or no room.
    pub(super) fn write(path: &Path, handover: &Handover) -> io::Result<Self> {
        let name = format!(".lifecycle-{}-{:08x}.pid", process::id(), fastrand::u32(..));
        // A hook may change the working directory.
        let path = std::path::absolute(path)?;
        let temporary = path.with_file_name(name);
        // Dropped with an error, it removes what there is of the file.
        let file =
            Self { path, temporary, is_shown: AtomicBool::new(false), handover: handover.clone() };
        File::create_new(&file.temporary)?.write_all(Self::text().as_bytes())?;
        Ok(file)
    }

    /// Gives the file its name, in place of one that is there.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(super) fn show(&self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        self.is_shown.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the path of the file.
    #[cfg(unix)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn text() -> String {
        format!("{}\n", process::id())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if !self.is_shown.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&self.temporary);
        } else if !self.handover.is_left()
            && fs::read_to_string(&self.path).is_ok_and(|text| text == Self::text())
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!(
            "lifecycle-pid-{}-{:08x}",
            process::id(),
            fastrand::u32(..)
        ));
        fs::create_dir(&folder).expect("a free place");
        folder
    }

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).expect("a folder").count()
    }

    #[test]
    fn the_file_appears_whole_and_goes_with_its_process() {
        let folder = folder();
        let path = folder.join("pid");
        let file = PidFile::write(&path, &Handover::default()).expect("a file");
        assert!(!path.exists());
        file.show().expect("a file");
        assert_eq!(fs::read_to_string(&path).expect("a file"), PidFile::text());
        assert_eq!(entries(&folder), 1);
        drop(file);
        assert_eq!(entries(&folder), 0);
        fs::remove_dir(folder).expect("nothing is left");
    }

    #[test]
    fn a_file_that_never_appears_leaves_nothing_behind() {
        let folder = folder();
        drop(PidFile::write(&folder.join("pid"), &Handover::default()).expect("a file"));
        assert_eq!(entries(&folder), 0);
        assert!(PidFile::write(&folder.join("none/pid"), &Handover::default()).is_err());
        fs::remove_dir(folder).expect("nothing is left");
    }

    #[test]
    fn the_file_of_another_process_stays() {
        let folder = folder();
        let path = folder.join("pid");
        for is_left in [false, true] {
            let handover = Handover::default();
            let file = PidFile::write(&path, &handover).expect("a file");
            file.show().expect("a file");
            if is_left {
                handover.leave();
            } else {
                fs::write(&path, "1\n").expect("a file");
            }
            drop(file);
            assert!(path.exists(), "{is_left}");
        }
        fs::remove_dir_all(folder).expect("a folder");
    }
}
