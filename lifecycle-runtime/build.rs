//! Nothing to build: cargo wants a build script where `links` is set, and runs this one once.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
