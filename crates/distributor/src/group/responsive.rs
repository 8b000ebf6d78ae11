//! Messages of a distributor about targets that take no connections, and that take them again.
//!
//! Numbers, and that EZD1182I has the three rates, are documented (APAR PM78817); the wording is ours.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sysplex::LparIndex;

use super::Message;
use crate::Tsr;
use crate::plan::State;

/// Of each target for a port of a DVIPA.
type Rates = BTreeMap<(LparIndex, SocketAddr), Tsr>;

/// What the owners say, as the responsiveness of their targets was and is.
pub(super) fn messages<'a>(before: &Rates, now: &State, name: impl Fn(LparIndex) -> &'a str) -> Vec<Message> {
    let rated = |all: &Rates, key: &(LparIndex, SocketAddr)| all.get(key).copied().unwrap_or_default();
    let mut keys: Vec<_> = before.keys().chain(now.tsr.keys()).collect();
    keys.sort();
    keys.dedup();
    let message = |key: &(LparIndex, SocketAddr)| {
        let (target, at) = *key;
        let (old, new) = (rated(before, key), rated(&now.tsr, key));
        let on = *now.owner.get(&at.ip())?;
        let server = format!("TARGET SERVER {at} ON {}", name(target));
        let text = match (old.percent(), new.percent()) {
            (1.., 0) => {
                let Tsr { tcsr, cer, sef } = new;
                format!("EZD1182I {server} IS NOT RESPONSIVE - TCSR {tcsr} CER {cer} SEF {sef}")
            }
            (0, 1..) => format!("EZD1183I {server} IS RESPONSIVE"),
            _ => return None,
        };
        Some(Message { on, text })
    };
    keys.into_iter().filter_map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_says_when_a_target_takes_nothing_and_when_it_does_again() {
        let lpar = |number| LparIndex::new(number).expect("an LPAR");
        let at: SocketAddr = "10.10.10.1:4035".parse().expect("an address");
        let tsr = |tcsr| BTreeMap::from([((lpar(2), at), Tsr { tcsr, ..Tsr::default() })]);
        let state = |tsr| State { owner: BTreeMap::from([(at.ip(), lpar(1))]), tsr, ..State::default() };
        let said = |before: &_, now| messages(before, &state(now), |_| "SYS2");
        let gone = "EZD1182I TARGET SERVER 10.10.10.1:4035 ON SYS2 IS NOT RESPONSIVE - TCSR 0 CER 100 SEF 100";
        assert_eq!(said(&BTreeMap::new(), tsr(0)), [Message { on: lpar(1), text: gone.into() }]);
        let back = "EZD1183I TARGET SERVER 10.10.10.1:4035 ON SYS2 IS RESPONSIVE";
        assert_eq!(said(&tsr(0), BTreeMap::new()), [Message { on: lpar(1), text: back.into() }]);
        assert_eq!(said(&tsr(0), tsr(0)), [], "said once");
        assert_eq!(said(&tsr(50), tsr(75)), [], "it takes some");
    }
}
