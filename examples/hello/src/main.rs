//! The smallest useful program: a value made at the start, used by a request handler and by a hook at the stop.

use std::process::ExitCode;

use actix_web::{App, Responder, get};
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

#[on_startup]
async fn greeting() -> String {
    "hello".to_owned()
}

#[on_shutdown]
async fn say_goodbye(greeting: Dep<greeting>) {
    println!("no more {greeting}");
}

#[get("/")]
async fn hello(greeting: Dep<greeting>) -> impl Responder {
    format!("{greeting}, world\n")
}

fn main() -> ExitCode {
    Lifecycle::new().http(|| App::new().service(hello)).run()
}
