//! A sysplex of any size without a topology file, for benchmarks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::dvipa::{Distribute, Dvipa, Method, Moveable, NoTarget, Ports, Target};
use crate::model::{LARGEST_SYSPLEX, Lpar, LparIndex, StartedTask, Sysplex, Workstation};
use crate::resolve::share_ephemeral_ports;
use crate::stack::Stack;
use crate::symbols::Symbols;

/// CLIENT ports start here: away from HOST 5336 and HUBPORT 5337.
const FIRST_CLIENT: u16 = 5401;

impl Sysplex {
    /// `n` LPARs that differ in nothing but name, addresses and CLIENT port (5401 and on), a DVIPA 10.10.10.1 owned by the
    /// first and distributing 4035 and every CLIENT port to all, the hub on the first, and one workstation.
    ///
    /// # Panics
    /// When `n` is not 1 to [`LARGEST_SYSPLEX`].
    pub fn uniform(n: u32) -> Self {
        assert!((1..=LARGEST_SYSPLEX).contains(&n), "a sysplex has 1 to {LARGEST_SYSPLEX} LPARs, not {n}");
        let name = "LABPLEX";
        let mut lpars: Vec<Lpar> = (1..=n).filter_map(LparIndex::new).map(|index| lpar(index, name)).collect();
        let mut ports = vec![4035];
        ports.extend(lpars.iter().flat_map(|lpar| &lpar.tasks).filter_map(|task| match task {
            StartedTask::DebugManager { client, .. } => Some(*client),
            StartedTask::Rsed { .. }
            | StartedTask::Server { .. }
            | StartedTask::WrongParm { .. }
            | StartedTask::Command { .. } => None,
        }));
        let target = |lpar: &Lpar| Target { lpar: lpar.index, weight: 10, preferred: false };
        let targets = lpars.iter().map(target).collect();
        let dvipas = vec![Dvipa {
            address: Ipv4Addr::new(10, 10, 10, 1).into(),
            owner: LparIndex::at(0),
            moveable: Moveable::Immediate,
            backups: Vec::new(),
            no_target: NoTarget::Reset,
            distribute: vec![Distribute {
                ports: Ports::Listed(ports),
                method: Method::RoundRobin,
                targets,
                sysplexports: true,
                timed_affinity: Duration::ZERO,
                optlocal: None,
            }],
            sysplexports: true,
        }];
        share_ephemeral_ports(&mut lpars, &dvipas);
        Self {
            name: name.to_owned(),
            lan: Ipv4Net::new_assert(Ipv4Addr::new(10, 10, 10, 0), 24),
            xcf: Ipv4Net::new_assert(Ipv4Addr::new(9, 9, 9, 0), 24),
            lan6: Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0), 64),
            xcf6: Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x9, 0, 0, 0, 0, 0, 0), 64),
            lpars,
            dvipas,
            viparoutes: BTreeMap::new(),
            workstations: vec![Workstation {
                name: "WS1".to_owned(),
                address: Ipv4Addr::new(10, 10, 10, 101),
                address6: Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 101),
            }],
            firewalls: Vec::new(),
            defects: BTreeSet::new(),
        }
    }
}

fn lpar(index: LparIndex, sysplex: &str) -> Lpar {
    // At most 32, so every sum below stays in its type and its segment.
    let number = u8::try_from(index.get()).unwrap_or(u8::MAX);
    let name = format!("LPAR{number}");
    let mut symbols = Symbols::default();
    symbols.set("SYSNAME", name.clone());
    symbols.set("SYSPLEX", sysplex);
    symbols.set("SYSCLONE", name[name.len() - 2..].to_owned());
    let hub = SocketAddrV4::new(Ipv4Addr::new(9, 9, 9, 1), 5337);
    let client = FIRST_CLIENT + u16::from(number) - 1;
    Lpar {
        index,
        home: Ipv4Addr::new(10, 10, 10, 10 + number),
        xcf: Ipv4Addr::new(9, 9, 9, number),
        home6: Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 10 + u16::from(number)),
        xcf6: Ipv6Addr::new(0xfd00, 0x9, 0, 0, 0, 0, 0, u16::from(number)),
        wlm: 1,
        server_wlm: BTreeMap::new(),
        symbols,
        ephemeral: 0..=0,
        tasks: vec![
            StartedTask::DebugManager {
                name: "DBGMGR".to_owned(),
                client,
                host: 5336,
                hub: Some(hub),
                wait: None,
                prm: Vec::new(),
                tls: false,
            },
            StartedTask::Rsed { name: "RSED".to_owned(), port: 4035, port_range: None },
        ],
        stack: Stack::default(),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_sound() {
        for n in 1..=LARGEST_SYSPLEX {
            let sysplex = Sysplex::uniform(n);
            assert_eq!(sysplex.lpars.len(), n as usize);
            for (one, next) in sysplex.lpars.iter().zip(&sysplex.lpars[1..]) {
                assert!(one.ephemeral.end() < next.ephemeral.start(), "{one:?} and {next:?}");
            }
            assert!(sysplex.lpars.iter().all(|lpar| *lpar.ephemeral.end() <= 60999));
        }
    }

    #[test]
    fn it_is_what_a_topology_file_would_give() {
        let from_file = Sysplex::from_toml(
            r#"
            [[lpar]]
            name = "LPAR1"
            symbols = { EQADBM = 5401 }
            [[lpar]]
            name = "LPAR2"
            symbols = { EQADBM = 5402 }
            [[dvipa]]
            address = "10.10.10.1"
            owner = "LPAR1"
            [[dvipa.distribute]]
            ports = [4035, "5401-5402"]
            method = "ROUNDROBIN"
            targets = ["ALL"]
            sysplexports = true
            [[started_task]]
            name = "DBGMGR"
            program = "dbgmgr"
            client = "&EQADBM"
            hubip = "9.9.9.1"
            [[started_task]]
            name = "RSED"
            program = "rsed"
            [[workstation]]
            name = "WS1"
            "#,
        );
        let mut uniform = Sysplex::uniform(2);
        for (lpar, port) in uniform.lpars.iter_mut().zip(["5401", "5402"]) {
            lpar.symbols.set("EQADBM", port);
        }
        assert_eq!(from_file, Ok(uniform));
    }
}
