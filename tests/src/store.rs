//! Hooks in a library crate.

use lifecycle_runtime::{Dep, on_shutdown, on_startup};

use crate::act::say;

/// What the library's startup hook opens.
pub struct Store {
    /// What is in it.
    pub content: &'static str,
}

/// Opens the store.
#[on_startup]
pub async fn store() -> Store {
    say("store");
    Store { content: "of the library" }
}

// Private: nobody outside can name it, and it runs all the same.
#[on_shutdown(of = store)]
async fn close_store(store: Dep<store>) {
    say(&format!("close_store {}", store.content));
}
