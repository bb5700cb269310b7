//! Certificate for one run of a server, and trust in it.

use std::path::Path;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Makes the settings that a server needs to speak TLS as `localhost`, and writes the certificate,
/// which clients have to trust, to this path.
///
/// # Panics
///
/// If the file can't be written.
#[must_use]
pub fn config(path: impl AsRef<Path>) -> ServerConfig {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(path, made.cert.der()).expect("a place for the certificate");
    let key = made.signing_key.serialize_der().try_into().expect("a key");
    let config = ServerConfig::builder_with_provider(ring::default_provider().into());
    let config =
        config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    config.with_single_cert(vec![made.cert.into()], key).expect("a certificate and its key")
}

/// Makes the settings of a client that trusts this certificate and no other.
///
/// # Panics
///
/// If there is no certificate in the file.
#[must_use]
pub fn trust(certificate: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(std::fs::read(certificate).expect("a certificate").into()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(ring::default_provider().into());
    let config = config
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    config.with_no_client_auth()
}
