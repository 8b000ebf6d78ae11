//! TLS on the CLIENT and HUB ports: the files that are given, read and checked.
//!
//! On z/OS none of this is a parameter of Debug Manager: an AT-TLS policy says which ports have TLS and with which key ring, and
//! the stack speaks it. So all names here are ours. What the policy's sample has is kept: Debug Manager is the server on the
//! CLIENT port, and on the HUB port it is server as the primary and client as a secondary. There is no rule about a client's
//! certificate in it; that a partner in the hub must have one is ours.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dbm_protocol::file;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::words::Origin;

/// Certificate and key of this system, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// TLSCERT or HUBCERT: the certificate, and those up to the authority.
    pub cert: PathBuf,
    /// TLSKEY or HUBKEY: its private key.
    pub key: PathBuf,
}

/// CLIENTTLS=ON.
#[derive(Clone)]
pub struct ClientTls {
    /// TLSCERT and TLSKEY.
    pub identity: Identity,
    /// What TLS is spoken by.
    pub server: Arc<ServerConfig>,
}

/// HUBTLS=ON: both ends show a certificate.
#[derive(Clone)]
pub struct HubTls {
    /// HUBCERT and HUBKEY, or else TLSCERT and TLSKEY.
    pub identity: Identity,
    /// TLSCA: authorities whose certificates partners must have.
    pub ca: PathBuf,
    /// As the primary node.
    pub server: Arc<ServerConfig>,
    /// As a secondary node.
    pub client: Arc<ClientConfig>,
}

/// Paths only: what they lead to is nobody's business.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl fmt::Debug for HubTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubTls").field("identity", &self.identity).field("ca", &self.ca).finish_non_exhaustive()
    }
}

