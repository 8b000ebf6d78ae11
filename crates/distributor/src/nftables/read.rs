//! Reads `nft -j list ruleset`: the VCRT, the affinities, and from the ports' chains and counters the VDPT.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use sysplex::LparIndex;

use super::NFT;
use super::render::chain_of;
use super::ruleset::{AFFINITY, TABLE, TOTAL, VCRT};
use crate::{Affinity, ReadError, Tables, VcrtEntry, VdptEntry};

/// What nft prints.
#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    nftables: Vec<Object<'a>>,
}

/// One of the objects in it, by what it is.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    map: Option<Collection<'a>>,
    #[serde(borrow)]
    set: Option<Collection<'a>>,
    rule: Option<Rule>,
}

/// A set or a map.
#[derive(Deserialize)]
struct Collection<'a> {
    name: String,
    table: String,
    /// Missing when it is empty. Not looked into before it is its turn: there may be tens of thousands.
    #[serde(borrow, default)]
    elem: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Rule {
    table: String,
    chain: String,
    #[serde(default)]
    expr: Vec<Value>,
}

/// `{"elem": {"val": {"concat": [...]}, "expires": 5}}`.
#[derive(Deserialize)]
struct Timed<K> {
    elem: TimedElem<K>,
}

#[derive(Deserialize)]
struct TimedElem<K> {
    val: Concat<K>,
    /// Seconds.
    #[serde(default)]
    expires: u64,
    counter: Option<Counter>,
}

#[derive(Deserialize)]
struct Concat<K> {
    concat: K,
}

#[derive(Deserialize)]
struct Counter {
    packets: u64,
}

/// An element with its mark.
type Marked<K> = (Timed<K>, u32);

/// A target of a port in the kernel.
type Target = (SocketAddr, LparIndex);

#[derive(Default)]
struct Reader {
    tables: Tables,
    totals: BTreeMap<Target, u64>,
    /// Targets that are ready.
    ready: Vec<Target>,
    /// The rule of each chain that picks: how many turns each mark has.
    turns: BTreeMap<String, BTreeMap<u32, u32>>,
}

pub(super) fn parse(output: &str) -> Result<Tables, ReadError> {
    let output: Output<'_> = serde_json::from_str(output).map_err(|error| bad(error.to_string()))?;
    let mut reader = Reader::default();
    for object in output.nftables {
        if let Some(collection) = object.map.or(object.set).filter(|collection| collection.table == TABLE) {
            reader.collection(collection)?;
        }
        if let Some(rule) = object.rule.filter(|rule| rule.table == TABLE && rule.chain.starts_with("port-")) {
            reader.turns.insert(rule.chain, turns(&rule.expr));
        }
    }
    Ok(reader.finish())
}

impl Reader {
    fn collection(&mut self, collection: Collection<'_>) -> Result<(), ReadError> {
        match collection.name.as_str() {
            VCRT => {
                for element in collection.elem {
                    let (key, mark): Marked<(IpAddr, u16, IpAddr, u16)> = marked(value(element)?)?;
                    let (client, sport, dvipa, dport) = key.elem.val.concat;
                    self.tables.vcrt.push(VcrtEntry {
                        client: SocketAddr::new(client, sport),
                        dvipa: SocketAddr::new(dvipa, dport),
                        target: lpar(mark)?,
                        expires: Duration::from_secs(key.elem.expires),
                    });
                }
            }
            AFFINITY => {
                for element in collection.elem {
                    let (key, mark): Marked<(IpAddr, IpAddr, u16)> = marked(value(element)?)?;
                    let (client, dvipa, dport) = key.elem.val.concat;
                    let (dvipa, expires) = (SocketAddr::new(dvipa, dport), Duration::from_secs(key.elem.expires));
                    self.tables.affinities.push(Affinity { client, dvipa, target: lpar(mark)?, expires });
                }
            }
            TOTAL => {
                for element in collection.elem {
                    let element: Timed<(IpAddr, u16, u32)> = read(value(element)?)?;
                    let (dvipa, dport, mark) = element.elem.val.concat;
                    let packets = element.elem.counter.map_or(0, |counter| counter.packets);
                    self.totals.insert((SocketAddr::new(dvipa, dport), lpar(mark)?), packets);
                }
            }
            "ready" => {
                for element in collection.elem {
                    let element: Concat<(IpAddr, u16, u32)> = read(value(element)?)?;
                    let (dvipa, dport, mark) = element.concat;
                    self.ready.push((SocketAddr::new(dvipa, dport), lpar(mark)?));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The VDPT: who is ready or was ever sent a connection.
    fn finish(mut self) -> Tables {
        let known: std::collections::BTreeSet<Target> = self.totals.keys().copied().chain(self.ready).collect();
        let entry = |(dvipa, target): Target| {
            let turns = self.turns.get(&chain_of((dvipa.ip(), dvipa.port())));
            let weight = turns.and_then(|turns| turns.get(&target.get())).copied().unwrap_or(0);
            VdptEntry { dvipa, target, weight, total: self.totals.get(&(dvipa, target)).copied().unwrap_or(0) }
        };
        self.tables.vdpt = known.into_iter().map(entry).collect();
        self.tables
    }
}

/// An element with its mark: of a map, or of a set that has the mark at the end of its key.
fn marked<K: DeserializeOwned>(mut element: Value) -> Result<Marked<K>, ReadError> {
    if element.is_array() {
        return read(element);
    }
    let key = element.pointer_mut("/elem/val/concat").and_then(Value::as_array_mut);
    let mark =
        key.and_then(Vec::pop).ok_or_else(|| bad(format!("found {element}, expected a key that ends in a mark")))?;
    Ok((read(element)?, read(mark)?))
}

/// How often each mark stands in what a rule sets the mark to: a number, or a map from turns to numbers.
fn turns(expressions: &[Value]) -> BTreeMap<u32, u32> {
    let set = expressions.iter().find_map(|expression| expression.get("mangle")?.get("value"));
    let number = |value: &Value| value.as_u64().and_then(|mark| u32::try_from(mark).ok());
    let mut counts = BTreeMap::new();
    match set {
        Some(value) if value.is_number() => counts.extend(number(value).map(|mark| (mark, 1))),
        Some(value) => {
            let pairs = value.pointer("/map/data/set").and_then(Value::as_array);
            for mark in pairs.into_iter().flatten().filter_map(|pair| number(pair.get(1)?)) {
                *counts.entry(mark).or_insert(0) += 1;
            }
        }
        None => {}
    }
    counts
}

fn read<T: DeserializeOwned>(element: Value) -> Result<T, ReadError> {
    serde_json::from_value(element).map_err(|error| bad(error.to_string()))
}

fn value(element: &RawValue) -> Result<Value, ReadError> {
    serde_json::from_str(element.get()).map_err(|error| bad(error.to_string()))
}

fn lpar(mark: u32) -> Result<LparIndex, ReadError> {
    LparIndex::new(mark).ok_or_else(|| bad(format!("found mark {mark}, expected the number of an LPAR")))
}

fn bad(what: String) -> ReadError {
    ReadError { tool: NFT, what }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As nft 1.0.6 prints it.
    fn output(objects: &str) -> String {
        format!(r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6", "json_schema_version": 1}}}}{objects}]}}"#)
    }

    fn vcrt(elements: &str) -> String {
        output(&format!(
            r#", {{"map": {{"family": "ip", "name": "vcrt", "table": "dvipa", "type": ["ipv4_addr", "inet_service",
            "ipv4_addr", "inet_service"], "handle": 1, "map": "mark", "size": 1048576, "flags": ["timeout"], "timeout": 86400{elements}}}}}"#
        ))
    }

