//! Program that is upgraded in place, and the file that it is started from.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::harness::{Ended, Program, Signal, Start, system};
use crate::http::{Connection, request};

/// Processes of one program that follow each other, with one output.
pub(super) struct Line {
    pub(super) program: Program,
    /// Process that serves.
    pub(super) process: Pid,
    upgrades: usize,
    failures: usize,
}

impl Line {
    /// Sends the first part of a request to `routes`, which the process waits for: the body has
    /// three bytes more.
    #[track_caller]
    pub(super) fn begin_upload(&mut self, address: &str) -> Connection<TcpStream> {
        let mut client = Connection::to(address).expect("it listens");
        client
            .write(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab")
            .expect("it listens");
        self.program.wait_until_said("upload");
        client
    }

    /// Starts the first process, and waits until it is ready.
    #[track_caller]
    pub(super) fn start(start: Start) -> Self {
        let program = start.start().ready();
        let process = program.pid();
        Self { program, process, upgrades: 0, failures: 0 }
    }

    /// Sends a signal to the process that serves.
    #[track_caller]
    pub(super) fn signal(&self, signal: Signal) {
        kill(self.process, signal).expect("it runs");
    }

    /// Asks for an upgrade, and waits until the successor serves.
    #[track_caller]
    pub(super) fn upgrade(&mut self) {
        self.signal(Signal::SIGUSR2);
        self.upgraded();
    }

    /// Waits until the successor serves.
    #[track_caller]
    pub(super) fn upgraded(&mut self) {
        self.upgrades += 1;
        let line = self.program.wait_for_nth("upgrade: process ", self.upgrades);
        self.process = number_behind(&line, "upgrade: process ");
        self.program.wait_for_nth("took over from process ", self.upgrades);
    }

    /// Waits until the upgrade has failed, and returns the line that says so.
    #[track_caller]
    pub(super) fn failed(&mut self) -> String {
        self.failures += 1;
        self.program.wait_for_nth("no upgrade: ", self.failures)
    }

    /// Asks for an upgrade that fails, and returns the line that says so.
    #[track_caller]
    pub(super) fn fail(&mut self) -> String {
        self.signal(Signal::SIGUSR2);
        self.failed()
    }

    /// Waits until the process that serves answers at this address: its predecessor may still have
    /// accepted a connection when it was told to let go.
    #[track_caller]
    pub(super) fn wait_until_at(&mut self, address: &str) {
        let process = self.process;
        self.program.wait_while(|| process_at(address) != process);
    }

    /// Waits until a process has ended, and its parent has reaped it.
    #[track_caller]
    pub(super) fn wait_until_gone(&mut self, process: Pid) {
        self.program.wait_while(|| system::is_there(process));
    }

    /// Stops the process that serves, and returns the end of the first process, with the output of
    /// all.
    #[track_caller]
    pub(super) fn stop(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.program.end()
    }
}

fn number_behind(line: &str, text: &str) -> Pid {
    let (_, rest) = line.split_once(text).expect("the text");
    let number = rest.split(|c: char| !c.is_ascii_digit()).next().expect("a number");
    Pid::from_raw(number.parse().expect("a number"))
}

/// Returns the process that answers at this address.
#[track_caller]
pub(super) fn process_at(address: &str) -> Pid {
    let answer = request(address, "GET /process").expect("a response");
    Pid::from_raw(answer.body.parse().expect("a process id"))
}

/// Path at which a program is installed, and at which another one may be installed later.
pub(super) struct Installed {
    pub(super) folder: TempDir,
    program: &'static str,
}

impl Installed {
    pub(super) fn new(program: &'static str) -> Self {
        let installed = Self { folder: tempfile::tempdir().expect("a folder"), program };
        std::os::unix::fs::symlink(program, installed.path()).expect("a free place");
        installed
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    /// Returns the command that starts the program at its path.
    pub(super) fn start(&self) -> Start {
        Start::new(self.path().to_str().expect("a path in UTF-8"))
    }

    /// Installs a shell script, in which `{run}` stands for the program with its arguments.
    pub(super) fn replace_by_script(&self, script: &str) {
        let run = format!("exec '{}' \"$@\"", self.program);
        self.replace_by(&format!("#!/bin/sh\n{}", script.replace("{run}", &run)), "755");
    }

    /// Installs a file with this text and these permissions.
    pub(super) fn replace_by(&self, text: &str, mode: &str) {
        let new = self.folder.path().join("new");
        // A shell writes it, as a process that another test starts meanwhile has the open files of
        // this one for a moment, and the system executes no file that is open for writing.
        let script = "printf '%s\\n' \"$1\" > \"$2\" && chmod \"$3\" \"$2\"";
        let mut shell = Command::new("/bin/sh");
        let status =
            shell.args(["-c", script, "sh", text]).arg(&new).arg(mode).status().expect("a shell");
        assert!(status.success());
        std::fs::rename(new, self.path()).expect("a file");
    }

    /// Installs the program again.
    pub(super) fn restore(&self) {
        let new = self.folder.path().join("new");
        std::os::unix::fs::symlink(self.program, &new).expect("a free place");
        std::fs::rename(new, self.path()).expect("a file");
    }

    pub(super) fn remove(&self) {
        std::fs::remove_file(self.path()).expect("a file");
    }
}

/// File for which a successor waits before it begins.
pub(super) struct Gate(PathBuf);

impl Gate {
    /// Installs a program that waits.
    pub(super) fn before(installed: &Installed) -> Self {
        let path = installed.folder.path().join("gate");
        let script = "while [ ! -e '{gate}' ]; do sleep 0.02; done\n{run}";
        installed.replace_by_script(&script.replace("{gate}", path.to_str().expect("UTF-8")));
        Self(path)
    }

    pub(super) fn open(&self) {
        std::fs::write(&self.0, "").expect("a free place");
    }

    pub(super) fn close(&self) {
        std::fs::remove_file(&self.0).expect("a file");
    }
}

/// Returns the names in a folder, sorted.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
