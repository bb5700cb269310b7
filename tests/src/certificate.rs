//! Certificate of a server, and trust in it.

use std::path::Path;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Makes the settings that a server needs to speak TLS as `localhost`, and writes the certificate,
/// which clients have to trust, to this path, and its key beside it. A process that follows another
/// finds both.
///
/// # Panics
///
/// If the files can't be written.
#[must_use]
pub fn config(path: impl AsRef<Path>) -> ServerConfig {
    let (certificate, key) = made(path.as_ref());
    let config = ServerConfig::builder_with_provider(ring::default_provider().into());
    let config =
        config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    config.with_single_cert(vec![certificate], key).expect("a certificate and its key")
}

/// Returns the certificate at this path and its key, which are made if they are not there.
fn made(path: &Path) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key_path = path.with_extension("key");
    let (certificate, key) = if let Ok(key) = std::fs::read(&key_path) {
        (std::fs::read(path).expect("a certificate"), key)
    } else {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let made = made.expect("a certificate");
        let (certificate, key) = (made.cert.der().to_vec(), made.signing_key.serialize_der());
        std::fs::write(path, &certificate).expect("a place for the certificate");
        std::fs::write(key_path, &key).expect("a place for the key");
        (certificate, key)
    };
    (certificate.into(), key.try_into().expect("a key"))
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