    fn index(number: u32) -> LparIndex {
        LparIndex::new(number).expect("an LPAR")
    }

    #[test]
    fn a_connection() {
        let elements = r#", "elem": [[{"elem": {"val": {"concat": ["10.10.10.101", 40000, "10.10.10.1", 4035]},
            "timeout": 120, "expires": 119}}, 2]]"#;
        let expected = VcrtEntry {
            client: "10.10.10.101:40000".parse().expect("an address"),
            dvipa: "10.10.10.1:4035".parse().expect("an address"),
            target: index(2),
            expires: Duration::from_secs(119),
        };
        assert_eq!(parse(&vcrt(elements)).expect("tables").vcrt, [expected]);
        assert_eq!(parse(&vcrt("")), Ok(Tables::default()));
    }

    #[test]
    fn targets_with_turns_and_totals() {
        let text = output(
            r#", {"set": {"family": "ip6", "name": "ready", "table": "dvipa", "elem": [{"concat": ["fd00::1", 80, 1]}, {"concat": ["fd00::1", 80, 2]}]}},
            {"set": {"family": "ip6", "name": "total", "table": "dvipa", "elem": [{"elem": {"val": {"concat": ["fd00::1", 80, 1]}, "counter": {"packets": 7, "bytes": 420}}}]}},
            {"rule": {"family": "ip6", "table": "dvipa", "chain": "port-fd00__1-80", "handle": 9, "expr": [{"mangle": {"key": {"meta": {"key": "mark"}},
             "value": {"map": {"key": {"numgen": {"mode": "inc", "mod": 3, "offset": 0}}, "data": {"set": [[0, 1], [1, 2], [2, 1]]}}}}}, {"goto": {"target": "picked"}}]}}"#,
        );
        let vdpt = parse(&text).expect("tables").vdpt;
        let found: Vec<_> = vdpt.iter().map(|e| (e.dvipa.to_string(), e.target.get(), e.weight, e.total)).collect();
        assert_eq!(found, [("[fd00::1]:80".into(), 1, 2, 7), ("[fd00::1]:80".into(), 2, 1, 0)]);
    }

    #[test]
    fn something_else() {
        let no_lpar =
            r#", "elem": [[{"elem": {"val": {"concat": ["10.0.0.1", 1, "10.0.0.2", 2]}, "expires": 1}}, 99]]"#;
        let error = parse(&vcrt(no_lpar)).expect_err("mark 99");
        assert!(error.to_string().ends_with("found mark 99, expected the number of an LPAR"), "{error}");
        assert!(parse("").is_err());
        assert_eq!(parse(r#"{"nftables": []}"#), Ok(Tables::default()));
    }

    proptest! {
        #[test]
        fn no_output_makes_it_panic(text in any::<String>(), cut in 0usize..400) {
            let _ = parse(&text);
            let _ = parse(vcrt("").get(..cut).unwrap_or_default());
        }
    }
}
