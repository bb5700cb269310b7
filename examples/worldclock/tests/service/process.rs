//! A service under test. Nothing here waits for a time to pass: only for what the process says or
//! does, with a limit after which the test has failed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ureq::Agent;
use ureq::http::Response;

const LIMIT: Duration = Duration::from_secs(60);

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

/// The service with a database in this folder, on a port that is free.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worldclock"));
    command
        .env_clear()
        .env("LIFECYCLE_BIND", "127.0.0.1:0")
        .env("WORLDCLOCK_DB", folder.join("clock.db"));
    command
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

    /// Waits until the service listens, and tells where.
    pub fn url(&mut self) -> String {
        while let Some(line) = self.line() {
            if let Some((_, url)) = line.split_once("listening on ") {
                return url.to_owned();
            }
        }
        panic!("the service ended before it listened:\n{}", self.log);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits until the process has ended.
    pub fn end(mut self) -> Ended {
        while self.line().is_some() {}
        let code = self.child.wait().unwrap().code();
        Ended { code, log: std::mem::take(&mut self.log) }
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
    }
}

/// A client with a connection of its own that it keeps, for which every status is an answer.
pub fn client() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT)).build().into()
}

pub fn body(response: &mut Response<ureq::Body>) -> serde_json::Value {
    response.body_mut().read_json().unwrap()
}
