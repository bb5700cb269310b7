//! Without this a new migration would not be seen until something else is compiled: the macro that
//! embeds the folder can only watch the files that were there.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
