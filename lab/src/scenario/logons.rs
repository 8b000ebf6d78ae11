//! Steps about logons: many at the same moment, where users are, and the structure that their second ports come from.

use std::collections::BTreeMap;

use serde::Deserialize;
use sysplex::LparIndex;
use sysplex::raw::Spanned;

use super::Logon;
use super::acts::Act;
use super::resolve::Resolver;

/// Most users of one step. Ours: each is a process.
const MOST_USERS: usize = 64;

/// `logons`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogons {
    users: Vec<Spanned<String>>,
    from: Spanned<String>,
    via: Option<Spanned<String>>,
}

/// `users`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUsers {
    on: BTreeMap<Spanned<String>, Spanned<u32>>,
}

impl Resolver<'_> {
    pub(super) fn logons(&mut self, written: &Spanned<RawLogons>) -> Option<Vec<Logon>> {
        let (span, logons) = (written.span(), written.get_ref());
        if logons.users.is_empty() || logons.users.len() > MOST_USERS {
            let message = format!("logons of {} users: expected 1 to {MOST_USERS}", logons.users.len());
            self.problem(span.clone(), message, None);
            return None;
        }
        let from = self.workstation(&logons.from)?;
        let via = self.via(logons.via.as_ref(), span)?;
        let mut all = Vec::new();
        for name in &logons.users {
            let user = self.mvs_name(name, "user id")?;
            if self.users.contains(&user) {
                let message = format!("`{user}` logs on before, or twice: expected another user");
                self.problem(name.span(), message, None);
            }
            self.users.push(user.clone());
            all.push(Logon {
                user,
                from: from.clone(),
                via,
                on: None,
                encrypted_first: false,
                keep_token: false,
                tls: false,
            });
        }
        Some(all)
    }

    pub(super) fn users(&mut self, written: &Spanned<RawUsers>) -> Option<BTreeMap<LparIndex, u32>> {
        let on = &written.get_ref().on;
        if on.is_empty() {
            let message = "users on no LPAR: expected such as `on = { LPAR1 = 2, LPAR2 = 2 }`";
            self.problem(written.span(), message.into(), None);
            return None;
        }
        on.iter().map(|(name, count)| Some((self.lpar_index(name)?, *count.get_ref()))).collect()
    }

    pub(super) fn ezbeport(&mut self, word: &Spanned<String>) -> Option<Act> {
        let there = self.one_of(word, "state of the structure", &["lost", "there"])? == "there";
        if !self.sysplex.dvipas.iter().any(|dvipa| dvipa.sysplexports) {
            let message =
                "no DVIPA here has SYSPLEXPORTS in effect, and nothing else uses EZBEPORT: expected one that has";
            self.problem(word.span(), message.into(), None);
        }
        Some(Act::Ezbeport { there })
    }
}
