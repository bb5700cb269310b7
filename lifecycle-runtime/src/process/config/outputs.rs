//! Form of the console's lines.

/// Form of the console's lines; the values `plain`, `time` and `json` of `LIFECYCLE_CONSOLE`.
///
/// ```
/// use lifecycle_runtime::{ConsoleFormat, Lifecycle};
///
/// let lifecycle = Lifecycle::new().console_format(ConsoleFormat::Json);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConsoleFormat {
    /// Text for people, coloured on a terminal: `lifecycle: done db in 12 ms`.
    #[default]
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
