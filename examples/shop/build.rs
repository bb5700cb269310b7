//! Build script that rebuilds the crate when a migration is added. The macro that embeds the folder
//! only watches the files that were there when it ran.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
