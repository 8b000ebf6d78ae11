//! The plan for what is the case: readiness, shares, SYSPLEXPORTS.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn index(number: u32) -> LparIndex {
    LparIndex::new(number).expect("an LPAR's number")
}

fn all_up(sysplex: &Sysplex) -> State {
    State {
        members: sysplex.lpars.iter().map(|lpar| lpar.index).collect(),
        owner: sysplex.dvipas.iter().map(|dvipa| (dvipa.address, dvipa.owner)).collect(),
        ..State::default()
    }
}

fn listen(state: &mut State, number: u32, address: &str) {
    state.listeners.entry(index(number)).or_default().push(address.parse().expect("an address"));
}

fn targets_of(sysplex: &Sysplex, state: &State, port: u16) -> Vec<u32> {
    let plans = plan(sysplex, state);
    let dvipa = &plans[&index(1)].dvipas[&IpAddr::from([10, 10, 10, 1])];
    dvipa.ports[&port].shares.iter().map(|share| share.target.get()).collect()
}

#[test]
fn a_listener_on_the_dvipa_or_on_any_address_makes_a_target_ready() {
    let sysplex = Sysplex::uniform(4);
    let mut state = all_up(&sysplex);
    assert_eq!(targets_of(&sysplex, &state, 4035), [0; 0]);
    listen(&mut state, 4, "0.0.0.0:4035");
    listen(&mut state, 2, "10.10.10.1:4035");
    listen(&mut state, 1, "10.10.10.11:4035");
    listen(&mut state, 3, "0.0.0.0:4036");
    assert_eq!(targets_of(&sysplex, &state, 4035), [2, 4]);
    state.members.remove(&index(2));
    assert_eq!(targets_of(&sysplex, &state, 4035), [4]);
}

#[test]
fn an_owner_that_is_down_has_no_plan() {
    let sysplex = Sysplex::uniform(2);
    let mut state = all_up(&sysplex);
    state.members.remove(&index(1));
    assert_eq!(plan(&sysplex, &state), BTreeMap::new());
}

#[test]
fn rse_port_ranges_go_to_their_lpar_and_the_first_one_wins() {
    let mut sysplex = Sysplex::uniform(2);
    for (lpar, range) in sysplex.lpars.iter_mut().zip([8108..8110, 8109..8112]) {
        let rsed = lpar.tasks.iter_mut().find_map(|task| match task {
            StartedTask::Rsed { port_range, .. } => Some(port_range),
            _ => None,
        });
        *rsed.expect("an RSED") = Some(range);
    }
    let plans = plan(&sysplex, &all_up(&sysplex));
    let ranges = &plans[&index(1)].dvipas[&IpAddr::from([10, 10, 10, 1])].sysplexports;
    let ranges: Vec<_> = ranges.iter().map(|range| (range.ports.clone(), range.target.get())).collect();
    assert_eq!(ranges, [(8108..=8109, 1), (8110..=8111, 2), (32768..=46883, 1), (46884..=60999, 2)]);
}

fn any_state(sysplex: Sysplex) -> impl Strategy<Value = (Sysplex, State)> {
    let n = sysplex.lpars.len() as u32;
    let lpar = move || (1..=n).prop_map(index);
    let address = prop_oneof![Just("0.0.0.0"), Just("10.10.10.1"), Just("10.10.10.11"), Just("127.0.0.1")];
    let port = prop_oneof![Just(4035u16), 5401..5401 + n as u16, 1..=65535u16];
    let socket = (address, port).prop_map(|(ip, port)| SocketAddr::new(ip.parse().expect("an address"), port));
    let listeners = prop::collection::btree_map(lpar(), prop::collection::vec(socket, 0..6), 0..=n as usize);
    (prop::collection::btree_set(lpar(), 0..=n as usize), prop::option::of(lpar()), listeners).prop_map(
        move |(up, owner, listeners)| {
            let owner = owner.map(|owner| (sysplex.dvipas[0].address, owner)).into_iter().collect();
            (sysplex.clone(), State { members: up, owner, listeners, ..State::default() })
        },
    )
}

proptest! {
    #[test]
    fn plans_are_sound((sysplex, state) in (1u32..=32).prop_flat_map(|n| any_state(Sysplex::uniform(n)))) {
        let plans = plan(&sysplex, &state);
        prop_assert_eq!(&plans, &plan(&sysplex, &state), "the same every time");
        let dvipa = &sysplex.dvipas[0];
        let owner = state.owner.get(&dvipa.address).filter(|owner| state.members.contains(owner));
        prop_assert_eq!(plans.keys().collect::<Vec<_>>(), Vec::from_iter(owner));
        let Some(owner) = owner else { return Ok(()) };

        let found = &plans[owner].dvipas[&dvipa.address];
        let distributed: BTreeSet<u16> = (1..=u16::MAX).filter(|&port| dvipa.distribute.iter().any(|s| s.lists(port))).collect();
        prop_assert_eq!(found.ports.keys().copied().collect::<BTreeSet<_>>(), distributed);
        for (&port, port_plan) in &found.ports {
            for lpar in &sysplex.lpars {
                let sockets = state.listeners.get(&lpar.index).cloned().unwrap_or_default();
                let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
                let own = SocketAddr::new(dvipa.address, port);
                let ready = state.members.contains(&lpar.index) && (sockets.contains(&any) || sockets.contains(&own));
                let times = port_plan.shares.iter().filter(|share| share.target == lpar.index).count();
                prop_assert_eq!(times, usize::from(ready), "port {} on {}", port, lpar.name);
            }
        }
        for range in &found.sysplexports {
            let lpar = sysplex.lpar(range.target).expect("an LPAR");
            prop_assert!(state.members.contains(&range.target));
            prop_assert_eq!((&range.ports, mark(range.target)), (&lpar.ephemeral, lpar.index.get()));
        }
        prop_assert_eq!(found.sysplexports.len(), state.members.len());
    }
}
