//! rse.env (rsed.envvars before z/OS Explorer): shell-like `KEY=VALUE` lines, `#` begins a comment line, no blanks around the
//! equal sign. Symbols of z/OS are not resolved in it: it is a z/OS UNIX file.

use std::collections::BTreeMap;

use crate::report::{NoteKind, Problem, Report, cut};
use crate::source::{MemberId, Members, Place, Placed};

/// The variables of an rse.env; of several with one name the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RseEnv(BTreeMap<String, Placed<String>>);

impl RseEnv {
    /// Reads a member.
    pub fn read(members: &Members, id: MemberId, report: &mut Report) -> Self {
        let mut found = BTreeMap::new();
        for line in members.get(id).lines() {
            let text = line.text.trim();
            let place = Members::place(id, line.start..line.start + line.text.len());
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let assignment = text.strip_prefix("export ").unwrap_or(text);
            let is_key = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            match assignment.split_once('=') {
                Some((key, value)) if is_key(key) => {
                    drop(found.insert(key.to_owned(), Placed::new(unquoted(value), place)));
                }
                // `KEY = value` would be a command to the shell.
                _ if assignment.starts_with("_RSE") => {
                    let message = format!("`{}` is no KEY=VALUE: expected no blank around the equal sign", cut(text));
                    report.problems.push(Problem::new(place, message));
                }
                _ => report.note(NoteKind::PassedOver, place, format!("`{}` is no KEY=VALUE", cut(text))),
            }
        }
        Self(found)
    }

    /// A variable.
    pub fn get(&self, key: &str) -> Option<&Placed<String>> {
        self.0.get(key)
    }

    /// All names with their places.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Place)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.place))
    }
}

/// Without quotation marks, and without a comment behind a blank.
fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.to_owned();
        }
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_comments_and_quotation_marks() {
        let text = "# rse.env\n_RSE_PORTRANGE=8108-8118\n#_RSE_X=1\nexport TZ=\"EST5EDT\" # zone\nif true\n_RSE_JAVAOPTS=\"$_RSE_JAVAOPTS -Da=b\"\n";
        let mut members = Members::default();
        let id = members.add("rse.env", text.as_bytes()).expect("small");
        let mut report = Report::default();
        let env = RseEnv::read(&members, id, &mut report);
        assert_eq!(env.get("_RSE_PORTRANGE").map(|v| v.value.as_str()), Some("8108-8118"));
        assert_eq!(env.get("TZ").map(|v| v.value.as_str()), Some("EST5EDT"));
        assert_eq!(env.get("_RSE_X"), None);
        assert_eq!((report.problems.len(), report.notes.len()), (0, 1), "{report:?}");
        let id = members.add("b", b"_RSE_PORTRANGE = 8108-8118\n").expect("small");
        RseEnv::read(&members, id, &mut report);
        assert_eq!(report.problems.len(), 1);
    }
}
