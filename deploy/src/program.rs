//! Programs that are restarted.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Service of which copies run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The example `worldclock`, which writes to a database.
    Worldclock,
    /// The same routes on actix-web's own server, without the framework. It stores nothing.
    Bare,
}

impl Program {
    /// Returns the path of the program, and builds it the first time, if it is older than its
    /// sources. Cargo builds it before it runs the tests of all packages, but not for a command of
    /// this package alone.
    ///
    /// # Panics
    ///
    /// It can't be built.
    #[must_use]
    pub fn path(self) -> &'static Path {
        static WORLDCLOCK: OnceLock<PathBuf> = OnceLock::new();
        static BARE: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Self::Worldclock => WORLDCLOCK.get_or_init(|| built("worldclock", "worldclock")),
            Self::Bare => BARE.get_or_init(|| built(env!("CARGO_PKG_NAME"), "bare_copy")),
        }
    }
}

/// Returns the path of a program, and builds it if it is older than its sources.
fn built(package: &str, name: &str) -> PathBuf {
    let folder = folder();
    let path = folder.join(name);
    if is_built(&path).unwrap_or(false) {
        return path;
    }
    // The same program that runs this one, if Cargo does: its toolchain is that of the workspace.
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", package, "--bin", name]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().is_ok_and(|status| status.success()), "{name} can't be built");
    assert!(is_built(&path).unwrap_or(false), "{} is not of its sources", path.display());
    path
}

/// Returns the folder with the programs of the profile that this one was built with. Tests stand in
/// a folder below it.
fn folder() -> PathBuf {
    let own = env::current_exe().expect("a path");
    let folder = own.parent().expect("a folder");
    match folder.parent() {
        Some(above) if folder.ends_with("deps") => above.to_owned(),
        _ => folder.to_owned(),
    }
}

/// Returns whether a program is there and no older than its sources, which Cargo lists beside it.
fn is_built(path: &Path) -> io::Result<bool> {
    let built = path.metadata()?.modified()?;
    let sources = fs::read_to_string(path.with_extension("d"))?;
    for source in sources.split_whitespace().skip(1) {
        if fs::metadata(source)?.modified()? > built {
            return Ok(false);
        }
    }
    Ok(true)
}
