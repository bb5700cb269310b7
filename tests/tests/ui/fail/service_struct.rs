//! A service that is no function.

use lifecycle_runtime::service;

#[service]
struct Outbox;

fn main() {}
