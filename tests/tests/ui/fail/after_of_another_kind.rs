//! `after` across kinds that are phases of their own: each pair of them.

use lifecycle_runtime::{on_drain, on_ready, on_shutdown, on_startup};

#[on_ready]
async fn announce() {}

#[on_drain]
async fn withdraw() {}

#[on_shutdown]
async fn flush() {}

#[on_startup(after = [announce])]
async fn started() {}

#[on_ready(after = [flush])]
async fn ready() {}

#[on_drain(after = [announce])]
async fn drained() {}

#[on_shutdown(after = [withdraw])]
async fn stopped() {}

fn main() {}
