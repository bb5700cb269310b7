//! A running program. Nothing here waits for a time to pass: only for what the program says or
//! does, with a limit after which the test has failed.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// A running program, killed if the test ends before it does.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    log: String,
}

/// A program that has ended.
pub struct Ended {
    pub code: Option<i32>,
    /// Every line that it wrote, to stdout and to stderr.
    pub log: String,
}

/// Returns the command for a program of this package, on a free port. This folder is the one for
/// temporary files.
pub fn example(name: &str, folder: &TempDir) -> Command {
    let mut command = Command::new(path(name));
    command.env("LIFECYCLE_BIND", "127.0.0.1:0").env("TMPDIR", folder.path());
    command
}

/// Returns the path of an example. Cargo builds examples before it runs tests, but not before those
/// that it is asked for by name: then it is asked to build them here.
fn path(name: &str) -> PathBuf {
    static BUILD: Mutex<()> = Mutex::new(());
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    let build = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_built(&path).unwrap_or(false) {
        let mut cargo = Command::new(env!("CARGO"));
        assert!(cargo.args(["build", "-p", "tour", "--examples"]).status().unwrap().success());
        assert!(is_built(&path).unwrap(), "{} is not of these sources", path.display());
    }
    drop(build);
    path
}

/// Returns whether a program is there and no older than its sources, which Cargo lists beside it.
fn is_built(path: &Path) -> io::Result<bool> {
    let built = path.metadata()?.modified()?;
    let sources = fs::read_to_string(path.with_extension("d"))?;
    for source in sources.split_whitespace().skip(1) {
        if fs::metadata(source)?.modified()? > built {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
            });
        }
        Self { child, lines, log: String::new() }
    }

    /// Waits until it is ready, and returns the address on which it listens.
    pub fn ready(&mut self) -> String {
        let line = self.wait_for("listening on http");
        self.wait_for("ready after");
        line.rsplit('/').next().unwrap().to_owned()
    }

    /// Waits for a line with this text, and returns it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        while let Some(line) = self.line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended and did not say `{text}`:\n{}", self.log);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        while self.line().is_some() {}
        let code = self.child.wait().unwrap().code();
        Ended { code, log: std::mem::take(&mut self.log) }
    }

    /// Sends SIGTERM, waits for the end with exit code 0, and returns what it wrote.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal(Signal::SIGTERM);
        let Ended { code, log } = self.end();
        assert_eq!(code, Some(0), "{log}");
        log
    }

    /// Returns the next line, or `None` once both outputs are closed.
    #[track_caller]
    fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => {
                self.log += &line;
                self.log += "\n";
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing any more:\n{}", self.log),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Has no effect on a child that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that is sent, and whose response is still to be read.
pub struct Sent(TcpStream);

pub fn send(address: &str, method: &str, path: &str, body: &str) -> Sent {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    let length = body.len();
    let head = "host: tour\r\nconnection: close";
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    Sent(connection)
}

impl Sent {
    /// Returns whether the connection ends without a response.
    pub fn ends_without_response(mut self) -> bool {
        self.0.read_to_end(&mut Vec::new()).is_ok_and(|length| length == 0)
    }

    /// Returns the status and the body of the response.
    #[track_caller]
    pub fn response(mut self) -> (u16, String) {
        let mut response = String::new();
        self.0.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }
}

#[track_caller]
pub fn get(address: &str, path: &str) -> (u16, String) {
    send(address, "GET", path, "").response()
}

#[track_caller]
pub fn post(address: &str, path: &str, body: &str) -> (u16, String) {
    send(address, "POST", path, body).response()
}
