//! One process after another on a listener that their parent keeps open.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::path::Path;

use lifecycle_runtime::testing::Signal;
use lifecycle_runtime::testing::process::{Child, Command};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use tempfile::TempDir;

use crate::copies::Setting;
use crate::program::Program;

/// Process of a service, and the listener that stays when it ends.
pub struct Kept {
    path: &'static Path,
    folder: TempDir,
    settings: Vec<Setting>,
    listener: TcpListener,
    running: Option<Child>,
}

impl Kept {
    /// Opens a listener and starts a process on it.
    ///
    /// # Panics
    ///
    /// There is no port, or the process does not start.
    #[must_use]
    pub fn start(program: Program, settings: &[Setting]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        // The descriptor stays open when a program is started.
        fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).expect("a flag");
        let mut kept = Self {
            path: program.path(),
            folder: tempfile::tempdir().expect("a folder"),
            settings: settings.to_vec(),
            listener,
            running: None,
        };
        kept.start_one();
        kept
    }

    /// Returns the address of the listener.
    ///
    /// # Panics
    ///
    /// The system doesn't tell.
    #[must_use]
    pub fn address(&self) -> String {
        self.listener.local_addr().expect("an address").to_string()
    }

    fn start_one(&mut self) {
        let number = self.listener.as_raw_fd().to_string();
        let mut command = Command::new(self.path);
        command.env("LIFECYCLE_BIND", format!("fd:{number}"));
        command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", number);
        command.env("WORLDCLOCK_DB", self.folder.path().join("clock.db"));
        command.envs(self.settings.iter().copied());
        let mut child = command.spawn();
        child.wait_until_ready();
        self.running = Some(child);
    }

    /// Stops the process by SIGTERM, waits for its end, and starts another.
    ///
    /// # Panics
    ///
    /// One of them does not do so.
    pub fn restart(&mut self) {
        let mut child = self.running.take().expect("a process that runs");
        child.signal(Signal::SIGTERM);
        child.wait();
        self.start_one();
    }
}
