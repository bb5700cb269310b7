//! Images of `worldclock`, without a registry: the program and the libraries that it is linked to.

use std::fs;
use std::path::Path;

use lifecycle_deploy::program::Program;

use crate::engine::{Engine, run};

/// Image of the service.
pub(crate) const GOOD: &str = "worldclock:1";

/// Image whose start fails.
pub(crate) const BROKEN: &str = "worldclock:broken";

const ROOT: &str = "/run/image";
const ARCHIVE: &str = "/run/image.tar";

/// Makes both images.
///
/// # Errors
///
/// The program can't be copied, or the engine refuses the images.
pub(crate) fn make(engine: &Engine) -> Result<(), String> {
    let program = Program::Worldclock.path();
    let libraries = run("ldd", &[&program.display().to_string()])?;
    // Lines such as `libc.so.6 => /lib/libc.so.6 (0x7f…)` and `/lib64/ld-linux.so.2 (0x7f…)`.
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    copy(program, "/worldclock")?;
    for library in libraries {
        copy(Path::new(library), library)?;
    }
    for folder in ["data", "tmp"] {
        let folder = format!("{ROOT}/{folder}");
        fs::create_dir_all(&folder).map_err(|error| format!("{folder}: {error}"))?;
    }
    run("tar", &["--create", "--directory", ROOT, "--file", ARCHIVE, "."])?;
    let entry = "ENTRYPOINT [\"/worldclock\"]";
    let broken = "ENV WORLDCLOCK_ZONES=/missing.csv";
    engine.docker(&["import", "--change", entry, ARCHIVE, GOOD])?;
    engine.docker(&["import", "--change", entry, "--change", broken, ARCHIVE, BROKEN]).map(drop)
}

fn copy(from: &Path, to: &str) -> Result<(), String> {
    let to = format!("{ROOT}{to}");
    let folder = Path::new(&to).parent().expect("a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(from, &to))
        .map(drop)
        .map_err(|error| format!("{}: {error}", from.display()))
}
