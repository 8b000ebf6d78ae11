//! Reads `ipset save` and `iptables-save`: from the sets the VCRT and the affinities, from both the VDPT.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use sysplex::LparIndex;

use super::IPSET;
use super::family::Family;
use super::pick::TURN;
use super::rounds::ROUND;
use super::shared::RANGES;
use crate::{Affinity, ReadError, Tables, VcrtEntry, VdptEntry};

/// What the rules are read from, of both families.
const SAVE: &str = "iptables-save";

/// A target of a port in the kernel.
type Target = (SocketAddr, LparIndex);
/// The key of an element: an address, a port, another address.
type Key = (IpAddr, u16, IpAddr);

/// What has numbers that stand in binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    /// The targets of connections to a distributed port.
    Port(u16),
    /// The targets of affinities.
    Affinity,
    /// The ports of connections by SYSPLEXPORTS.
    Range,
}

/// A set, by its name.
enum Set {
    Elements(Home),
    Bit(Home, u32),
    Total(LparIndex),
    Ready(LparIndex),
}

impl Set {
    /// The set of that name; none when there is nothing to read in it.
    fn named(name: &str) -> Option<Self> {
        let name = Family::ALL.iter().find_map(|family| name.strip_prefix(family.prefix()))?;
        let parts: Vec<&str> = name.split('-').collect();
        let bit = |text: &str| text.parse().ok().filter(|bit| *bit < u16::BITS);
        Some(match parts[..] {
            ["vcrt", port] => Self::Elements(Home::Port(port.parse().ok()?)),
            ["bit", number, port] => Self::Bit(Home::Port(port.parse().ok()?), bit(number)?),
            ["affinity"] => Self::Elements(Home::Affinity),
            ["affinitybit", number] => Self::Bit(Home::Affinity, bit(number)?),
            ["range"] => Self::Elements(Home::Range),
            ["rangebit", number] => Self::Bit(Home::Range, bit(number)?),
            ["total", target] => Self::Total(LparIndex::new(target.parse().ok()?)?),
            ["ready", target] => Self::Ready(LparIndex::new(target.parse().ok()?)?),
            _ => return None,
        })
    }
}

#[derive(Default)]
struct Reader {
    elements: Vec<(Home, Key, Duration)>,
    numbers: BTreeMap<(Home, Key), u32>,
    totals: BTreeMap<Target, u64>,
    /// Who is ready for which port.
    ready: BTreeSet<Target>,
    /// The chains of the rounds that ports have, for each DVIPA.
    rounds: Vec<(IpAddr, RangeInclusive<u16>, String)>,
    /// Whose ports are whose, for each DVIPA.
    ranges: Vec<(IpAddr, RangeInclusive<u16>, LparIndex)>,
    /// The chains that a long round is in.
    pages: BTreeMap<String, Vec<String>>,
    /// Turns, by chain.
    turns: BTreeMap<(String, LparIndex), u32>,
}

pub(super) fn parse(sets: &str, rules: &[String]) -> Result<Tables, ReadError> {
    let mut reader = Reader::default();
    for line in sets.lines() {
        reader.set(line).map_err(|expected| bad(IPSET, line, expected))?;
    }
    for line in rules.iter().flat_map(|text| text.lines()) {
        reader.rule(line).map_err(|expected| bad(SAVE, line, expected))?;
    }
    Ok(reader.finish())
}

/// The error says what was expected.
type Expected = Result<(), &'static str>;

