//! PROFILE.TCPIP of an LPAR.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::Ipv4Net;
use sysplex::raw::{BackupTable, DistributeTable, DvipaTable, Value};
use sysplex::{Lpar, Method, Sysplex};

use super::Source;

/// Where a line is broken.
const WIDTH: usize = 71;

pub(super) fn write(source: &Source<'_>, lpar: &Lpar) -> String {
    let sysplex = source.sysplex;
    let mut text = format!("; PROFILE.TCPIP of {}\nIPCONFIG SYSPLEXROUTING\n", lpar.name);
    let _ = writeln!(text, "         DYNAMICXCF {} {} 1", lpar.xcf, sysplex.xcf.netmask());
    let _ = writeln!(text, "INTERFACE OSA4 DEFINE IPAQENET PORTNAME OSAP");
    let _ = writeln!(text, "          IPADDR {}/{}", lpar.home, sysplex.lan.prefix_len());
    let table = &source.topology.sysplex;
    if sysplex.has_ipv6() || table.lan6.is_some() || table.xcf6.is_some() {
        let _ = writeln!(text, "IPCONFIG6 DYNAMICXCF {}/{}", lpar.xcf6, sysplex.xcf6.prefix_len());
        let _ = writeln!(text, "INTERFACE OSA6 DEFINE IPAQENET6 PORTNAME OSAP");
        let _ = writeln!(text, "          IPADDR {}/{}", lpar.home6, sysplex.lan6.prefix_len());
    }
    stack(&mut text, lpar);
    text.push_str("VIPADYNAMIC\n");
    for (position, table) in source.topology.dvipa.iter().enumerate() {
        let Ok(address) = table.address.get_ref().parse() else { continue };
        Dvipa { sysplex, lpar, table, address, interface: format!("DVIPA{position}") }.write(&mut text);
    }
    for (dynxcf, target) in &sysplex.viparoutes {
        statement(&mut text, &format!("VIPAROUTE DEFINE {dynxcf} {target}"));
    }
    text.push_str("ENDVIPADYNAMIC\n");
    text
}

/// PORT reservations and GLOBALCONFIG, as far as the topology has them.
fn stack(text: &mut String, lpar: &Lpar) {
    if !lpar.stack.adjusts_dvipa_mss {
        text.push_str("GLOBALCONFIG ADJUSTDVIPAMSS NONE\n");
    }
    let ports: BTreeSet<u16> = lpar.stack.binds.keys().chain(&lpar.stack.shareports).copied().collect();
    for port in ports {
        let shared = if lpar.stack.shareports.contains(&port) { " SHAREPORT" } else { "" };
        let bind = lpar.stack.binds.get(&port).map(|address| format!(" BIND {address}")).unwrap_or_default();
        let _ = writeln!(text, "PORT {port} TCP *{shared}{bind}");
    }
}

