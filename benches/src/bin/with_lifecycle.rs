//! App on the framework, with one hook.

use std::process::ExitCode;

use actix_web::App;
use lifecycle_benches::{arguments, fast, slow};
use lifecycle_runtime::{Http, Lifecycle, on_shutdown};

#[on_shutdown]
async fn last() {}

fn main() -> ExitCode {
    let (address, workers) = arguments();
    let http = Http::new(|| App::new().service(fast).service(slow)).bind(address).workers(workers);
    Lifecycle::new().http(http).run()
}
