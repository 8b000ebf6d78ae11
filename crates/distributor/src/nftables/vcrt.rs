//! Reads `nft -j list map ip dvipa vcrt`.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use serde::Deserialize;
use sysplex::LparIndex;

use super::{NFT, ruleset};
use crate::{VcrtEntry, VcrtError};

/// What nft prints around the map.
#[derive(Deserialize)]
struct Output {
    nftables: Vec<Object>,
}

/// One of the objects in it; only the map counts.
#[derive(Deserialize)]
struct Object {
    map: Option<Map>,
}

#[derive(Deserialize)]
struct Map {
    name: String,
    /// Missing when the map is empty.
    #[serde(default)]
    elem: Vec<(Key, u32)>,
}

#[derive(Deserialize)]
struct Key {
    elem: Elem,
}

#[derive(Deserialize)]
struct Elem {
    val: Concat,
    /// Seconds.
    expires: u64,
}

#[derive(Deserialize)]
struct Concat {
    concat: (Ipv4Addr, u16, Ipv4Addr, u16),
}

pub(super) fn parse(output: &str) -> Result<Vec<VcrtEntry>, VcrtError> {
    let bad = |what: String| VcrtError { tool: NFT, what };
    let output: Output = serde_json::from_str(output).map_err(|error| bad(error.to_string()))?;
    let map = output.nftables.into_iter().filter_map(|object| object.map).find(|map| map.name == ruleset::VCRT);
    let map = map.ok_or_else(|| bad(format!("found no map, expected `{}`", ruleset::VCRT)))?;
    map.elem
        .into_iter()
        .map(|(key, mark)| {
            let (client, sport, dvipa, dport) = key.elem.val.concat;
            let target = LparIndex::new(mark);
            Ok(VcrtEntry {
                client: SocketAddrV4::new(client, sport),
                dvipa: SocketAddrV4::new(dvipa, dport),
                target: target.ok_or_else(|| bad(format!("found mark {mark}, expected the number of an LPAR")))?,
                expires: Duration::from_secs(key.elem.expires),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As nft 1.0.6 prints it.
    fn output(elements: &str) -> String {
        format!(
            r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6", "json_schema_version": 1}}}}, {{"map": {{"family": "ip",
            "name": "vcrt", "table": "dvipa", "type": ["ipv4_addr", "inet_service", "ipv4_addr", "inet_service"],
            "handle": 1, "map": "mark", "size": 1048576, "flags": ["timeout"], "timeout": 86400{elements}}}}}]}}"#
        )
    }

    #[test]
    fn a_connection() {
        let elements = r#", "elem": [[{"elem": {"val": {"concat": ["10.10.10.101", 40000, "10.10.10.1", 4035]},
            "timeout": 120, "expires": 119}}, 2]]"#;
        let expected = VcrtEntry {
            client: "10.10.10.101:40000".parse().expect("an address"),
            dvipa: "10.10.10.1:4035".parse().expect("an address"),
            target: LparIndex::new(2).expect("an LPAR"),
            expires: Duration::from_secs(119),
        };
        assert_eq!(parse(&output(elements)), Ok(vec![expected]));
    }

    #[test]
    fn no_connection() {
        assert_eq!(parse(&output("")), Ok(vec![]));
    }

    #[test]
    fn something_else() {
        let no_lpar =
            r#", "elem": [[{"elem": {"val": {"concat": ["10.0.0.1", 1, "10.0.0.2", 2]}, "expires": 1}}, 99]]"#;
        let error = parse(&output(no_lpar)).expect_err("mark 99");
        assert!(error.to_string().ends_with("found mark 99, expected the number of an LPAR"), "{error}");
        assert!(parse("").is_err());
        assert!(parse(r#"{"nftables": []}"#).is_err());
    }

    proptest! {
        #[test]
        fn no_output_makes_it_panic(text in any::<String>(), cut in 0usize..400) {
            let _ = parse(&text);
            let _ = parse(output("").get(..cut).unwrap_or_default());
        }
    }
}