impl Reader {
    /// A line of ipset.
    fn set(&mut self, line: &str) -> Expected {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, element) = match words[..] {
            [] | ["create", ..] => return Ok(()),
            ["add", name, element, ..] => (name, element),
            _ => return Err("`create` or `add`, a set and an element"),
        };
        let Some(set) = Set::named(name) else { return Ok(()) };
        let key = || key(element).ok_or("an address, a port and an address");
        match set {
            Set::Elements(home) => {
                let seconds: Option<u64> = after(&words, "timeout");
                let expires = Duration::from_secs(seconds.ok_or("a timeout in seconds")?);
                self.elements.push((home, key()?, expires));
            }
            Set::Bit(home, bit) => *self.numbers.entry((home, key()?)).or_default() |= 1 << bit,
            Set::Total(target) => {
                let at = port_of(element).ok_or("an address and a port")?;
                self.totals.insert((at, target), after(&words, "packets").ok_or("a number of packets")?);
            }
            Set::Ready(target) => {
                self.ready.insert((port_of(element).ok_or("an address and a port")?, target));
            }
        }
        Ok(())
    }

    /// A line of iptables.
    fn rule(&mut self, line: &str) -> Expected {
        let words: Vec<&str> = line.split_whitespace().collect();
        let from = match words[..] {
            ["-A", chain, ..] => chain,
            [] | ["COMMIT"] => return Ok(()),
            [first, ..] if first.starts_with(['#', '*', ':', '-']) => return Ok(()),
            _ => return Err("a rule, a chain, a table or a comment"),
        };
        let goto: Option<&str> = word_after(&words, "-g");
        match (from, goto) {
            (TURN, Some(goto)) => {
                let (dvipa, ports) = dvipa_and_ports(&words)?;
                self.rounds.push((dvipa, ports, goto.to_owned()));
            }
            (RANGES, _) => {
                let (dvipa, ports) = dvipa_and_ports(&words)?;
                let target = word_after(&words, "--set-xmark").and_then(lpar).ok_or("the number of an LPAR")?;
                self.ranges.push((dvipa, ports, target));
            }
            (turn, Some(goto)) if turn.starts_with(ROUND) => match goto.strip_prefix("to-") {
                Some(number) => {
                    let target = number.parse().ok().and_then(LparIndex::new).ok_or("the number of an LPAR")?;
                    *self.turns.entry((turn.to_owned(), target)).or_default() += 1;
                }
                None => self.pages.entry(turn.to_owned()).or_default().push(goto.to_owned()),
            },
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Tables {
        let mut tables = Tables { vdpt: self.vdpt(), ..Tables::default() };
        for &(home, key, expires) in &self.elements {
            let ((client, port, dvipa), number) = (key, self.numbers.get(&(home, key)).copied().unwrap_or(0));
            // What changes while it is read may be without its number.
            match home {
                Home::Port(dport) => {
                    let (client, dvipa) = (SocketAddr::new(client, port), SocketAddr::new(dvipa, dport));
                    let entry = LparIndex::new(number).map(|target| VcrtEntry { client, dvipa, target, expires });
                    tables.vcrt.extend(entry);
                }
                Home::Range => {
                    let target = u16::try_from(number).ok().and_then(|dport| Some((dport, self.whose(dvipa, dport)?)));
                    tables.vcrt.extend(target.map(|(dport, target)| {
                        let (client, dvipa) = (SocketAddr::new(client, port), SocketAddr::new(dvipa, dport));
                        VcrtEntry { client, dvipa, target, expires }
                    }));
                }
                Home::Affinity => {
                    let dvipa = SocketAddr::new(dvipa, port);
                    let affinity = LparIndex::new(number).map(|target| Affinity { client, dvipa, target, expires });
                    tables.affinities.extend(affinity);
                }
            }
        }
        tables
    }

    /// Whose port it is by SYSPLEXPORTS.
    fn whose(&self, dvipa: IpAddr, port: u16) -> Option<LparIndex> {
        let range = self.ranges.iter().find(|(address, ports, _)| *address == dvipa && ports.contains(&port));
        range.map(|(_, _, target)| *target)
    }

    /// A target's turns in a round.
    fn weight(&self, chain: &str, target: LparIndex) -> u32 {
        let pages = self.pages.get(chain).map(Vec::as_slice).unwrap_or_default().iter().map(String::as_str);
        let of = |chain: &str| self.turns.get(&(chain.to_owned(), target)).copied().unwrap_or(0);
        pages.chain([chain]).map(of).sum()
    }

    /// Who is ready or was ever sent a connection.
    fn vdpt(&self) -> Vec<VdptEntry> {
        let known: BTreeSet<Target> = self.totals.keys().chain(&self.ready).copied().collect();
        let entry = |(dvipa, target): Target| {
            let has = |(address, ports, _): &&(IpAddr, RangeInclusive<u16>, String)| {
                *address == dvipa.ip() && ports.contains(&dvipa.port())
            };
            // One that is distributed no longer has none.
            let weight = self.rounds.iter().find(has).map_or(0, |(_, _, chain)| self.weight(chain, target));
            VdptEntry { dvipa, target, weight, total: self.totals.get(&(dvipa, target)).copied().unwrap_or(0) }
        };
        known.into_iter().map(entry).collect()
    }
}

/// `10.10.10.101,tcp:40000,10.10.10.1`.
fn key(text: &str) -> Option<Key> {
    let mut parts = text.split(',');
    let key =
        (parts.next()?.parse().ok()?, parts.next()?.strip_prefix("tcp:")?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(key)
}

/// `10.10.10.1,tcp:4035`.
fn port_of(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(',')?;
    Some(SocketAddr::new(address.parse().ok()?, port.strip_prefix("tcp:")?.parse().ok()?))
}

/// `-d 10.10.10.1/32`.
fn dvipa(words: &[&str]) -> Option<IpAddr> {
    let (address, _) = word_after(words, "-d")?.split_once('/')?;
    address.parse().ok()
}

/// `-d 10.10.10.1/32 --dport 32768:46883`.
fn dvipa_and_ports(words: &[&str]) -> Result<(IpAddr, RangeInclusive<u16>), &'static str> {
    let dvipa = dvipa(words).ok_or("the address of a DVIPA")?;
    Ok((dvipa, word_after(words, "--dport").and_then(ports).ok_or("ports")?))
}

/// `32768:46883`, or `32768`.
fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// `0x1` or `0x1/0xffffffff`.
fn lpar(mark: &str) -> Option<LparIndex> {
    let digits = mark.split('/').next()?.strip_prefix("0x")?;
    LparIndex::new(u32::from_str_radix(digits, 16).ok()?)
}

fn word_after<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == option)?;
    words.get(at + 1).copied()
}

fn after<T: std::str::FromStr>(words: &[&str], option: &str) -> Option<T> {
    word_after(words, option)?.parse().ok()
}

fn bad(tool: &'static str, line: &str, expected: &str) -> ReadError {
    // A line can be long; its beginning says what it is.
    let found: String = line.chars().take(120).collect();
    ReadError { tool, what: format!("found {found:?}, expected {expected}") }
}

#[cfg(test)]
mod tests;
