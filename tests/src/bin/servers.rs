//! Several servers: `servers [certificate=PATH]`
//!
//! Two plain ones; with an argument a third one over TLS, whose certificate it writes there.

use std::process::ExitCode;

use actix_web::{App, web};
use lifecycle_runtime::{Http, Lifecycle};
use lifecycle_tests::act::{end_with_stdin, told_to};
use rustls::ServerConfig;
use rustls::crypto::ring;

fn tls(certificate: &str) -> ServerConfig {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(certificate, made.cert.der()).expect("a place for the certificate");
    let key = made.signing_key.serialize_der().try_into().expect("a key");
    let config = ServerConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    config.with_single_cert(vec![made.cert.into()], key).expect("a certificate and its key")
}

fn named(name: &'static str) -> Http {
    Http::new(move || App::new().route("/", web::get().to(move || async move { name }))).bind("127.0.0.1:0")
}

fn main() -> ExitCode {
    end_with_stdin();
    let lifecycle = Lifecycle::of([]).http(named("first")).http(named("second").workers(1_usize));
    match &*told_to("certificate") {
        "" => lifecycle.run(),
        certificate => lifecycle.http(named("secret").rustls(tls(certificate))).run(),
    }
}
