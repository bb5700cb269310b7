//! Notes the version of the compiler, for `/info`. Cargo wants a build script anyway, where `links`
//! is set.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(version) = rustc_version() {
        println!("cargo::rustc-env=RUSTC_VERSION_OF_BUILD={version}");
    }
}

/// Returns the first line of `rustc --version`, or `None` if rustc can't be asked.
fn rustc_version() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.lines().next().map(str::to_owned)
}
