//! A cycle of ready hooks.

use lifecycle_runtime::on_ready;

#[on_ready(after = [check])]
async fn announce() {}

#[on_ready(after = [announce])]
async fn check() {}

fn main() {}
