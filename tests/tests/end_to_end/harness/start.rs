//! Ways to start a program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use lifecycle_runtime::testing::process::Command;

use super::{Ended, LIMIT, Program};

/// Command that starts a program.
pub(crate) struct Start(Command);

/// Returns the [`Start`] of a fixture program by its name.
macro_rules! program {
    ($name:literal) => {
        $crate::harness::Start::new(env!(concat!("CARGO_BIN_EXE_", $name)))
    };
}
pub(crate) use program;

impl Start {
    pub(crate) fn new(path: &str) -> Self {
        Self::of(Command::new(path))
    }

    /// Makes a program start through a shell, with this redirection.
    pub(crate) fn shell(path: &str, redirection: &str) -> Self {
        Self::script(path, &format!("exec \"$0\" \"$@\" {redirection}"))
    }

    /// Makes a program start with a limit to its file descriptors.
    pub(crate) fn with_descriptors(path: &str, limit: usize) -> Self {
        Self::script(path, &format!("ulimit -n {limit} && exec \"$0\" \"$@\""))
    }

    /// Makes a program start through a shell that runs this script.
    pub(crate) fn script(path: &str, script: &str) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, path]);
        Self::of(command)
    }

    /// Makes a program start through a shell that runs this script, with mounts of its own.
    pub(crate) fn unshared(path: &str, script: &str) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--mount", "/bin/sh", "-c", script, path]);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        command.env_remove("NO_COLOR").env_remove("LIFECYCLE_ADMIN").env("LIFECYCLE_GRACE", "25s");
        command.limit(LIMIT);
        Self(command)
    }

    /// Adds arguments, separated by spaces.
    pub(crate) fn args(mut self, args: &str) -> Self {
        self.0.args(args.split_whitespace());
        self
    }

    /// Sets the folder that the program starts in.
    pub(crate) fn folder(mut self, path: &Path) -> Self {
        self.0.current_dir(path);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// Sends stdout elsewhere, so that the test does not see what hooks say.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.0.stdout(stdout);
        self
    }

    /// Sends stderr elsewhere, so that the test sees none of its lines.
    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.0.stderr(stderr);
        self
    }

    #[track_caller]
    pub(crate) fn start(mut self) -> Program {
        Program(self.0.spawn())
    }

    /// Runs the program to its end, without a signal.
    #[track_caller]
    pub(crate) fn end(self) -> Ended {
        self.start().end()
    }
}

/// Returns an address that no other test gets, even if it asks for a free port.
pub(crate) fn own_address() -> String {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let port = 20_000 + COUNT.fetch_add(1, Ordering::SeqCst);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    // On Linux all of 127.0.0.0/8 is this machine.
    if cfg!(target_os = "linux") {
        format!("127.{}.{b}.{c}:{port}", a | 64)
    } else {
        format!("127.0.0.1:{port}")
    }
}
