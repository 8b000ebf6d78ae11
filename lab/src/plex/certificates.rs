//! Certificates for a sysplex that runs: an authority that lives as long as the lab, and what it issues.
//!
//! On z/OS AT-TLS has them in a key ring. Here Debug Manager speaks TLS itself and wants files, and these are only to be in its own
//! LPAR's `/run`; so they are written by a shell that becomes the task. The private key comes on its standard input.

use std::fmt;
use std::io::{self, PipeWriter, Write};
use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sysplex::Sysplex;

/// Certificate and key of Debug Manager, in its LPAR.
const OWN: &str = "/run/dbgmgr.pem";
/// The authority's certificate, on a workstation.
const CA: &str = "/run/ca.pem";

/// Those of one sysplex, made when they are needed first; shared by all clones.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedCertificates(Arc<OnceLock<Certificates>>);

impl SharedCertificates {
    /// They are there from now on.
    pub(super) fn of(&self, sysplex: &Sysplex) -> io::Result<&Certificates> {
        if let Some(made) = self.0.get() {
            return Ok(made);
        }
        let made = Certificates::new(sysplex)?;
        Ok(self.0.get_or_init(|| made))
    }
}

/// See the module.
pub(super) struct Certificates {
    /// Certificate of the authority.
    ca: String,
    /// Certificate and private key of all Debug Managers: clients reach them at the same addresses.
    own: String,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// An authority, and a certificate for all addresses at which a Debug Manager of the sysplex can be dialled.
    pub(super) fn new(sysplex: &Sysplex) -> io::Result<Self> {
        let dvipas = sysplex.dvipas.iter().map(|dvipa| dvipa.address.to_string());
        let homes = sysplex.lpars.iter().map(|lpar| lpar.home.to_string());
        Self::issue(&sysplex.name, dvipas.chain(homes).collect()).map_err(io::Error::other)
    }

    fn issue(sysplex: &str, addresses: Vec<String>) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, sysplex);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let own = CertificateParams::new(addresses)?.signed_by(&key, &authority)?;
        Ok(Self { ca: authority.pem(), own: own.pem() + &key.serialize_pem() })
    }

    /// The command line of a Debug Manager with TLS on its CLIENT port, which gets what it needs by [`Self::give`].
    pub(super) fn debug_manager(&self, argv: Vec<String>) -> Vec<String> {
        let script = format!(r#"umask 077 && cat >{OWN} && exec "$0" "$@" </dev/null"#);
        let tls = ["CLIENTTLS=ON".to_owned(), format!("TLSCERT={OWN}"), format!("TLSKEY={OWN}")];
        ["/bin/sh".to_owned(), "-c".to_owned(), script].into_iter().chain(argv).chain(tls).collect()
    }

    /// Gives certificate and key to a task, and ends its standard input. They fit in a pipe, so this waits for nobody.
    pub(super) fn give(&self, stdin: Option<PipeWriter>) -> io::Result<()> {
        stdin.map_or(Ok(()), |mut stdin| stdin.write_all(self.own.as_bytes()))
    }

    /// The command line of a client that debugs with TLS.
    pub(super) fn client(&self, argv: Vec<String>) -> Vec<String> {
        let script = format!(r#"printf %s "$0" >{CA} && exec "$@" --tls-ca {CA}"#);
        ["/bin/sh".to_owned(), "-c".to_owned(), script, self.ca.clone()].into_iter().chain(argv).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_key_is_in_no_command_line() {
        let made = Certificates::new(&Sysplex::uniform(2)).expect("certificates");
        assert!(made.own.contains("PRIVATE KEY") && !made.ca.contains("PRIVATE KEY"));
        let lines = [made.debug_manager(vec!["dbgmgr".to_owned()]), made.client(vec!["client-stub".to_owned()])];
        for line in lines.concat() {
            assert!(!line.contains("PRIVATE KEY"), "{line}");
        }
        assert!(!format!("{made:?}").contains("KEY"));
    }
}