/// Writes a statement; long ones go on in the next record.
fn statement(text: &mut String, words: &str) {
    let mut line = " ".to_owned();
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH && !line.trim().is_empty() {
            text.push_str(&line);
            text.push('\n');
            line = "    ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

struct Dvipa<'t> {
    sysplex: &'t Sysplex,
    lpar: &'t Lpar,
    table: &'t DvipaTable,
    address: IpAddr,
    /// The interface's name, which an IPv6 DVIPA has.
    interface: String,
}

impl Dvipa<'_> {
    fn write(&self, text: &mut String) {
        if *self.table.owner.get_ref() == self.lpar.name {
            let moveable = self.table.moveable.as_ref().map(|word| format!("MOVEABLE {}", word.get_ref()));
            statement(text, &format!("VIPADEFINE {} {}", moveable.unwrap_or_default(), self.with_mask(true)));
            for table in &self.table.distribute {
                statement(text, &self.distribute(table));
            }
        }
        if self.table.backups.iter().any(|name| *name.get_ref() == self.lpar.name) {
            statement(text, &format!("VIPABACKUP {}", self.with_mask(false)));
        }
        for backup in self.table.backup.iter().filter(|backup| *backup.lpar.get_ref() == self.lpar.name) {
            statement(text, &self.backup(backup));
        }
    }

    /// `mask address`, or `interface address` for IPv6.
    fn with_mask(&self, mask: bool) -> String {
        let lan: Ipv4Net = self.sysplex.lan;
        match self.address {
            IpAddr::V4(address) if mask => format!("{} {address}", lan.netmask()),
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("{} {address}", self.interface),
        }
    }

    fn backup(&self, backup: &BackupTable) -> String {
        let rank = backup.rank.as_ref().map_or_else(String::new, |rank| rank.get_ref().to_string());
        match &backup.moveable {
            Some(word) => format!("VIPABACKUP {rank} MOVEABLE {} {}", word.get_ref(), self.with_mask(true)),
            None => format!("VIPABACKUP {rank} {}", self.with_mask(false)),
        }
    }

    fn distribute(&self, table: &DistributeTable) -> String {
        let mut words = vec!["VIPADISTRIBUTE".to_owned()];
        words.push(table.action.as_ref().map_or_else(|| "DEFINE".to_owned(), |action| action.get_ref().clone()));
        if table.sysplexports {
            words.push("SYSPLEXPORTS".to_owned());
        }
        words.extend(table.method.as_ref().map(|method| format!("DISTMETHOD {}", method.get_ref())));
        words.extend(
            table
                .autoswitchback
                .as_ref()
                .map(|switch| if *switch.get_ref() { "AUTOSWITCHBACK" } else { "NOAUTOSWITCHBACK" }.to_owned()),
        );
        words.extend(table.optlocal.as_ref().map(|value| format!("OPTLOCAL {}", value.get_ref())));
        words.extend(table.timed_affinity.as_ref().map(|time| {
            let time = humantime::parse_duration(time.get_ref()).unwrap_or(Duration::ZERO);
            format!("TIMEDAFFINITY {}", time.as_secs())
        }));
        words.push(if self.address.is_ipv4() { self.address.to_string() } else { self.interface.clone() });
        if let Some(ports) = &table.ports {
            words.push("PORT".to_owned());
            words.extend(ports.get_ref().iter().map(|port| self.port(port.get_ref())));
        }
        words.push("DESTIP".to_owned());
        words.extend(self.targets(table));
        words.join(" ")
    }

    /// As it is written, symbols and all, unless blanks would make several words of it.
    fn port(&self, port: &Value) -> String {
        let resolved = self.lpar.symbols.expand(&port.0).map_or_else(|_| port.0.clone(), |expansion| expansion.text);
        if resolved.contains(char::is_whitespace) || port.0.contains(char::is_whitespace) {
            return resolved.split_whitespace().collect();
        }
        port.0.clone()
    }

    fn targets(&self, table: &DistributeTable) -> Vec<String> {
        let names: Vec<&str> = table.targets.get_ref().iter().map(|name| name.get_ref().as_str()).collect();
        let all: Vec<&str> = self.sysplex.lpars.iter().map(|lpar| lpar.name.as_str()).collect();
        // Weights are told target by target.
        let names = match (names.as_slice(), &table.weights) {
            (["ALL"], None) => return vec!["ALL".to_owned()],
            (["ALL"], Some(_)) => all,
            _ => names,
        };
        let is_hot = table.method.as_ref().is_some_and(|method| method.get_ref() == HOTSTANDBY.as_str());
        let xcf = |name: &str| {
            self.sysplex
                .lpar_named(name)
                .map(|lpar| if self.address.is_ipv4() { IpAddr::from(lpar.xcf) } else { lpar.xcf6.into() })
        };
        let option = |position: usize, name: &str| match (&table.weights, &table.preferred) {
            (Some(weights), _) => weights.get_ref().get(position).map(|weight| format!(" WEIGHT {}", weight.get_ref())),
            (None, Some(preferred)) if preferred.get_ref() == name => Some(" PREFERRED".to_owned()),
            _ if is_hot => Some(" BACKUP".to_owned()),
            _ => None,
        };
        let words = names.into_iter().enumerate().filter_map(|(position, name)| {
            Some(format!("{}{}", xcf(name)?, option(position, name).unwrap_or_default()))
        });
        words.collect()
    }
}

const HOTSTANDBY: Method = Method::HotStandby { autoswitchback: true };
