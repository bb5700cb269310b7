//! The folder whose files are followed.

use std::fs;
use std::io;
use std::path::PathBuf;

use lifecycle_runtime::{Dep, health_check, on_startup};

use crate::settings::settings;

#[derive(Debug, thiserror::Error)]
#[error("can't use {} as the spool; `spool` must name a folder, or a new one", path.display())]
pub struct SpoolError {
    path: PathBuf,
    source: io::Error,
}

/// Returns the path of the spool, and makes the folder on the first run.
#[on_startup]
pub fn spool(settings: Dep<settings>) -> Result<PathBuf, SpoolError> {
    let path = settings.fixed.spool.clone();
    match fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(SpoolError { path, source }),
    }
}

/// Fails if the spool is gone, as with a disk that is no longer mounted. Without this check it
/// would look like a folder in which nothing happens.
#[health_check(interval = "2s", failures = 1)]
pub fn spool_is_there(spool: Dep<spool>) -> Result<(), SpoolError> {
    match fs::read_dir(&*spool) {
        Ok(_) => Ok(()),
        Err(source) => Err(SpoolError { path: spool.to_path_buf(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::in_folder;

    #[test]
    fn is_made_and_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = spool(Dep::new(in_folder(folder.path()))).unwrap();
        spool_is_there(Dep::new(path.clone())).unwrap();
        fs::remove_dir(&path).unwrap();
        let error = spool_is_there(Dep::new(path)).unwrap_err();
        assert!(
            error.to_string().starts_with("can't use ")
                && error.source.kind() == io::ErrorKind::NotFound
        );
    }
}
