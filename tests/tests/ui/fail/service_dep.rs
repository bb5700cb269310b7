//! `Dep` of a service, which provides no value.

use lifecycle_runtime::{Dep, on_startup, service};

#[service]
async fn outbox() -> u32 {
    1
}

#[on_startup]
async fn cache(outbox: Dep<outbox>) {
    println!("{}", *outbox);
}

fn main() {}
