//! Description of a program, as it gives it of itself.

use std::env;

use serde::Serialize;

/// Name, version and build of a program, for `/info` on the listener of
/// [`Lifecycle::admin`](crate::Lifecycle::admin) and for the [files that it is deployed
/// by](crate::guide::deploying#files-that-fit).
///
/// A program that gives none has the name of its executable.
///
/// ```
/// use lifecycle_runtime::{Info, Lifecycle};
///
/// let info = Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
///     .revision(option_env!("GIT_REVISION"))
///     .built("2026-03-01T12:00:00Z");
/// let lifecycle = Lifecycle::new().info(info);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use = "pass it to `Lifecycle::info`"]
pub struct Info {
    name: String,
    version: Option<String>,
    revision: Option<&'static str>,
    built: Option<&'static str>,
}

impl Info {
    /// Makes the description of a program with this name and version. Revision and time of the
    /// build are unknown until they are set.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        let (name, version) = (name.into(), Some(version.into()));
        Self { name, version, revision: None, built: None }
    }

    /// Sets the revision of the source code, such as a git hash. `None`, as from `option_env!` of a
    /// variable that the build does not set, stands for one that is unknown.
    pub fn revision(mut self, revision: impl Into<Option<&'static str>>) -> Self {
        self.revision = revision.into();
        self
    }

    /// Sets the time of the build, as a text: RFC 3339 by preference. `None` stands for an unknown
    /// time.
    pub fn built(mut self, time: impl Into<Option<&'static str>>) -> Self {
        self.built = time.into();
        self
    }

    /// Returns what is known of the program, each by the name of its field.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let facts = [
            ("name", Some(&*self.name)),
            ("version", self.version.as_deref()),
            ("revision", self.revision),
            ("built", self.built),
        ];
        facts.into_iter().filter_map(|(name, fact)| Some((name, fact?)))
    }

    /// Returns the description of a program that gives none: the name of its executable.
    pub(crate) fn of_executable() -> Self {
        let executable = env::current_exe().ok();
        let name = executable.as_deref().and_then(|path| path.file_stem());
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { name, version: None, revision: None, built: None }
    }
}
