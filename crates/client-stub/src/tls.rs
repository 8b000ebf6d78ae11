//! TLS for debug sessions: on z/OS the other end is AT-TLS in front of Debug Manager's external port, here Debug Manager itself.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use dbm_protocol::file;
use humantime::format_duration;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::{self, Line};

/// Whom to believe, and as whom.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    /// Else the address that is dialled.
    name: Option<ServerName<'static>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Believes certificates of the authorities in this PEM file that have this name, or else the address that is dialled.
    ///
    /// # Errors
    /// One sentence that says what is wrong with which of the two.
    pub fn new(ca: &Path, name: Option<&str>) -> Result<Self, String> {
        let wrong = |reason: String| format!("--tls-ca {}: {reason}", ca.display());
        let (bytes, _) = file::read(ca).map_err(wrong)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let added = certificate.map_err(|e| e.to_string()).and_then(|it| roots.add(it).map_err(|e| e.to_string()));
            added.map_err(|e| wrong(format!("certificates of authorities in PEM were expected: {e}")))?;
        }
        if roots.is_empty() {
            return Err(wrong("no certificate was found, -----BEGIN CERTIFICATE----- (PEM) was expected".to_owned()));
        }
        let name = name.map(|text| {
            let name = ServerName::try_from(text.to_owned());
            name.map_err(|_| {
                format!("--tls-name `{}` was found, a host name or an address was expected", text.escape_debug())
            })
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|e| format!("TLS: {e}"))?.with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name: name.transpose()? })
    }
}

impl Line {
    /// Begins TLS on a connection on which nothing was said yet.
    ///
    /// # Errors
    /// One sentence that says why there is none; the events say it too.
    pub async fn with_tls(self, tls: &Tls) -> Result<Line<TlsStream<TcpStream>>, String> {
        let Self { stream, what, address, limit, emitter } = self;
        let name = tls.name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
        let (how, reason) = match timeout(limit, tls.connector.connect(name, stream)).await {
            Ok(Ok(stream)) => return Ok(Line { stream, what, address, limit, emitter }),
            Ok(Err(e)) => no_tls(&e, address),
            Err(_) => ("timed_out", format!("no answer to a TLS handshake within {}", format_duration(limit))),
        };
        Err(dial::failed(&emitter, what, address, how, &reason))
    }
}

fn no_tls(e: &std::io::Error, address: SocketAddr) -> (&'static str, String) {
    match e.kind() {
        ErrorKind::UnexpectedEof => {
            let reason = "it was closed in the TLS handshake; is there no TLS (AT-TLS rule, CLIENTTLS) for port";
            ("closed", format!("{reason} {}?", address.port()))
        }
        ErrorKind::InvalidData => ("tls", e.to_string()),
        _ => (dial::how(e), e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        let problem = |text: &str, name| {
            std::fs::write(file.path(), text).expect("write");
            Tls::new(file.path(), name).expect_err("is wrong")
        };
        let path = file.path().display().to_string();
        let empty = problem("nothing", None);
        assert!(empty.starts_with(&format!("--tls-ca {path}: no certificate was found")), "{empty}");
        let cut = problem("-----BEGIN CERTIFICATE-----\nAAAA\n", None);
        assert!(cut.contains("PEM were expected"), "{cut}");
        let wrong = problem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None);
        assert!(wrong.contains("authorities in PEM were expected"), "{wrong}");
        let right = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).expect("certificate").cert.pem();
        let name = problem(&right, Some("not a name"));
        assert_eq!(name, "--tls-name `not a name` was found, a host name or an address was expected");
        assert!(Tls::new(file.path(), Some("dbm.example")).is_ok() && Tls::new(file.path(), None).is_ok());
        assert!(Tls::new(Path::new("/does/not/exist"), None).is_err());
    }
}
