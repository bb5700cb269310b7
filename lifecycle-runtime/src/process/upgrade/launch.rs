//! Launch of a successor: as a child of this process, or of the service manager.
//!
//! systemd waits for the end of a main process only if it is a child of its own, and looks at that
//! when `MAINPID` arrives (`service_set_main_pid`, `unit_kill_context`): at a stop, any other is
//! killed at once. So the successor has to be orphaned before, which takes a second `fork`, and
//! that is unsafe in Rust. `setsid`, of util-linux or `busybox`, forks if it leads a process group,
//! and passes descriptors and environment on. A shell would not: it drops variables whose names are
//! no identifiers, and gives a program in the background an empty stdin and ignored signals.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::{env, fs, io};

use nix::unistd::{Pid, getsid};
use rustix::fs::{Access, access};

use super::other_process::OtherProcess;

/// Manner in which a successor is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Launch {
    /// As a child of this process.
    Direct,
    /// By the program at this path, `setsid`, which leaves its child to the service manager.
    Detached { launcher: PathBuf },
}

impl Launch {
    /// Returns the manner that makes the successor a child of the service manager, or the reason
    /// for which there is none.
    pub(crate) fn detached() -> Result<Self, &'static str> {
        if OtherProcess::open(std::process::id()).is_err() {
            return Err("the system has no `pidfd_open`");
        }
        let folders = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let launcher = find(&folders).ok_or("there is no program `setsid`")?;
        Ok(Self::Detached { launcher })
    }

    /// Returns the command that starts a program, with the arguments behind its name.
    ///
    /// # Errors
    ///
    /// The system's error, if the launcher would find out too late that there is no such program,
    /// or nothing that can be executed.
    pub(super) fn command(&self, program: &Path, name: Option<&OsStr>) -> io::Result<Command> {
        match self {
            Self::Direct => {
                let mut command = Command::new(program);
                command.arg0(name.unwrap_or(program.as_os_str()));
                Ok(command)
            }
            Self::Detached { launcher } => {
                access(program, Access::EXEC_OK)?;
                if program.is_dir() {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                let mut command = Command::new(launcher);
                // As the leader of a group it has to fork, as only its child can lead a session.
                command.process_group(0).arg(program);
                Ok(command)
            }
        }
    }
}

/// Waits until a launcher has ended, which takes no longer than a `fork`.
///
/// # Errors
///
/// Fails if the launcher has failed.
pub(super) fn wait_for_launcher(mut launcher: Child) -> io::Result<()> {
    let status = launcher.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("`setsid` has failed ({status})")))
}

/// Returns the path of `setsid` in one of these folders.
fn find(folders: &OsStr) -> Option<PathBuf> {
    let mut paths = env::split_paths(folders).map(|folder| folder.join("setsid"));
    paths.find(|path| path.is_absolute() && path.is_file() && access(path, Access::EXEC_OK).is_ok())
}

/// Returns the process that has the socket with this inode open and leads a session, as a child of
/// `setsid` does; `None` if the system shows none.
pub(super) fn leader_with_socket(inode: u64) -> Option<u32> {
    let socket = format!("socket:[{inode}]");
    let mut processes = fs::read_dir("/proc").ok()?.flatten();
    processes.find_map(|process| {
        let id = Pid::from_raw(process.file_name().to_str()?.parse().ok()?);
        if getsid(Some(id)) != Ok(id) {
            return None;
        }
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let is_socket =
            |path: PathBuf| fs::read_link(path).is_ok_and(|to| to == Path::new(&socket));
        files.any(|file| is_socket(file.path())).then(|| id.as_raw().cast_unsigned())
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    use std::process::Stdio;
    use std::time::Duration;

    use rustix::fs::fstat;

    use super::*;

    #[test]
    fn a_detached_process_is_no_child_and_is_found_by_its_socket() {
        let (_own, end) = UnixStream::pair().expect("a pair of sockets");
        let inode = fstat(&end).expect("a socket").st_ino;
        let launch = Launch::detached().expect("this system has `setsid`");
        let mut command = launch.command(Path::new("/bin/sleep"), None).expect("a program");
        command.arg("600").stdin(Stdio::from(OwnedFd::from(end)));
        wait_for_launcher(command.spawn().expect("a process")).expect("it forks");
        drop(command);
        // The child leads its session in a moment.
        let id = std::iter::repeat_with(|| leader_with_socket(inode)).find_map(|id| id);
        let process = OtherProcess::open(id.expect("an id")).expect("it runs");
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.id)).expect("a process");
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        assert_ne!(parent, Some(std::process::id().to_string().as_str()));
        process.kill();
        assert!(process.ends_within(Duration::from_secs(60)));
        assert_eq!(leader_with_socket(inode), None);
    }

    #[test]
    fn what_can_not_be_executed_is_not_given_to_a_launcher() {
        let folder = env::temp_dir().join(format!("lifecycle-launch-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("program");
        let launch = Launch::Detached { launcher: "/usr/bin/setsid".into() };
        let fails = |path: &Path| launch.command(path, None).map_err(|error| error.kind()).err();
        assert_eq!(fails(&file), Some(io::ErrorKind::NotFound));
        assert_eq!(fails(&folder), Some(io::ErrorKind::PermissionDenied));
        fs::write(&file, "").expect("a free place");
        assert_eq!(fails(&file), Some(io::ErrorKind::PermissionDenied));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a file");
        assert_eq!(fails(&file), None);
        fs::remove_dir_all(&folder).expect("a folder");
    }

    #[test]
    fn the_exit_status_of_a_launcher_that_fails_is_told() {
        let launcher = Command::new("false").spawn().expect("a process");
        let error = wait_for_launcher(launcher).expect_err("it fails").to_string();
        assert_eq!(error, "`setsid` has failed (exit status: 1)");
    }
}
