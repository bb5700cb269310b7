//! A teardown of a ready hook.

use lifecycle_runtime::{on_ready, on_shutdown};

#[on_ready]
async fn announce() {}

#[on_shutdown(of = announce)]
async fn withdraw() {}

fn main() {}
