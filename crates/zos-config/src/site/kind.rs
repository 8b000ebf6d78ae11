//! What a member is: JCL by how it begins; others by their name where that says it, else by how they begin.

use crate::profile;
use crate::source::Member;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// PROFILE.TCPIP, or what one includes.
    Profile,
    /// JCL: a procedure or a job.
    Jcl,
    /// IEASYMxx.
    IeaSym,
    /// rse.env.
    RseEnv,
    /// None of these.
    Other,
}

/// The kind of a member.
pub(super) fn of(member: &Member) -> Kind {
    let mut lines = member.lines().map(|line| line.text.trim()).filter(|line| !line.is_empty());
    let begin = lines.find(|line| !line.starts_with([';', '#'])).unwrap_or_default();
    if begin.starts_with("//") {
        return Kind::Jcl;
    }
    let file = member.name.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
    if file.starts_with("IEASYM") {
        return Kind::IeaSym;
    }
    if ["RSE.ENV", "RSED.ENVVARS", "RSEENV"].iter().any(|name| file.starts_with(name)) {
        return Kind::RseEnv;
    }
    let first = begin.split_whitespace().next().unwrap_or_default();
    if first == "SYSDEF" {
        Kind::IeaSym
    } else if begin.starts_with("_RSE_") {
        Kind::RseEnv
    } else if file.contains("PROF") || profile::is_statement(first) {
        Kind::Profile
    } else {
        Kind::Other
    }
}
