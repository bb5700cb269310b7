//! Builder of a process under test.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::child::Child;
use super::output::Output;

/// Default limit of a wait: much longer than a wait should take, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Addresses that every program gets, unless its test sets others.
const FREE_PORTS: [(&str, &str); 2] =
    [("LIFECYCLE_BIND", "127.0.0.1:0"), ("LIFECYCLE_ADMIN", "127.0.0.1:0")];

/// Variables of whatever has started the tests: by the first a program recognises a cluster, where
/// it waits longer; by the others a service manager, which it would notify.
const OF_TESTS: [&str; 6] = [
    "KUBERNETES_SERVICE_HOST",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "FDSTORE",
    "JOURNAL_STREAM",
];

/// Builder of a process under test: a [`std::process::Command`] with other defaults.
///
/// - The server and the probes get free ports: `LIFECYCLE_BIND` and `LIFECYCLE_ADMIN` are
///   `127.0.0.1:0`. A program with several servers refuses `LIFECYCLE_BIND`; take it back by
///   [`env_remove`](Self::env_remove).
/// - The environment is inherited, except for the other `LIFECYCLE_*` variables, for
///   `KUBERNETES_SERVICE_HOST`, which would delay each stop in tests that run in a cluster, and for
///   those of a service manager (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, …), which the tests may run
///   under.
/// - Stdin, stdout and stderr are pipes. [`Child`] reads and writes them.
///
/// ```no_run
/// use std::time::Duration;
/// use lifecycle_runtime::testing::process::Command;
///
/// # macro_rules! env { ($name:literal) => { "shop" } }
/// # let folder = std::path::Path::new(".");
/// let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
/// command.current_dir(folder).env("SHOP_DB", folder.join("shop.db")).arg("--verbose");
/// command.env("LIFECYCLE_GRACE", "5s").limit(Duration::from_secs(20));
/// let first = command.spawn();
/// let second = command.spawn();
/// assert_ne!(first.id(), second.id());
/// ```
pub struct Command {
    command: std::process::Command,
    limit: Duration,
}

impl Command {
    /// Creates a command for a program: `env!("CARGO_BIN_EXE_shop")` is the path of the binary
    /// `shop` of the test's package.
    ///
    /// ```no_run
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// # macro_rules! env { ($name:literal) => { "shop" } }
    /// let shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
    /// ```
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        std::process::Command::new(program).into()
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// Sets variables of the environment.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        self.command.envs(variables);
        self
    }

    /// Takes a variable out of the environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.command.env_remove(name);
        self
    }

    /// Takes every variable out of the environment, except for the free ports.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// let output = Command::new("/usr/bin/env").env("A", "1").env_clear().env("B", "2").output();
    /// let mut variables: Vec<_> = output.transcript().stdout().collect();
    /// variables.sort();
    /// assert_eq!(variables, ["B=2", "LIFECYCLE_ADMIN=127.0.0.1:0", "LIFECYCLE_BIND=127.0.0.1:0"]);
    /// # }
    /// ```
    pub fn env_clear(&mut self) -> &mut Self {
        self.command.env_clear().envs(FREE_PORTS);
        self
    }

    /// Sets the folder that the process starts in.
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Self {
        self.command.current_dir(folder);
        self
    }

    /// Connects stdin to something other than a pipe.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.command.stdin(stdin);
        self
    }

    /// Redirects stdout: none of its lines are collected.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.command.stdout(stdout);
        self
    }

    /// Redirects stderr: none of its lines are collected.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.command.stderr(stderr);
        self
    }

    /// Sets the time limit of each wait for the process: 90 s by default, as a machine that builds
    /// and tests may be busy.
    pub fn limit(&mut self, limit: Duration) -> &mut Self {
        self.limit = limit;
        self
    }

    /// Starts a process. A command can start any number of them.
    ///
    /// # Panics
    ///
    /// The system can't start the program.
    #[track_caller]
    pub fn spawn(&mut self) -> Child {
        let has_admin = |(name, value): (&OsStr, Option<&OsStr>)| {
            name == "LIFECYCLE_ADMIN" && value.is_some_and(|value| !value.is_empty())
        };
        let has_admin = self.command.get_envs().any(has_admin);
        match Child::spawn(&mut self.command, self.limit, has_admin) {
            Ok(child) => child,
            Err(error) => panic!("can't start {}: {error}", self.command.get_program().display()),
        }
    }

    /// Runs a process to its end, without a signal.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// Command::new("sh").args(["-c", "echo done"]).output().assert_stdout(&["done"]);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// The system can't start the program, or the process is still running when the limit is over.
    #[track_caller]
    pub fn output(&mut self) -> Output {
        self.spawn().wait()
    }
}

impl From<std::process::Command> for Command {
    /// Adds the defaults to a command, which may set what this builder doesn't, such as a process
    /// group. Whatever the command sets itself stays.
    fn from(mut command: std::process::Command) -> Self {
        let set: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        let is_set = |name: &OsStr| set.iter().any(|set| set == name);
        for (name, _) in std::env::vars_os() {
            let is_setting = name.as_encoded_bytes().starts_with(b"LIFECYCLE_");
            if (is_setting || OF_TESTS.iter().any(|of| name == *of)) && !is_set(&name) {
                command.env_remove(name);
            }
        }
        command.envs(FREE_PORTS.into_iter().filter(|(name, _)| !is_set(OsStr::new(name))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, limit: LIMIT }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.command.fmt(f)
    }
}
