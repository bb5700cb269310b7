//! What contradicts itself elsewhere shows beside a cycle.

use lifecycle_runtime::on_startup;

#[on_startup(after = [b])]
async fn a() {}

#[on_startup(after = [a])]
async fn b() {}

#[on_startup(after = [config], order = 1)]
async fn cache() {}

#[on_startup(order = 2)]
async fn config() {}

fn main() {}
