//! A certificate for one run of a server.

use std::path::Path;

use rustls::ServerConfig;
use rustls::crypto::ring;

/// What a server needs to speak TLS as `localhost`. Writes the certificate, which a client has to trust, to this path.
///
/// # Panics
///
/// There can be no file.
#[must_use]
pub fn config(path: impl AsRef<Path>) -> ServerConfig {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(path, made.cert.der()).expect("a place for the certificate");
    let key = made.signing_key.serialize_der().try_into().expect("a key");
    let config = ServerConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    config.with_single_cert(vec![made.cert.into()], key).expect("a certificate and its key")
}
