//! Library of a program: its hooks, and the lifecycle that `main` runs.

use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

/// Makes the drafts.
#[on_startup]
pub async fn drafts() -> Vec<String> {
    vec!["Dear Ana".to_owned()]
}

/// Saves the drafts.
#[on_shutdown(of = drafts)]
pub async fn save_drafts(drafts: Dep<drafts>) {
    println!("{} drafts saved", drafts.len());
}

/// Returns the lifecycle that `main` runs.
pub fn service() -> Lifecycle {
    Lifecycle::new()
}
