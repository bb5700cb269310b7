//! Two teardowns, each of the other.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(of = b)]
async fn a() {}

#[on_shutdown(of = a)]
async fn b() {}

fn main() {}