/// Looks a key up.
pub(super) type Look<'a> = &'a dyn Fn(&'static str) -> Option<(String, Origin)>;

/// The keys of a certificate and of its private key.
type Pair = (&'static str, &'static str);
const OWN: Pair = ("TLSCERT", "TLSKEY");
const HUB: Pair = ("HUBCERT", "HUBKEY");
const CA: &str = "TLSCA";

/// Reads the files of CLIENTTLS=ON; `on` is what it is set to, if that is right.
///
/// # Errors
/// One sentence.
pub(super) fn client(on: Option<bool>, look: Look<'_>) -> Result<Option<ClientTls>, String> {
    if on != Some(true) {
        return Ok(None);
    }
    let loaded = load(OWN, "CLIENTTLS=ON", look)?;
    let server = server(&loaded, None)?;
    Ok(Some(ClientTls { identity: loaded.identity, server }))
}

/// Reads the files of HUBTLS=ON.
///
/// # Errors
/// One sentence.
pub(super) fn hub(on: Option<bool>, look: Look<'_>) -> Result<Option<HubTls>, String> {
    if on != Some(true) {
        return Ok(None);
    }
    let has_its_own = look(HUB.0).is_some() || look(HUB.1).is_some();
    let loaded = load(if has_its_own { HUB } else { OWN }, "HUBTLS=ON", look)?;
    let (ca, origin) = given(CA, "authorities whose certificates partners in the hub must have", "HUBTLS=ON", look)?;
    let roots = Arc::new(authorities(&ca).map_err(|e| format!("{CA} ({origin}): {}: {e}", ca.display()))?);
    let server = server(&loaded, Some(roots.clone()))?;
    let client = dialler(&loaded, roots)?;
    Ok(Some(HubTls { identity: loaded.identity, ca, server, client }))
}

/// Files that nobody would look at.
pub(super) fn without_use(client: Option<bool>, hub: Option<bool>, look: Look<'_>) -> Vec<String> {
    let for_hub = [HUB.0, HUB.1, CA].into_iter().filter(|_| hub == Some(false)).map(|key| (key, "HUBTLS"));
    let none = (client, hub) == (Some(false), Some(false));
    let for_any = [OWN.0, OWN.1].into_iter().filter(|_| none).map(|key| (key, "CLIENTTLS"));
    let found = for_hub.chain(for_any).filter_map(|(key, switch)| {
        let (_, origin) = look(key)?;
        Some(format!("{key} ({origin}): {switch}=OFF was found, {switch}=ON was expected with it"))
    });
    found.collect()
}

/// A pair of files, read.
struct Loaded {
    identity: Identity,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// How the key was given, for messages.
    key_named: String,
}

fn load((cert_key, key_key): Pair, because: &str, look: Look<'_>) -> Result<Loaded, String> {
    let (cert, cert_origin) = given(cert_key, "the certificate of this system", because, look)?;
    let (key, key_origin) = given(key_key, "the private key of this system", because, look)?;
    let chain = certificates(&cert).map_err(|e| format!("{cert_key} ({cert_origin}): {}: {e}", cert.display()))?;
    let key_named = format!("{key_key} ({key_origin}): {}", key.display());
    let secret = private_key(&key).map_err(|e| format!("{key_named}: {e}"))?;
    Ok(Loaded { identity: Identity { cert, key }, chain, key: secret, key_named })
}

fn given(key: &'static str, what: &str, because: &str, look: Look<'_>) -> Result<(PathBuf, Origin), String> {
    look(key).map(|(text, origin)| (PathBuf::from(text), origin)).ok_or_else(|| {
        format!("{key}: nothing was found, a PEM file with {what} was expected, because {because} was found")
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let (bytes, _) = file::read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err("no certificate was found, -----BEGIN CERTIFICATE----- (PEM) was expected".to_owned()),
        Err(e) => Err(format!("certificates in PEM were expected: {e}")),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let (bytes, about) = file::read(path)?;
    is_private(&about, rustix::process::geteuid().as_raw())?;
    // The parser's own words might quote what it found, so they are not told.
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let encrypted = bytes.windows(9).any(|word| word == b"ENCRYPTED");
        let hint = if encrypted {
            "; one that is encrypted cannot be used, as nobody is there to give its password"
        } else {
            ""
        };
        format!("no private key was found, -----BEGIN PRIVATE KEY----- (PEM) was expected{hint}")
    })
}

/// Is a key's file nobody else's? The rule is that of PostgreSQL for its `ssl_key_file`: it is Debug Manager's own and for nobody
/// else, or it is root's and a group may read it. (So are the credentials that systemd gives a service.)
fn is_private(about: &Metadata, own: u32) -> Result<(), String> {
    let (owner, mode) = (about.uid(), about.mode() & 0o777);
    if owner != own && owner != 0 {
        return Err(format!("the file is that of user id {owner}, one of {own} or root was expected"));
    }
    let shared = if owner == 0 { 0o037 } else { 0o077 };
    if mode & shared != 0 {
        return Err(format!("others may read or change the key: mode {mode:03o} was found, 600 was expected"));
    }
    Ok(())
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|e| format!("the certificate of an authority was expected: {e}"))?;
    }
    Ok(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn failed(e: impl fmt::Display) -> String {
    format!("TLS: {e}")
}

/// One who takes connections; with `roots`, only from those who show a certificate of theirs.
fn server(loaded: &Loaded, roots: Option<Arc<RootCertStore>>) -> Result<Arc<ServerConfig>, String> {
    let begun =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(failed)?;
    let begun = match roots {
        None => begun.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            begun.with_client_cert_verifier(verifier.map_err(failed)?)
        }
    };
    let done = begun.with_single_cert(loaded.chain.clone(), loaded.key.clone_key());
    let mut config = done.map_err(|e| not_a_pair(loaded, &e))?;
    // Every connection proves itself anew: nothing of one that was is kept to make the next one shorter.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn dialler(loaded: &Loaded, roots: Arc<RootCertStore>) -> Result<Arc<ClientConfig>, String> {
    let begun =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(failed)?;
    let begun = begun.with_root_certificates(roots);
    let done = begun.with_client_auth_cert(loaded.chain.clone(), loaded.key.clone_key());
    let mut config = done.map_err(|e| not_a_pair(loaded, &e))?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn not_a_pair(loaded: &Loaded, e: &rustls::Error) -> String {
    let cert = loaded.identity.cert.display();
    format!("{}: the private key of the certificate in {cert} was expected: {e}", loaded.key_named)
}
