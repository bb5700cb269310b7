//! Settings from a file, which the worker reads at the start, and in part again on SIGHUP.

use std::fs;
use std::io;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use lifecycle_runtime::{Dep, on_signal, on_startup};
use serde::Deserialize;

/// The settings in use.
#[derive(Debug)]
pub struct Settings {
    /// File that they come from, and that SIGHUP reads again.
    pub file: PathBuf,
    pub fixed: Fixed,
    pub live: ArcSwap<Live>,
}

/// Contents of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fixed: Fixed,
    live: Live,
}

/// Settings that hold until the process ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    pub spool: PathBuf,
    pub database: PathBuf,
    pub collector: Option<String>,
}

/// Settings that SIGHUP can replace. Code that uses one loads it each time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    pub keep: String,
    pub longest_line: NonZeroUsize,
    pub look_every_ms: NonZeroU64,
    pub batch_lines: NonZeroUsize,
    pub batch_ms: u64,
    pub behind: i64,
}

impl Live {
    pub fn look_every(&self) -> Duration {
        Duration::from_millis(self.look_every_ms.get())
    }

    pub fn batch_time(&self) -> Duration {
        Duration::from_millis(self.batch_ms)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(
        "can't read {}; WORKER_CONFIG must name a file like the example's `worker.toml`",
        .0.display()
    )]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{}:{line}: {why}; correct the file", file.display())]
    Broken { file: PathBuf, line: usize, why: String },
    #[error(
        "{}: what is in `[fixed]` can't change while the process runs; restart it, or write what \
         was there",
        .0.display()
    )]
    Fixed(PathBuf),
}

/// Reads the settings; without them the start fails.
#[on_startup]
pub fn settings() -> Result<Settings, SettingsError> {
    let file = std::env::var_os("WORKER_CONFIG")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/worker.toml").into(), PathBuf::from);
    let Written { fixed, live } = Written::read(&file)?;
    Ok(Settings { file, fixed, live: ArcSwap::from_pointee(live) })
}

/// Replaces the live settings by those in the file. If anything is wrong with the file, the hook
/// fails with the reason, and all of the old settings stay in use.
#[on_signal(SIGHUP)]
pub fn reload(settings: Dep<settings>) -> Result<(), SettingsError> {
    let Written { fixed, live } = Written::read(&settings.file)?;
    if fixed != settings.fixed {
        return Err(SettingsError::Fixed(settings.file.clone()));
    }
    settings.live.store(Arc::new(live));
    Ok(())
}

impl Written {
    fn read(file: &PathBuf) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(file)
            .map_err(|error| SettingsError::Unreadable(file.clone(), error))?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = 1 + before.matches('\n').count();
            SettingsError::Broken { file: file.clone(), line, why: error.message().to_owned() }
        })
    }
}

#[cfg(test)]
pub mod tests {
    use std::path::Path;

    use super::*;

    pub const SHIPPED: &str = include_str!("../worker.toml");

    /// Returns the settings that the example ships, with the spool and the database in this folder.
    pub fn in_folder(folder: &Path) -> Settings {
        let file = folder.join("worker.toml");
        fs::write(&file, SHIPPED).unwrap();
        let Written { mut fixed, live } = Written::read(&file).unwrap();
        fixed = Fixed { spool: folder.join("spool"), database: folder.join("worker.db"), ..fixed };
        Settings { file, fixed, live: ArcSwap::from_pointee(live) }
    }

    /// Returns the settings exactly as the file has them, so that `reload` finds nothing fixed
    /// changed.
    fn as_shipped(folder: &Path) -> Dep<settings> {
        let Settings { file, live, .. } = in_folder(folder);
        let fixed = Written::read(&file).unwrap().fixed;
        Dep::new(Settings { file, fixed, live })
    }

    #[test]
    fn what_is_live_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let settings = as_shipped(folder.path());
        fs::write(&settings.file, SHIPPED.replace("batch_lines = 500", "batch_lines = 7")).unwrap();
        reload(settings.clone()).unwrap();
        assert_eq!(settings.live.load().batch_lines.get(), 7);
    }

    #[track_caller]
    fn refused(from: &str, to: &str, why: &str) {
        let folder = tempfile::tempdir().unwrap();
        let settings = as_shipped(folder.path());
        let before = settings.live.load_full();
        assert!(SHIPPED.contains(from));
        fs::write(&settings.file, SHIPPED.replace(from, to)).unwrap();
        let error = reload(settings.clone()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("worker.toml"), "{error}");
        assert_eq!(*settings.live.load_full(), *before);
    }

    #[test]
    fn a_broken_file_keeps_the_old_settings_and_says_why() {
        refused(
            "batch_lines = 500",
            "batch_lines = 0",
            "worker.toml:14: invalid value: integer `0`, expected a nonzero",
        );
        refused(
            "batch_lines = 500",
            "batch_line = 500",
            "worker.toml:14: unknown field `batch_line`, expected one of",
        );
        refused(
            "batch_lines = 500",
            "batch_lines = ",
            "worker.toml:14: string values must be quoted",
        );
        refused("batch_lines = 500", "", "missing field `batch_lines`");
    }

    #[test]
    fn what_is_fixed_is_not_changed() {
        refused(
            "spool = \"spool\"",
            "spool = \"other\"",
            "`[fixed]` can't change while the process runs",
        );
        refused("# collector", "collector", "`[fixed]` can't change while the process runs");
    }
}
