//! Firewalls between workstations and the sysplex: as a site has them, and as faults of scenarios put them there.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::Diagnostic;
use crate::names::{cut, did_you_mean};
use crate::ports::port_or_range;
use crate::raw::{FirewallTable, Value};

/// A firewall for TCP. It looks at packets, whoever has made the connection that they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// The hosts whose packets it looks at.
    pub from: Vec<String>,
    /// The addresses that it guards; when there is none, all.
    pub to: Vec<IpAddr>,
    /// Ports, first and last.
    pub ports: Vec<RangeInclusive<u16>>,
    /// The ports are those that are let through; else those that are not.
    pub allows: bool,
    /// What becomes of a packet that is not let through.
    pub denial: Denial,
}

/// What a firewall does to a packet that it does not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// It is dropped: whoever dials waits.
    Drop,
    /// It is answered with a TCP reset: whoever dials is refused.
    Reset,
    /// It is answered with ICMP "administratively prohibited": whoever dials has no route.
    Prohibited,
}

impl Firewall {
    /// A port that it does not let through; nothing when it lets everything through.
    pub fn denied_port(&self) -> Option<u16> {
        if !self.allows {
            return self.ports.first().map(|range| *range.start());
        }
        (1..=u16::MAX).find(|port| !self.ports.iter().any(|range| range.contains(port)))
    }
}

impl fmt::Display for Firewall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        let ports = self.ports.iter().map(range).collect::<Vec<_>>().join(", ");
        let does = match self.denial {
            Denial::Drop => "drops",
            Denial::Reset => "resets",
            Denial::Prohibited => "prohibits",
        };
        let but = if self.allows { "all ports but " } else { "port " };
        write!(f, "a firewall {does} what {} say to {but}{ports}", self.from.join(", "))?;
        match self.to.as_slice() {
            [] => Ok(()),
            to => write!(f, " of {}", to.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl FirewallTable {
    /// Reads the table. `hosts` are all that there are, `workstations` those that are meant when it does not say.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, hosts: &[&str], workstations: &[&str]) -> Result<Firewall, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let from = self.from.as_ref().map_or_else(
            || workstations.iter().map(|&name| name.to_owned()).collect(),
            |from| names(from, hosts, &mut problems),
        );
        let to = self.to.as_ref().map(|to| addresses(to, &mut problems)).unwrap_or_default();
        let lists = [
            (&self.allow, true, Denial::Drop),
            (&self.drop, false, Denial::Drop),
            (&self.reject, false, Denial::Reset),
        ];
        let given: Vec<_> =
            lists.into_iter().filter_map(|(ports, allows, denial)| Some((ports.as_ref()?, allows, denial))).collect();
        let [(written, allows, denial)] = given.as_slice() else {
            let span = given.get(1).map_or(0..0, |(ports, ..)| ports.span());
            let message = format!(
                "a firewall with {} of `allow`, `drop` and `reject`: expected exactly one of them",
                given.len()
            );
            problems.push(Diagnostic::new(span, message));
            return Err(problems);
        };
        let ports = ranges(written, &mut problems);
        let denial = match (&self.with, denial) {
            (None, denial) => *denial,
            (Some(with), Denial::Drop) if !allows => {
                problems
                    .push(Diagnostic::new(with.span(), "`with` beside `drop`: expected it beside `reject` or `allow`"));
                Denial::Drop
            }
            (Some(with), _) => how(with, &mut problems),
        };
        if problems.is_empty() { Ok(Firewall { from, to, ports, allows: *allows, denial }) } else { Err(problems) }
    }
}

fn names(from: &Spanned<crate::raw::Names>, hosts: &[&str], problems: &mut Vec<Diagnostic>) -> Vec<String> {
    for name in from.get_ref().0.iter().filter(|name| !hosts.contains(&name.as_str())) {
        let message = format!("no host is named `{}`: expected one of {}", cut(name), cut(&hosts.join(", ")));
        problems.push(Diagnostic::new(from.span(), message).with_help(did_you_mean(name, hosts.iter().copied())));
    }
    if from.get_ref().0.is_empty() {
        problems.push(Diagnostic::new(from.span(), "a firewall for nobody: expected names of workstations"));
    }
    from.get_ref().0.clone()
}

