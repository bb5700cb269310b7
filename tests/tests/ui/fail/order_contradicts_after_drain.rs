//! An `order` of a drain hook below that of one in `after`.

use lifecycle_runtime::{on_drain, on_startup};

/// The order of another kind means nothing here.
#[on_startup(order = 20)]
async fn db() {}

#[on_drain(order = 10, after = [db])]
async fn tell() {}

#[on_drain(order = 5, after = [tell])]
async fn withdraw() {}

fn main() {}
