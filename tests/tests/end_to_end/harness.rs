//! A program that runs: what it writes as it comes, signals to it, its end.

mod ended;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use ended::Ended;
use ended::show;
pub use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// How long a program may live. Much longer than any should, and than a busy machine delays one.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A started program. Killed when it is dropped.
pub struct Program {
    child: Child,
    began: Instant,
    signalled: Option<Instant>,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
}

/// Which of its outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Out,
    Err,
}

/// All lines of both outputs, as they came.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<(From, String)>>,
    changed: Condvar,
}

/// How to start a program.
pub struct Start(Command);

/// The path of a fixture program.
macro_rules! program {
    ($name:literal) => {
        $crate::harness::Start::new(env!(concat!("CARGO_BIN_EXE_", $name)))
    };
}
pub(crate) use program;

impl Start {
    pub fn new(path: &str) -> Self {
        Self::of(Command::new(path))
    }

    /// Starts it through a shell, with this redirection.
    pub fn shell(path: &str, redirection: &str) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}"), path]);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LIFECYCLE_") || name == "NO_COLOR") {
            command.env_remove(name);
        }
        command.env("LIFECYCLE_BIND", "127.0.0.1:0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command)
    }

    /// Arguments, separated by spaces.
    pub fn args(mut self, args: &str) -> Self {
        self.0.args(args.split_whitespace());
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// Sends stderr elsewhere: none of its lines will be seen.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.0.stderr(stderr);
        self
    }

    pub fn start(mut self) -> Program {
        let mut child = self.0.spawn().expect("the program starts");
        let log = Arc::<Log>::default();
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(read(stdout, From::Out, &log));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(read(stderr, From::Err, &log));
        }
        Program { child, began: Instant::now(), signalled: None, log, readers }
    }

    /// Runs it to its end, without a signal.
    pub fn end(self) -> Ended {
        self.start().end()
    }
}

fn read(output: impl Read + Send + 'static, from: From, log: &Arc<Log>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.lines.lock().expect("no panic").push((from, line));
            log.changed.notify_all();
        }
    })
}

impl Program {
    /// Waits for a line on stderr that contains this, and returns it.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_until(text, |from, line| from == From::Err && line.contains(text))
    }

    /// Waits until a hook or a handler says this.
    pub fn wait_until_said(&mut self, said: &str) {
        self.wait_until(said, |from, line| from == From::Out && line == said);
    }

    fn wait_until(&mut self, text: &str, is_it: impl Fn(From, &str) -> bool) -> String {
        loop {
            let exited = self.exited().is_some();
            let lines = self.log.lines.lock().expect("no panic");
            if let Some((_, line)) = lines.iter().find(|(from, line)| is_it(*from, line)) {
                return line.clone();
            }
            if exited && self.readers.iter().all(JoinHandle::is_finished) {
                drop(lines);
                panic!("the program ended without `{text}`");
            }
            assert!(self.began.elapsed() < LIMIT, "no `{text}` in {LIMIT:?}");
            // The end of the program wakes nobody, so look at it now and then.
            drop(self.log.changed.wait_timeout(lines, Duration::from_millis(20)));
        }
    }

    /// Waits until something has come about outside of it.
    pub fn wait_while(&mut self, is_missing: impl Fn() -> bool) {
        while is_missing() {
            assert!(self.exited().is_none(), "the program has ended");
            assert!(self.began.elapsed() < LIMIT, "nothing in {LIMIT:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until it listens, and returns where: `127.0.0.1:43210`.
    pub fn address(&mut self) -> String {
        let line = self.wait_for("listening on http");
        line.rsplit('/').next().expect("a URL").to_owned()
    }

    /// Every TCP address that it has said so far to listen on.
    pub fn addresses(&self) -> Vec<String> {
        let lines = self.log.lines.lock().expect("no panic");
        let address = |(_, line): &(From, String)| Some(line.split_once("listening on http://")?.1.to_owned());
        lines.iter().filter_map(address).collect()
    }

    /// Waits until the start is over.
    pub fn ready(mut self) -> Self {
        self.wait_for("ready after");
        self
    }

    pub fn signal(&mut self, signal: Signal) {
        self.signalled.get_or_insert_with(Instant::now);
        nix::sys::signal::kill(self.pid(), signal).expect("the program still runs");
    }

    /// Writes a line to its stdin.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{line}").expect("the program still runs");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a process id"))
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.exited() {
                break status;
            }
            assert!(self.began.elapsed() < LIMIT, "still running after {LIMIT:?}");
            thread::sleep(Duration::from_millis(2));
        };
        let took = self.signalled.unwrap_or(self.began).elapsed();
        self.readers.drain(..).for_each(|reader| reader.join().expect("no panic"));
        let lines = std::mem::take(&mut *self.log.lines.lock().expect("no panic"));
        Ended::new(status, took, lines)
    }

    fn everything(&self) -> String {
        show(&self.log.lines.lock().expect("no panic"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the program wrote:\n{}", self.everything());
        }
    }
}

/// An address that no other test gets, not even one that asks for a free port.
pub fn own_address() -> String {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let port = 20_000 + COUNT.fetch_add(1, Ordering::SeqCst);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    // On Linux all of 127.0.0.0/8 is this machine.
    if cfg!(target_os = "linux") { format!("127.{}.{b}.{c}:{port}", a | 64) } else { format!("127.0.0.1:{port}") }
}
