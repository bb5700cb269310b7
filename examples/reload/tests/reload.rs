//! SIGHUP: a new greeting, a broken one, a new one again.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Killed if the test ends before it does.
struct Running(Child);

impl Running {
    fn send(&self, signal: &str) {
        let status =
            Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nhost: reload\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_signal_reads_the_file_anew_and_a_broken_one_keeps_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.txt");
    fs::write(&file, "hello\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_reload"));
    command.env("LIFECYCLE_BIND", "127.0.0.1:0").env("GREETING", &file).stderr(Stdio::piped());
    let mut reload = Running(command.spawn().unwrap());

    let mut log = BufReader::new(reload.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let listening =
        log.find(|line| line.contains("listening on http://")).expect("it never listened");
    let (_, address) = listening.split_once("http://").unwrap();
    log.find(|line| line.contains("ready after")).expect("it was never ready");
    assert!(get(address, "/").ends_with("\r\n\r\nhello, world\n"));

    fs::write(&file, "moin\n").unwrap();
    reload.send("-HUP");
    log.find(|line| line.contains("done reload")).expect("it did not reload");
    assert!(get(address, "/").ends_with("\r\n\r\nmoin, world\n"));

    fs::write(&file, "").unwrap();
    reload.send("-HUP");
    let why = log.find(|line| line.contains("hook `reload`")).expect("it does not say why");
    assert!(
        why.contains("failed: ") && why.contains("greeting.txt is empty; write a greeting into it"),
        "{why}"
    );
    assert!(get(address, "/").ends_with("\r\n\r\nmoin, world\n"));
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 200 "));

    fs::write(&file, "a".repeat(3000)).unwrap();
    reload.send("-HUP");
    let why = log.find(|line| line.contains("health check `brief`")).expect("it is not well");
    assert!(why.contains("the greeting has 3000 bytes"), "{why}");
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 503 "));

    reload.send("-TERM");
    let rest: Vec<_> = log.collect();
    assert_eq!(reload.0.wait().unwrap().code(), Some(0), "{rest:#?}");
}
