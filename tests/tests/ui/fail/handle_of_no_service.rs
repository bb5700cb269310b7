//! The handle of a service, taken by what is none.

use lifecycle_runtime::{Service, on_startup};

#[on_startup]
async fn db(service: Service) {
    service.ready();
}

fn main() {}
