//! Hooks of a library crate.

use lifecycle_runtime::{Dep, on_shutdown, on_startup};

use crate::act::say;

/// Value of the library's startup hook.
pub struct Store {
    /// Content of the store.
    pub content: &'static str,
}

/// Opens the store.
#[on_startup]
pub async fn store() -> Store {
    say("store");
    Store { content: "of the library" }
}

// It is private: nobody outside can name it, and it runs nevertheless.
#[on_shutdown(of = store)]
async fn close_store(store: Dep<store>) {
    say(&format!("close_store {}", store.content));
}
