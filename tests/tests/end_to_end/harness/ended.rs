//! End of a program: its output, its exit status, and the time that it took.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use lifecycle_runtime::testing::process::Output;

/// Program that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Time that it lived after the last signal that stops, or in all if there was none.
    pub(crate) took: Duration,
    output: Output,
}

impl Ended {
    pub(super) fn new(output: Output) -> Self {
        Self { status: output.status(), took: output.took(), output }
    }

    /// Returns the lines on stdout: what the hooks said, in order.
    pub(crate) fn did(&self) -> Vec<&str> {
        self.output.transcript().stdout().collect()
    }

    /// Returns the lines on stderr, as one text.
    pub(crate) fn stderr(&self) -> String {
        self.output.transcript().stderr().fold(String::new(), |text, line| text + line + "\n")
    }

    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        self.output.assert_exit_code(code);
        self
    }

    /// Checks that the hooks said exactly this, in this order.
    #[track_caller]
    pub(crate) fn expect_did(&self, expected: &[&str]) -> &Self {
        self.output.assert_stdout(expected);
        self
    }

    /// Checks that stderr has these texts.
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

    /// Checks that the program lived for at least this time, and less than 5 s more, counted from
    /// the last signal that stops, or from its start if there was none.
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
        self.output.fmt(f)
    }
}