fn addresses(to: &Spanned<crate::raw::Names>, problems: &mut Vec<Diagnostic>) -> Vec<IpAddr> {
    let read = |text: &String| {
        let address = text.parse();
        if address.is_err() {
            let message = format!("`{}` is no address: expected such as 10.10.10.1", cut(text));
            problems.push(Diagnostic::new(to.span(), message));
        }
        address.ok()
    };
    to.get_ref().0.iter().filter_map(read).collect()
}

fn ranges(written: &Spanned<Vec<Spanned<Value>>>, problems: &mut Vec<Diagnostic>) -> Vec<RangeInclusive<u16>> {
    if written.get_ref().is_empty() {
        problems.push(Diagnostic::new(written.span(), "no ports: expected such as [4035, \"8108-8117\"]"));
    }
    let mut ports = Vec::new();
    for value in written.get_ref() {
        match port_or_range(&value.get_ref().0) {
            Ok(range) => ports.push(range),
            Err(message) => problems.push(Diagnostic::new(value.span(), message)),
        }
    }
    ports
}

fn how(with: &Spanned<String>, problems: &mut Vec<Diagnostic>) -> Denial {
    match with.get_ref().as_str() {
        "reset" => Denial::Reset,
        "icmp" => Denial::Prohibited,
        other => {
            let message = format!("`{}` is no answer of a firewall: expected reset or icmp", cut(other));
            problems.push(Diagnostic::new(with.span(), message).with_help(did_you_mean(other, ["reset", "icmp"])));
            Denial::Drop
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Firewall, Vec<String>> {
        let table: FirewallTable = toml::from_str(text).map_err(|e| vec![e.message().to_owned()])?;
        let problems = |all: Vec<Diagnostic>| all.into_iter().map(|one| one.message).collect();
        table.read(&["LPAR1", "WS1", "WS2"], &["WS1", "WS2"]).map_err(problems)
    }

    #[test]
    fn what_a_site_would_write() {
        let only = read("allow = [4035, \"8108-8117\"]").expect("right");
        assert_eq!((only.from.len(), only.allows, only.denial), (2, true, Denial::Drop), "all workstations");
        assert_eq!(only.denied_port(), Some(1));
        let not = read("from = \"WS1\"\nto = \"10.10.10.1\"\nreject = [5335]\nwith = \"icmp\"").expect("right");
        assert_eq!(
            (not.from.as_slice(), not.denial, not.denied_port()),
            (&["WS1".to_owned()][..], Denial::Prohibited, Some(5335))
        );
        assert_eq!(not.to_string(), "a firewall prohibits what WS1 say to port 5335 of 10.10.10.1");
        assert_eq!(read("reject = [5335]").expect("right").denial, Denial::Reset);
        assert_eq!(read("allow = [\"1-65535\"]").expect("right").denied_port(), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("from = \"WS1\"", "0 of `allow`, `drop` and `reject`"),
            ("allow = [1]\ndrop = [2]", "2 of `allow`"),
            ("from = \"WS3\"\ndrop = [1]", "no host is named `WS3`: expected one of LPAR1, WS1, WS2"),
            ("from = []\ndrop = [1]", "for nobody"),
            ("drop = []", "no ports"),
            ("drop = [0]", "`0` is not a port"),
            ("drop = [1]\nwith = \"reset\"", "`with` beside `drop`"),
            ("reject = [1]\nwith = \"rest\"", "no answer of a firewall"),
            ("to = \"here\"\ndrop = [1]", "`here` is no address"),
            ("deny = [1]", "unknown field `deny`"),
        ] {
            let problems = read(text).expect_err(text);
            assert!(problems.iter().any(|problem| problem.contains(part)), "no `{part}` in {problems:?}");
        }
    }
}
