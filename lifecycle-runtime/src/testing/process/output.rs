//! Result of a process that has ended, and assertions on it.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use super::signals;
use super::transcript::Transcript;
use crate::testing::Signal;

/// Result of a process that has ended: its exit code, its output, and assertions on both.
///
/// Assertions return the result, so that they can be chained. An assertion that does not hold
/// panics at the line of the test, and shows how the process ended and everything that it wrote.
///
/// ```
/// # #[cfg(unix)] {
/// use lifecycle_runtime::testing::process::Command;
///
/// let output = Command::new("sh").args(["-c", "echo started; echo no disk >&2; exit 3"]).output();
/// output.assert_exit_code(3).assert_stdout(&["started"]).assert_contains("no disk");
/// output.assert_lacks("panicked");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Output {
    status: ExitStatus,
    took: Duration,
    transcript: Transcript,
}

#[allow(clippy::must_use_candidate, reason = "an assertion is made for its panic")]
impl Output {
    pub(super) fn new(status: ExitStatus, took: Duration, transcript: Transcript) -> Self {
        Self { status, took, transcript }
    }

    /// Returns the exit status as a type of the standard library.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// Returns the exit code; `None` if a signal killed the process.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns the signal that killed the process; `None` if it exited, and on Windows.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::Signal;
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// let mut child = Command::new("sleep").arg("600").spawn();
    /// child.signal(Signal::SIGTERM);
    /// assert_eq!(child.wait().signal(), Some(Signal::SIGTERM));
    /// # }
    /// ```
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        signals::killer(self.status)
    }

    /// Returns what the process wrote.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Returns the time from the test's last stop signal (SIGTERM, SIGINT, SIGQUIT or SIGHUP) to
    /// the end of the process; if it sent none, the time from the start of the process. Assert on
    /// it with a large margin: machines that run tests are busy.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Asserts that the process exited with this code.
    ///
    /// # Panics
    ///
    /// The process exited with another code, or a signal killed it.
    #[track_caller]
    pub fn assert_exit_code(&self, code: i32) -> &Self {
        assert!(self.code() == Some(code), "the exit code is not {code}: {self}");
        self
    }

    /// Asserts that this signal killed the process.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::Signal;
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// let mut child = Command::new("sleep").arg("600").spawn();
    /// child.kill();
    /// child.wait().assert_killed_by(Signal::SIGKILL);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// The process exited, or another signal killed it. Always on Windows, which has no signals.
    #[track_caller]
    pub fn assert_killed_by(&self, signal: Signal) -> &Self {
        assert!(self.signal() == Some(signal), "{signal} did not kill it: {self}");
        self
    }

    /// Asserts that stdout has exactly these lines, in this order.
    ///
    /// # Panics
    ///
    /// Stdout has other lines.
    #[track_caller]
    pub fn assert_stdout(&self, lines: &[&str]) -> &Self {
        let is_it = self.transcript.stdout().eq(lines.iter().copied());
        assert!(is_it, "stdout is not {lines:#?}: {self}");
        self
    }

    /// Asserts that a line on stdout or stderr contains this text.
    ///
    /// # Panics
    ///
    /// No line does.
    #[track_caller]
    pub fn assert_contains(&self, text: &str) -> &Self {
        assert!(self.transcript.contains(text), "no line contains `{text}`: {self}");
        self
    }

    /// Asserts that no line on stdout or stderr contains this text.
    ///
    /// # Panics
    ///
    /// A line does.
    #[track_caller]
    pub fn assert_lacks(&self, text: &str) -> &Self {
        assert!(!self.transcript.contains(text), "a line contains `{text}`: {self}");
        self
    }
}

impl fmt::Display for Output {
    /// Writes how the process ended, and everything that it wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, took, transcript } = self;
        write!(f, "the process ended after {took:.1?} ({status}) and wrote:\n{transcript}")
    }
}
