//! Program of this process, as it was started.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Path, arguments and working directory with which this process was started.
#[derive(Debug)]
pub(crate) struct StartedProgram {
    pub(crate) path: PathBuf,
    /// Arguments, the first of which is the name of the program.
    pub(super) arguments: Vec<OsString>,
    /// Working directory, if it can be told.
    pub(super) folder: Option<PathBuf>,
}

impl StartedProgram {
    /// Returns the program of this process. The first call has to come at the start: later the
    /// working directory may be another one, and the file replaced.
    pub(crate) fn of_process() -> &'static Self {
        static PROGRAM: LazyLock<StartedProgram> = LazyLock::new(|| {
            let arguments: Vec<_> = env::args_os().collect();
            let name = arguments.first().map(OsString::as_os_str).unwrap_or_default();
            StartedProgram { path: path_of(name), folder: env::current_dir().ok(), arguments }
        });
        &PROGRAM
    }
}

/// Returns the path of the program: the one by which it was started, if that leads to it, as it may
/// be a link that will lead to another file.
fn path_of(name: &OsStr) -> PathBuf {
    let executable = env::current_exe().unwrap_or_else(|_| PathBuf::from(name));
    // On Linux this leads to the file even once its path does not.
    let own = identity(Path::new("/proc/self/exe")).or_else(|| identity(&executable));
    let name = Path::new(name);
    let is_path = name.components().nth(1).is_some();
    let mut given: Vec<_> = if is_path {
        std::path::absolute(name).into_iter().collect()
    } else {
        let folders = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&folders).map(|folder| folder.join(name)).collect()
    };
    given.retain(|path| path.is_absolute() && own.is_some() && identity(path) == own);
    given.into_iter().next().unwrap_or(executable)
}

/// Returns the device and the inode of the file that a path leads to.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_one_by_which_the_program_was_started_if_that_leads_to_it() {
        let executable = env::current_exe().expect("a path");
        let link = env::temp_dir().join(format!("lifecycle-program-{}", std::process::id()));
        std::os::unix::fs::symlink(&executable, &link).expect("a free place");
        assert_eq!(path_of(link.as_os_str()), link);
        std::fs::remove_file(&link).expect("a link");
        // It leads to another program, or nowhere.
        for name in ["/bin/sh", "sh", "/nowhere", "", "./nowhere"] {
            assert_eq!(path_of(OsStr::new(name)), executable, "{name}");
        }
    }
}
