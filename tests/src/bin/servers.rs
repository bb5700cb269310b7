//! Several servers: `servers [certificate=PATH]`
//!
//! Two plain ones; with an argument a third one over TLS, whose certificate it writes there.

use std::process::ExitCode;

use actix_web::{App, web};
use lifecycle_runtime::{Http, Lifecycle};
use lifecycle_tests::act::{end_with_stdin, told_to};
use lifecycle_tests::certificate;

fn named(name: &'static str) -> Http {
    Http::new(move || App::new().route("/", web::get().to(move || async move { name }))).bind("127.0.0.1:0")
}

fn main() -> ExitCode {
    end_with_stdin();
    let lifecycle = Lifecycle::of([]).http(named("first")).http(named("second").workers(1_usize));
    match &*told_to("certificate") {
        "" => lifecycle.run(),
        path => lifecycle.http(named("secret").rustls(certificate::config(path))).run(),
    }
}
