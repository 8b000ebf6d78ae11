//! Where a call comes from and where it goes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::Config;

/// Source ports, `FIRST-LAST`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// The port of this call: one after the other from the first to the last, and round again. Calls are numbered from 1.
    pub fn of(self, number: u32) -> u16 {
        let ports = u32::from(self.last - self.first) + 1;
        let offset = number.saturating_sub(1) % ports;
        self.first + u16::try_from(offset).unwrap_or(0)
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        match ends {
            Some((first, last)) if 0 < first && first <= last => Ok(Self { first, last }),
            _ => Err(format!("found `{text}`, expected FIRST-LAST with ports from 1 to 65535, FIRST not above LAST")),
        }
    }
}

impl Config {
    /// Where this call goes, and what it binds to before that, if anything.
    pub(super) fn ends(&self, number: u32) -> Option<(SocketAddr, Option<SocketAddr>)> {
        let round = (number.saturating_sub(1) as usize).checked_rem(self.to.len())?;
        let to = *self.to.get(round)?;
        let port = self.source_ports.map(|ports| ports.of(number));
        let from = match (self.from, port) {
            (None, None) => None,
            (Some(address), port) => Some(SocketAddr::new(address, port.unwrap_or(0))),
            (None, Some(port)) => Some(SocketAddr::new(any_like(to.ip()), port)),
        };
        Some((to, from))
    }
}

fn any_like(address: IpAddr) -> IpAddr {
    if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Then;
    use super::*;

    fn config(to: &[&str], from: Option<&str>, source_ports: Option<&str>) -> Config {
        Config {
            name: "A".to_owned(),
            to: to.iter().map(|to| to.parse().expect("address")).collect(),
            count: 9,
            parallel: 1,
            limit: Duration::from_secs(1),
            from: from.map(|from| from.parse().expect("address")),
            source_ports: source_ports.map(|ports| ports.parse().expect("ports")),
            then: Then::Leave,
        }
    }

    fn ends(config: &Config, number: u32) -> (String, String) {
        let (to, from) = config.ends(number).expect("some address");
        (to.to_string(), from.map_or_else(String::new, |from| from.to_string()))
    }

    #[test]
    fn addresses_and_ports_go_round() {
        let both = config(&["10.0.0.1:4", "[fd00::1]:4"], None, Some("7-9"));
        for (number, to, from) in [
            (1, "10.0.0.1:4", "0.0.0.0:7"),
            (2, "[fd00::1]:4", "[::]:8"),
            (3, "10.0.0.1:4", "0.0.0.0:9"),
            (4, "[fd00::1]:4", "[::]:7"),
        ] {
            assert_eq!(ends(&both, number), (to.to_owned(), from.to_owned()));
        }
    }

    #[test]
    fn a_call_binds_only_to_what_was_asked_for() {
        for (from, ports, bound) in [
            (None, None, ""),
            (Some("10.0.0.9"), None, "10.0.0.9:0"),
            (Some("10.0.0.9"), Some("65535-65535"), "10.0.0.9:65535"),
        ] {
            assert_eq!(ends(&config(&["10.0.0.1:4"], from, ports), 60_000).1, bound);
        }
        assert_eq!(config(&[], None, None).ends(1), None);
    }

    #[test]
    fn a_wrong_range_is_refused() {
        for text in ["", "7", "9-7", "0-7", "7-65536", "a-b", "-7", "1-2-3"] {
            let reason = text.parse::<PortRange>().expect_err("wrong");
            assert!(reason.contains(&format!("found `{text}`")), "{reason}");
        }
        assert_eq!("1-65535".parse::<PortRange>().expect("right").of(65_536), 1);
    }
}
