//! `Dep` of a health check, which provides no value.

use lifecycle_runtime::{Dep, health_check, on_ready};

#[health_check]
async fn ping() {}

#[on_ready]
async fn announce(ping: Dep<ping>) {
    let () = *ping;
}

fn main() {}
