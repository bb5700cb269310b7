//! A worker under test. Nothing here waits for a time to pass: only for what the process says or
//! does, with a limit after which the test has failed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub const LIMIT: Duration = Duration::from_secs(60);

/// A running process, killed if the test ends before it does.
pub struct Worker {
    child: Child,
    lines: Receiver<String>,
    log: String,
}

/// What is left of a process.
pub struct Ended {
    /// `None` if it was killed.
    pub code: Option<i32>,
    pub log: String,
}

impl Worker {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, log: String::new() }
    }

    /// Waits until the process says this, and gives the line.
    #[track_caller]
    pub fn says(&mut self, text: &str) -> String {
        while let Some(line) = self.line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the worker ended, and did not say `{text}`:\n{}", self.log);
    }

    /// Waits until it is ready, and tells where its probes are.
    pub fn ready(&mut self) -> Probes {
        let probes = self.says("probes on http://");
        self.says("ready after");
        Probes(probes.split_once("http://").unwrap().1.to_owned())
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

    /// Stops it once it has started, as it is to end when it has nothing to complain of. What it
    /// said.
    #[track_caller]
    pub fn stop(mut self) -> String {
        // Lines may be written before that, and a start that a signal ends is none that succeeded.
        if !self.log.contains("ready after") {
            self.says("ready after");
        }
        self.signal(Signal::SIGTERM);
        let Ended { code, log } = self.end();
        assert_eq!(code, Some(0), "{log}");
        log
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
            Err(Timeout) => panic!("the worker says nothing any more:\n{}", self.log),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Has no effect on a child that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Probes(String);

impl Probes {
    /// Waits until `/readyz` answers with this status, and says this.
    #[track_caller]
    pub fn say(&self, status: u16, text: &str) {
        let mut answer = String::new();
        until(|| {
            answer = self.readyz();
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(text)
        });
    }

    fn readyz(&self) -> String {
        let mut connection = TcpStream::connect(&self.0).unwrap();
        write!(connection, "GET /readyz HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Looks until it is so.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "it never was so");
        thread::sleep(Duration::from_millis(2));
    }
}
