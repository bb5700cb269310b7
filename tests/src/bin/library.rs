//! Program whose hooks build on those of a library: `library [EXPECTED PATH]...`

use std::process::ExitCode;

use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};
use lifecycle_tests::act::{end_with_stdin, say};
use lifecycle_tests::store::store;

#[on_startup]
async fn index(store: Dep<store>) {
    say(&format!("index {}", store.content));
}

#[on_shutdown]
async fn save_index(store: Dep<store>) {
    say(&format!("save_index {}", store.content));
}

fn main() -> ExitCode {
    end_with_stdin();
    Lifecycle::new().expect_hooks(std::env::args().skip(1)).run()
}
