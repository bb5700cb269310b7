//! TLS and HTTP/2, with a certificate made at the start: `cargo run -p tour --example 07_tls`.
//!
//! ```console
//! $ curl --cacert /tmp/tour-certificate.pem https://localhost:8080/
//! hello over HTTP/2.0
//! $ curl --cacert /tmp/tour-certificate.pem --http1.1 https://localhost:8080/
//! hello over HTTP/1.1
//! ```
//!
//! On Ctrl-C clients of HTTP/2 get GOAWAY, and their requests in flight are answered. (The
//! certificate is `$TMPDIR/tour-certificate.pem` where that is set.)

use std::process::ExitCode;
use std::{env, fs};

use actix_web::{App, HttpRequest, Responder, get};
use lifecycle_runtime::{BoxError, Http, Lifecycle};
use rustls::ServerConfig;
use rustls::crypto::ring;

#[get("/")]
async fn hello(request: HttpRequest) -> impl Responder {
    format!("hello over {:?}\n", request.version())
}

/// Returns a configuration with a new certificate for `localhost`. Nobody has signed it, so it is
/// for development only. A service reads its certificate and its key from files, as `certbot` or
/// cert-manager leave them.
fn tls() -> Result<ServerConfig, BoxError> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    // Clients need the certificate, to trust it. The key stays in this process.
    fs::write(env::temp_dir().join("tour-certificate.pem"), made.cert.pem())?;
    let key = made.signing_key.serialize_der().try_into()?;
    Ok(ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)?)
}

fn main() -> ExitCode {
    match tls() {
        // HTTP/2 and HTTP/1.1 are offered, as the configuration has no `alpn_protocols`.
        Ok(tls) => {
            Lifecycle::new().http(Http::new(|| App::new().service(hello)).rustls_0_23(tls)).run()
        }
        Err(error) => {
            eprintln!("no certificate: {error}");
            ExitCode::FAILURE
        }
    }
}
