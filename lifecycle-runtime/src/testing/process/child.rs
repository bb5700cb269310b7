//! Handle of a running process: its signals, its input and its end.

mod waiting;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::output::Output;
use super::signals;
use super::transcript::{Line, Stream, Transcript, send_lines};
use crate::testing::Signal;

/// Time within which the program takes two stop signals for one, plus the delay of a busy
/// machine.
const ONE_SIGNAL: Duration = Duration::from_millis(700);

/// Running process of a [`Command`](super::Command), killed and reaped when it is dropped.
///
/// Every wait collects what the process writes meanwhile. A wait that fails panics at the line of
/// the test and shows all of it. A test that fails for another reason while the process runs shows
/// it, too.
///
/// ```
/// # #[cfg(unix)] {
/// use lifecycle_runtime::testing::process::Command;
///
/// let mut child = Command::new("sh").args(["-c", "read name; echo hello $name"]).spawn();
/// child.write_line("Ana");
/// assert_eq!(child.wait_for_line("hello"), "hello Ana");
/// child.wait().assert_exit_code(0);
/// # }
/// ```
pub struct Child {
    process: std::process::Child,
    /// Exit status of the process, once it has been reaped.
    status: Option<ExitStatus>,
    limit: Duration,
    /// Set if the process was given an address for its probes.
    has_admin: bool,
    started: Instant,
    /// Moment of the last signal that asked the process to stop.
    stop_sent: Option<Instant>,
    /// Receiver of the lines that have not been collected yet.
    receiver: Receiver<Line>,
    /// Set if both pipes of the process are closed, so that no more lines come.
    is_closed: bool,
    transcript: Transcript,
    /// Numbers of lines up to which stdout and stderr have been waited for.
    cursors: [usize; 2],
    /// Set if a failure has already shown the output.
    is_shown: bool,
}

impl Child {
    pub(super) fn spawn(
        command: &mut std::process::Command,
        limit: Duration,
        has_admin: bool,
    ) -> io::Result<Self> {
        // The program's own clock may start before `spawn` returns.
        let started = Instant::now();
        let mut process = command.spawn()?;
        let (sender, receiver) = channel();
        if let Some(stdout) = process.stdout.take() {
            let sender = sender.clone();
            thread::spawn(move || send_lines(stdout, Stream::Stdout, &sender));
        }
        if let Some(stderr) = process.stderr.take() {
            thread::spawn(move || send_lines(stderr, Stream::Stderr, &sender));
        }
        Ok(Self {
            process,
            status: None,
            limit,
            has_admin,
            started,
            stop_sent: None,
            receiver,
            is_closed: false,
            transcript: Transcript::default(),
            cursors: [0; 2],
            is_shown: false,
        })
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns what the process has written so far.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "echo started; cat"]).spawn();
    /// child.wait_for_line("started");
    /// assert_eq!(child.transcript().lines().count(), 1);
    /// # }
    /// ```
    pub fn transcript(&mut self) -> &Transcript {
        self.receive();
        &self.transcript
    }

    /// Writes a line to stdin.
    ///
    /// # Panics
    ///
    /// Stdin is not a pipe, or the process has closed its end of it.
    #[track_caller]
    pub fn write_line(&mut self, line: &str) {
        let Some(stdin) = &mut self.process.stdin else { panic!("stdin is not a pipe") };
        if let Err(error) = writeln!(stdin, "{line}") {
            self.fail(&format!("can't write to stdin: {error}"));
        }
    }

    /// Closes stdin, so that the process reads its end. Otherwise it stays open until the process
    /// ends.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// let mut child = Command::new("cat").spawn();
    /// child.write_line("one");
    /// child.close_stdin();
    /// child.wait().assert_exit_code(0).assert_stdout(&["one"]);
    /// # }
    /// ```
    pub fn close_stdin(&mut self) {
        self.process.stdin = None;
    }

    /// Sends a signal to the process.
    ///
    /// A program takes stop signals that come within half a second for one, as a terminal and
    /// `timeout` send several. So this method delays a SIGTERM, SIGINT, SIGQUIT or SIGHUP that
    /// follows another one of these until the program takes it for a second signal, which always
    /// hurries. It can't know of a hook for SIGHUP: [`signal_at_once`](Self::signal_at_once) sends
    /// such signals without a pause.
    ///
    /// ```no_run
    /// use lifecycle_runtime::testing::Signal;
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// # macro_rules! env { ($name:literal) => { "shop" } }
    /// let mut shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
    /// shop.wait_until_ready();
    /// shop.signal(Signal::SIGHUP);
    /// shop.wait_for_line("done reload");
    /// shop.signal(Signal::SIGTERM);
    /// shop.signal(Signal::SIGTERM);
    /// shop.wait().assert_contains("hurrying");
    /// ```
    ///
    /// # Panics
    ///
    /// The process is known to have ended, or the system does not have this signal: Windows has
    /// none.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        if signal.stops() {
            let since = self.stop_sent.map_or(ONE_SIGNAL, |sent| sent.elapsed());
            thread::sleep(ONE_SIGNAL.saturating_sub(since));
        }
        self.signal_at_once(signal);
    }

    /// Sends a signal without a delay, even right after another one.
    ///
    /// # Panics
    ///
    /// As [`signal`](Self::signal).
    #[track_caller]
    pub fn signal_at_once(&mut self, signal: Signal) {
        if signal.stops() {
            self.stop_sent = Some(Instant::now());
        }
        // Once the process has been reaped, another one may have its id.
        if let Some(status) = self.status {
            self.fail(&format!("can't send {signal}: the process has ended ({status})"));
        }
        if let Err(error) = signals::send(signal, self.id()) {
            self.fail(&format!("can't send {signal} to the process: {error}"));
        }
    }

    /// Kills the process, which can't prevent it. Has no effect if the process has ended.
    ///
    /// # Panics
    ///
    /// The system refuses to kill it.
    #[track_caller]
    pub fn kill(&mut self) {
        if let Err(error) = self.process.kill() {
            self.fail(&format!("can't kill the process: {error}"));
        }
    }

    /// Sends SIGTERM, and waits for the end.
    ///
    /// ```no_run
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// # macro_rules! env { ($name:literal) => { "shop" } }
    /// let mut shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
    /// shop.wait_until_ready();
    /// shop.stop().assert_exit_code(0);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`signal`](Self::signal) and [`wait`](Self::wait).
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "a test may wait for nothing but the end")]
    pub fn stop(mut self) -> Output {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Returns whether the process has ended, and reaps it if so.
    ///
    /// # Panics
    ///
    /// The system can't tell.
    #[track_caller]
    pub fn has_ended(&mut self) -> bool {
        self.reap().is_some()
    }

    #[track_caller]
    fn reap(&mut self) -> Option<ExitStatus> {
        self.status = self.process.try_wait().expect("it is a child of this process");
        self.status
    }

    /// Fails the test, and shows what the process wrote.
    #[track_caller]
    fn fail(&mut self, reason: &str) -> ! {
        self.receive();
        self.is_shown = true;
        panic!("{reason}; the process wrote:\n{}", self.transcript);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both calls have no effect on a process that has been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() && !self.is_shown {
            self.receive();
            eprintln!("process {} wrote:\n{}", self.id(), self.transcript);
        }
    }
}
