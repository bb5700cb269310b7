//! A program that has ended: what it wrote, how it ended, how long that took.

use std::fmt::{self, Write as _};
use std::process::ExitStatus;
use std::time::Duration;

use super::From;

pub(super) fn show(lines: &[(From, String)]) -> String {
    lines.iter().fold(String::new(), |mut text, (from, line)| {
        let _ = writeln!(text, "  {from:?} {line}");
        text
    })
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// How long it lived after the first signal, or if there was none at all.
    pub(crate) took: Duration,
    lines: Vec<(From, String)>,
}

impl Ended {
    pub(super) fn new(status: ExitStatus, took: Duration, lines: Vec<(From, String)>) -> Self {
        Self { status, took, lines }
    }

    /// The lines on stdout: what the hooks said, in order.
    pub(crate) fn did(&self) -> Vec<&str> {
        self.of(From::Out).collect()
    }

    /// The lines on stderr, as one text.
    pub(crate) fn stderr(&self) -> String {
        self.of(From::Err).fold(String::new(), |text, line| text + line + "\n")
    }

    fn of(&self, from: From) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |line| line.0 == from).map(|(_, line)| line.as_str())
    }

    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{self}", self.status);
        self
    }

    /// What the hooks said, all of it, in this order.
    #[track_caller]
    pub(crate) fn expect_did(&self, expected: &[&str]) -> &Self {
        assert_eq!(self.did(), expected, "\n{self}");
        self
    }

    /// Texts on stderr.
    #[track_caller]
    pub(crate) fn expect_said(&self, texts: &[&str]) -> &Self {
        let stderr = self.stderr();
        for text in texts {
            assert!(stderr.contains(text), "no `{text}` in\n{self}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn expect_not_said(&self, texts: &[&str]) -> &Self {
        let stderr = self.stderr();
        for text in texts {
            assert!(!stderr.contains(text), "`{text}` in\n{self}");
        }
        self
    }

    /// How long it lived after the first signal, or if there was none at all: no less, and less
    /// than 5 s more.
    #[track_caller]
    pub(crate) fn expect_took(&self, at_least: Duration) -> &Self {
        assert!(
            self.took >= at_least && self.took < at_least + Duration::from_secs(5),
            "took {:?}\n{self}",
            self.took
        );
        self
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.lines))
    }
}
