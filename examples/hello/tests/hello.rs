//! The whole life of the program: it starts, answers, and says goodbye on SIGTERM.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write, read_to_string};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Killed if the test ends before it does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn says_hello_and_goodbye() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hello"));
    command.env("LIFECYCLE_BIND", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut hello = Running(command.spawn().unwrap());

    let mut log = BufReader::new(hello.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let listening =
        log.find(|line| line.contains("listening on http://")).expect("it never listened");
    let (_, address) = listening.split_once("http://").unwrap();

    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: hello\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello, world\n"),
        "{answer}"
    );

    assert!(Command::new("kill").arg(hello.0.id().to_string()).status().unwrap().success());
    let rest: Vec<_> = log.collect();
    assert_eq!(hello.0.wait().unwrap().code(), Some(0), "{rest:#?}");
    assert_eq!(read_to_string(hello.0.stdout.take().unwrap()).unwrap(), "no more hello\n");
}
