//! Two versions of the runtime in one program. Hooks of one of them would never run, so cargo
//! refuses them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Makes a package in a folder of its own.
fn package(root: &Path, name: &str, manifest: &str) {
    let sources = root.join(name).join("src");
    fs::create_dir_all(&sources).expect("a folder");
    fs::write(root.join(name).join("Cargo.toml"), manifest).expect("a file");
    fs::write(root.join(name).join("build.rs"), "fn main() {}").expect("a file");
    fs::write(sources.join("lib.rs"), "").expect("a file");
}

/// Has cargo choose the versions for a program that depends on this runtime, and through a library
/// on another version of it. That version has these lines in its manifest.
fn resolve(links: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let manifest = |name: &str, version: &str, rest: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n{rest}\n"
        )
    };
    package(root, "other", &manifest("lifecycle-runtime", "0.0.9", links));
    let other = "[dependencies]\nlifecycle-runtime = { path = \"../other\" }";
    package(root, "library", &manifest("library", "1.0.0", other));
    let runtime = workspace.join("lifecycle-runtime").display().to_string();
    let both = format!(
        "[dependencies]\nlibrary = {{ path = \"../library\" }}\nlifecycle-runtime = {{ path = \
         '{runtime}' }}\n[workspace]"
    );
    package(root, "program", &manifest("program", "1.0.0", &both));
    // With the locked versions cargo looks nothing up.
    fs::copy(workspace.join("Cargo.lock"), root.join("program/Cargo.lock")).expect("a lock file");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["generate-lockfile", "--offline", "--quiet"]).current_dir(root.join("program"));
    cargo.output().expect("cargo")
}

#[test]
fn cargo_refuses_two_versions_of_the_runtime_in_one_program() {
    let refused = resolve("links = \"lifecycle-runtime\"");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("links to the native library `lifecycle-runtime`"), "{said}");
    // Without these lines cargo accepts the versions.
    let control = resolve("");
    assert!(control.status.success(), "{}", String::from_utf8_lossy(&control.stderr));
}
