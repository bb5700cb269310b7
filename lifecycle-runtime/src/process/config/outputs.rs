//! Settings of a run's outputs: the form of the console's lines, and the files that are written at
//! the end.

use std::path::{Path, PathBuf};

/// Form of the console's lines; the values `live`, `plain`, `time` and `json` of
/// `LIFECYCLE_CONSOLE`.
///
/// ```
/// use lifecycle_runtime::{ConsoleFormat, Lifecycle};
///
/// let lifecycle = Lifecycle::new().console_format(ConsoleFormat::Json);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConsoleFormat {
    /// Text for people, as [`Plain`](Self::Plain). On a terminal, moreover, a start or a stop that
    /// takes longer than a quarter of a second has [live lines][live] at the bottom, which say what
    /// it waits for.
    ///
    /// [live]: crate::guide::logging#on-a-terminal
    #[default]
    Live,
    /// Text for people, coloured on a terminal: `lifecycle: done db in 12 ms`.
    Plain,
    /// The same text behind the time in UTC (RFC 3339):
    /// `2026-11-30T15:47:10.123Z lifecycle: done db in 12 ms`.
    Time,
    /// One JSON object a line, for log collectors.
    ///
    /// Each has the time in UTC (RFC 3339), a level, the target `lifecycle_runtime`, and a message.
    /// An event adds its name and its fields. [The guide](crate::guide::logging#lines-as-json)
    /// lists them.
    Json,
}

/// Settings of the outputs that have to be known even if other settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OutputSettings {
    pub(crate) console: ConsoleFormat,
    /// File that the report is written to.
    pub(crate) report: Option<PathBuf>,
    pub(crate) termination_log: TerminationLog,
}

/// File that the summary of a run is written to, for Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum TerminationLog {
    /// The file of Kubernetes, if the container has it.
    #[default]
    IfPresent,
    /// A file that is created if it is missing.
    File(PathBuf),
    Off,
}

impl OutputSettings {
    /// Makes paths absolute, as a hook may change the working directory of the process.
    pub(crate) fn absolute(mut self) -> Self {
        // This fails only for an empty path, and in a directory that is gone.
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.report = self.report.as_deref().map(absolute);
        if let TerminationLog::File(path) = &mut self.termination_log {
            *path = absolute(path);
        }
        self
    }
}
