//! One function for two phases.

use lifecycle_runtime::{on_drain, on_ready};

#[on_ready]
#[on_drain]
async fn tell() {}

#[on_ready(after = [tell])]
async fn check() {}

fn main() {}
