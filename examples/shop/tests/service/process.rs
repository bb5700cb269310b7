//! A running service.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub const LIMIT: Duration = Duration::from_secs(60);

pub const SECRET: &str = "a secret of the tests: long enough, and kept over restarts";
pub const ADMIN_PASSWORD: &str = "the admin's password";

/// A running process, killed if the test ends before it does.
pub struct Service {
    child: Child,
    lines: Receiver<String>,
    log: String,
}

/// What is left of a process.
pub struct Ended {
    pub code: Option<i32>,
    pub log: String,
}

/// The service with a database in this folder, on a port that is free, without a limit that a test
/// would meet by accident.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    environment(&mut command, folder);
    command
}

pub fn environment(command: &mut Command, folder: &Path) {
    command
        .env_clear()
        .current_dir(folder)
        .env("LIFECYCLE_BIND", "127.0.0.1:0")
        .env("DATABASE_URL", format!("sqlite://{}?mode=rwc", folder.join("shop.db").display()))
        .env("JWT_SECRET", SECRET)
        .env("SHOP_BURST", "1000000")
        .env("SHOP_SIGN_INS_PER_MINUTE", "100000");
}

impl Service {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, log: String::new() }
    }

    /// Waits until the service is ready, and tells where it listens.
    pub fn url(&mut self) -> String {
        let line = self.line_with("listening on ");
        let url = line.split_once("listening on ").unwrap().1.to_owned();
        self.line_with("ready after");
        url
    }

    /// Waits for a line with this text.
    pub fn line_with(&mut self, text: &str) -> String {
        let begun = Instant::now();
        while let Some(line) = self.line() {
            if line.contains(text) {
                return line;
            }
            // It may go on to say other things for ever.
            assert!(begun.elapsed() < LIMIT, "the service does not say `{text}`:\n{}", self.log);
        }
        panic!("the service ended and did not say `{text}`:\n{}", self.log);
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until the process has ended.
    pub fn end(mut self) -> Ended {
        let begun = Instant::now();
        while self.line().is_some() {
            assert!(begun.elapsed() < LIMIT, "the service does not end:\n{}", self.log);
        }
        let code = self.child.wait().unwrap().code();
        Ended { code, log: std::mem::take(&mut self.log) }
    }

    /// Stops it as an operator would, and finds nothing wrong.
    pub fn stop(self) -> String {
        self.signal(Signal::SIGTERM);
        let ended = self.end();
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        assert!(!ended.log.contains("panicked"), "{}", ended.log);
        assert!(!ended.log.contains("a bug"), "{}", ended.log);
        ended.log
    }

    /// The next line that the process writes, or nothing once it has closed its end.
    fn line(&mut self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => {
                self.log.push_str(&line);
                self.log.push('\n');
                Some(line)
            }
            Err(Disconnected) => None,
            Err(Timeout) => panic!("the service says nothing any more:\n{}", self.log),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Has no effect on a child that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.log.extend(self.lines.iter().map(|line| line + "\n"));
            eprintln!("the service wrote:\n{}", self.log);
        }
    }
}

/// Says why a test does nothing, also where the output of a test that passes is not shown.
#[track_caller]
#[expect(clippy::explicit_write, reason = "`eprintln` is what is not shown")]
pub fn skipped(reason: &str) {
    let place = std::panic::Location::caller();
    writeln!(std::io::stderr(), "SKIPPED, {reason}: {place}").unwrap();
}
