//! Certificates for a test, and engines that speak TLS.

#![allow(dead_code)]

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::{Hello, Notice, Role, frame};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An authority, and a directory with its certificate and those that it has issued.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        // Two of the same name would be taken for each other, up to the signature.
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("Authority {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority");
        let directory = tempfile::tempdir().expect("temp dir");
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("write");
        Self { issuer, directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes `name.pem` and `name.key`, for these names and addresses.
    pub(crate) fn issue(&self, name: &str, subjects: &[&str]) {
        let subjects: Vec<_> = subjects.iter().map(|it| (*it).to_owned()).collect();
        let key = KeyPair::generate().expect("key");
        let certificate = CertificateParams::new(subjects).expect("params").signed_by(&key, &self.issuer);
        std::fs::write(self.path(&format!("{name}.pem")), certificate.expect("certificate").pem()).expect("write");
        let file = self.path(&format!("{name}.key"));
        std::fs::write(&file, key.serialize_pem()).expect("write");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("mode");
    }

    /// The words of PRM for TLS on the CLIENT port, with a certificate for 127.0.0.1.
    pub(crate) fn client_tls(&self) -> Vec<String> {
        self.issue("dbm", &["127.0.0.1"]);
        let file = |name: &str| self.path(name).display().to_string();
        vec!["CLIENTTLS=ON".to_owned(), format!("TLSCERT={}", file("dbm.pem")), format!("TLSKEY={}", file("dbm.key"))]
    }

    /// The words of PRM for TLS in the hub, with a certificate of its own for each name.
    pub(crate) fn hub_tls(&self, name: &str) -> Vec<String> {
        self.issue(name, &["127.0.0.1"]);
        let file = |name: &str| self.path(name).display().to_string();
        vec![
            "HUBTLS=ON".to_owned(),
            format!("TLSCA={}", file("ca.pem")),
            format!("HUBCERT={}", file(&format!("{name}.pem"))),
            format!("HUBKEY={}", file(&format!("{name}.key"))),
        ]
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).expect("certificate")).expect("authority");
        roots
    }

    /// Speaks TLS with those whose certificate is from this authority; shows the certificate of this name.
    pub(crate) fn connector(&self, shows: Option<&str>) -> TlsConnector {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_root_certificates(self.roots());
        let config = match shows {
            None => config.with_no_client_auth(),
            Some(name) => {
                let certificate =
                    CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).expect("certificate");
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).expect("key");
                config.with_client_auth_cert(vec![certificate], key).expect("a pair")
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

/// Dials a port of this machine with TLS.
pub(crate) async fn dial(port: u16, connector: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    connector.connect(ServerName::try_from("127.0.0.1").expect("an address"), stream).await
}

/// An engine that presents what a notice says, and the answer.
pub(crate) async fn attach(notice: &Notice, connector: &TlsConnector) -> (TlsStream<TcpStream>, ToEngine) {
    let mut engine = dial(notice.port, connector).await.expect("TLS");
    let (user, session, token) = (notice.user.clone(), notice.session.clone(), notice.token.clone());
    frame::write(&mut engine, &Hello::new(Role::Engine)).await.expect("hello");
    frame::write(&mut engine, &FromEngine::Attach { user, session, token }).await.expect("attach");
    let answer = frame::read(&mut engine).await.expect("an answer").expect("not the end");
    (engine, answer)
}
