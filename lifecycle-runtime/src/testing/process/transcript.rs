//! Lines that a process has written.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::Sender;

/// Pipe through which a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Line of output, without its line ending.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) source: Stream,
    pub(super) text: String,
}

/// Lines that a process has written to stdout and stderr, in the order in which they came.
///
/// The order is exact for the lines of one stream. Of two lines in different streams at nearly the
/// same time, either may come first.
///
/// ```
/// # #[cfg(unix)] {
/// use lifecycle_runtime::testing::process::Command;
///
/// let output = Command::new("sh").args(["-c", "echo one; echo two >&2"]).output();
/// let transcript = output.transcript();
/// assert_eq!(transcript.stdout().collect::<Vec<_>>(), ["one"]);
/// assert_eq!(transcript.stderr().collect::<Vec<_>>(), ["two"]);
/// assert_eq!(transcript.lines().count(), 2);
/// assert!(transcript.contains("tw"));
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    lines: Vec<Line>,
}

impl Transcript {
    pub(super) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Returns the lines, each with its source.
    pub(super) fn sourced(&self) -> &[Line] {
        &self.lines
    }

    /// Returns all lines, without their line endings.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// Returns the lines on stdout.
    pub fn stdout(&self) -> impl Iterator<Item = &str> {
        self.of(Stream::Stdout)
    }

    /// Returns the lines on stderr.
    pub fn stderr(&self) -> impl Iterator<Item = &str> {
        self.of(Stream::Stderr)
    }

    fn of(&self, source: Stream) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().filter(move |line| line.source == source);
        lines.map(|line| line.text.as_str())
    }

    /// Returns whether a line contains this text.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.lines().any(|line| line.contains(text))
    }
}

impl fmt::Display for Transcript {
    /// Writes each line, preceded by its stream.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return f.write_str("  nothing\n");
        }
        for Line { source, text } in &self.lines {
            let source = match source {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            };
            writeln!(f, "  {source} | {text}")?;
        }
        Ok(())
    }
}

/// Sends the lines of a pipe until it ends or nobody receives them any more. Bytes that are not
/// UTF-8 are replaced, so that the rest of the line can still be searched.
pub(super) fn send_lines(pipe: impl Read, source: Stream, sender: &Sender<Line>) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while pipe.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = Line { source, text: String::from_utf8_lossy(line).into_owned() };
        if sender.send(line).is_err() {
            return;
        }
        bytes.clear();
    }
}
