//! The programs as commands, and requests that carry a body.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lifecycle_runtime::testing::process::{Child, Command};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// Returns the command for a program of this package, with this folder for its temporary files.
pub fn example(name: &str, folder: &TempDir) -> Command {
    let mut command = Command::new(path(name));
    command.env("TMPDIR", folder.path());
    command
}

/// Returns the path of an example, and builds it if necessary. Cargo builds examples before it runs
/// all tests, but not before a test that is asked for by name.
fn path(name: &str) -> PathBuf {
    static BUILD: Mutex<()> = Mutex::new(());
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    let build = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_built(&path).unwrap_or(false) {
        let mut cargo = std::process::Command::new(env!("CARGO"));
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

/// A request that was sent, and whose response is still to be read.
pub struct Sent(TcpStream);

pub fn send(program: &mut Child, method: &str, path: &str, body: &str) -> Sent {
    let url = program.url();
    let mut connection = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
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
pub fn get(program: &mut Child, path: &str) -> (u16, String) {
    let response = program.get(path);
    (response.status, response.body)
}

#[track_caller]
pub fn post(program: &mut Child, path: &str, body: &str) -> (u16, String) {
    send(program, "POST", path, body).response()
}
