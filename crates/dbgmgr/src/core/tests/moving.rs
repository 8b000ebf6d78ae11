//! The operator's `H`: what it shows, and how everyone follows when the hub moves.

use evidence::HubState;
use evidence::HubState::{Primary, Secondary, Standalone};

use super::cluster::Cluster;
use super::*;

#[test]
fn each_role_is_shown_with_who_is_known() {
    let mut w = World::alone();
    assert_eq!(w.operator("H"), ["EQACM913I Hub: off, there is no HUBIP"]);
    let mut c = Cluster::new(3);
    c.nodes[1].miner("A");
    c.nodes[0].miner("B");
    c.nodes[0].miner("C");
    c.settle();
    let primary = [
        "EQACM913I Hub: primary node at 9.9.9.1:5337",
        "System:LPAR1 primary, this system, 2 users",
        "System:LPAR2 secondary, 1 user",
        "System:LPAR3 secondary, 0 users",
    ];
    assert_eq!(c.nodes[0].operator("F DBGMGR,APPL=DBM,H"), primary);
    let secondary = [
        "EQACM913I Hub: secondary node, connected to the hub at 9.9.9.1:5337",
        "System:LPAR2 secondary, this system, 1 user",
        "System:LPAR1 primary",
    ];
    assert_eq!(c.nodes[1].operator("H"), secondary);
    c.owner = None;
    c.isolate(1);
    c.pass(SECOND);
    let alone = c.nodes[1].operator("H");
    assert!(alone[0].starts_with("EQACM913I Hub: stand-alone, the hub at 9.9.9.1:5337 is tried again: "), "{alone:?}");
    assert!(alone[0].contains("cannot connect: no answer"), "{alone:?}");
    assert_eq!(alone[1], "System:LPAR2 stand-alone, this system, 1 user");
}

#[test]
fn everyone_follows_whoever_is_told() {
    for told in 0..4 {
        let mut c = Cluster::new(4);
        let said = c.nodes[told].operator("H,9.9.9.3,6000");
        let whom = if told == 0 { "3 secondary nodes are told" } else { "the primary node is asked to tell everyone" };
        assert_eq!(said, [format!("EQACM914I The hub moves to 9.9.9.3:6000; {whom}")]);
        c.settle();
        c.pass(SECOND);
        assert_eq!(c.roles(), [Secondary, Secondary, Primary, Secondary], "told {told}");
        assert_eq!(c.nodes[2].manager.hub.members.len(), 3);
        assert!(c.nodes[0].manager.hub.members.is_empty());
        for (from, to) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            c.crosses(from, to);
        }
        // Alive for good, and nothing of the old hub's timers is left.
        c.pass(60 * SECOND);
        assert_eq!(c.roles(), [Secondary, Secondary, Primary, Secondary], "told {told}");
    }
}

#[test]
fn what_waits_is_told_over_the_new_hub_and_nobody_twice() {
    let mut c = Cluster::new(3);
    let miner = c.nodes[0].miner("A");
    c.settle();
    let job = c.nodes[1].job("A");
    let late = c.nodes[0].job("LATE");
    c.settle();
    c.nodes[1].operator("H,9.9.9.2,5337");
    c.settle();
    c.pass(SECOND);
    assert_eq!(c.roles(), [Secondary, Primary, Secondary]);
    assert_eq!(c.nodes[0].notices(miner).len(), 1, "the user knows already");
    let told = |world: &World, job: &Job| replies(&world.log, job.conn).len() - 1;
    assert_eq!((told(&c.nodes[1], &job), told(&c.nodes[0], &late)), (2, 0));
    let miner = c.nodes[2].miner("LATE");
    c.settle();
    assert_eq!((c.nodes[2].notices(miner).len(), told(&c.nodes[0], &late)), (1, 1));
    assert_eq!(c.nodes[1].manager.seeks.len(), 1);
}

#[test]
fn the_move_is_made_known_and_so_is_what_comes_of_it() {
    let mut c = Cluster::new(2);
    c.nodes[0].operator("H,9.9.9.1,6000");
    c.settle();
    c.pass(SECOND);
    let hubs = |world: &World| -> Vec<(HubState, u16)> {
        let hub =
            |what| if let What::Hub { state, hub: Some(at), .. } = what { Some((state, at.port())) } else { None };
        world.events().into_iter().filter_map(hub).collect()
    };
    assert_eq!(hubs(&c.nodes[0]), [(Primary, 5337), (Standalone, 6000), (Primary, 6000)]);
    assert_eq!(hubs(&c.nodes[1]), [(Secondary, 5337), (Standalone, 6000), (Secondary, 6000)]);
    assert!(c.nodes[1].log.iter().any(|o| matches!(o, Output::Console(text)
        if text == "EQACM904I Hub: the hub moves from 9.9.9.1:5337 to 9.9.9.1:6000, as the primary node says")));
}

#[test]
fn a_hub_that_nobody_owns_leaves_everyone_alone_until_it_moves_back() {
    let mut c = Cluster::new(2);
    c.nodes[0].operator("H,9.9.9.9,5337");
    c.settle();
    c.pass(10 * SECOND);
    assert_eq!(c.roles(), [Standalone, Standalone]);
    for world in &c.nodes {
        let why = |what: &What| matches!(what, What::Hub { reason, .. } if reason.contains("cannot connect"));
        assert_eq!(world.events().iter().filter(|w| why(w)).count(), 1, "why it is alone is made known, once");
    }
    let said = c.nodes[0].operator("H,9.9.9.1,5337");
    assert!(said[0].ends_with("; no other system is connected and could be told"), "{said:?}");
    c.settle();
    assert_eq!(c.roles(), [Primary, Standalone]);
    c.nodes[1].operator("H,9.9.9.1,5337");
    c.settle();
    assert_eq!(c.roles(), [Primary, Secondary]);
    let said = c.nodes[1].operator("H,9.9.9.1,5337");
    assert_eq!(said, ["EQACM914I The hub is at 9.9.9.1:5337 already, and this system is part of it"]);
    assert_eq!(c.roles(), [Primary, Secondary]);
}

#[test]
fn sysplex_support_can_be_switched_on() {
    let mut w = World::alone();
    w.operator("H,9.9.9.1,5337");
    assert_eq!(
        w.log.last().cloned(),
        Some(Output::Reply(vec![
            "EQACM914I The hub moves to 9.9.9.1:5337; no other system is connected and could be told".to_owned()
        ]))
    );
    assert!(w.log.contains(&Output::BindHub(([9, 9, 9, 1], 5337).into())));
    w.feed(Input::HubBound(Ok(())));
    assert_eq!(w.manager.hub.state, Primary);
}

#[test]
fn a_port_of_ones_own_and_an_address_of_nobody_are_refused() {
    let mut c = Cluster::new(2);
    for (port, name) in [(5336, "HOST"), (5334, "CLIENT")] {
        let said = c.nodes[0].operator(&format!("H,9.9.9.1,{port}"));
        let expected = format!("EQACM921E The hub cannot be at port {port}, which is the {name} port");
        assert!(said[0].starts_with(&expected), "{said:?}");
    }
    // The same from another system: the link is closed, and nobody moves.
    let link = c.nodes[1].manager.hub.upstream.expect("connected");
    for hub in ["0.0.0.0:5337", "224.0.0.1:5337", "9.9.9.1:0"] {
        let hub = hub.parse().expect("address");
        let mut w = Cluster::new(2).nodes.remove(1);
        let out = w.tell(link, Message::Hub(HubMessage::Move { hub, moves: 1 }));
        assert_eq!(refusal(&out), Some(RefusalCode::BadMessage));
        assert_eq!(w.manager.settings.hub, Some(([9, 9, 9, 1], 5337).into()));
    }
}

#[test]
fn who_comes_to_a_hub_that_has_moved_is_not_taken() {
    let mut c = Cluster::new(2);
    let late = c.nodes[0].hello(Port::Hub, Role::Manager);
    let on_the_way = c.nodes[0].open(Port::Hub);
    let out = c.nodes[0].feed(Input::Operator("H,9.9.9.2,5337".to_owned()));
    for conn in [late, on_the_way] {
        assert!(out.contains(&Output::Close(conn)), "{out:?}");
    }
    let after = c.nodes[0].hello(Port::Hub, Role::Manager);
    let out = c.nodes[0]
        .tell(after, Message::Hub(HubMessage::Join { system: "LPAR9".parse().expect("system"), trusted: false }));
    assert_eq!(refusal(&out), Some(RefusalCode::Role));
}

#[test]
fn the_move_is_the_last_word_on_a_link() {
    let mut c = Cluster::new(3);
    // What the primary knows of one secondary concerns the other.
    c.nodes[1].miner("A");
    c.settle();
    c.nodes[2].job("A");
    c.nodes[0].job("A");
    c.settle();
    let links: Vec<_> = c.nodes[0].manager.hub.members.keys().copied().collect();
    let out = c.nodes[0].feed(Input::Operator("H,9.9.9.2,5337".to_owned()));
    for link in links {
        let hub = ([9, 9, 9, 2], 5337).into();
        assert_eq!(replies(&out, link), [Reply::Hub(HubMessage::Move { hub, moves: 1 })], "{out:?}");
    }
}

#[test]
fn however_often_a_peer_says_that_the_hub_has_moved_it_can_move_again() {
    let mut c = Cluster::new(2);
    let link = c.nodes[1].manager.hub.upstream.expect("connected");
    let hub = ([9, 9, 9, 2], 5337).into();
    c.nodes[1].tell(link, Message::Hub(HubMessage::Move { hub, moves: u64::MAX }));
    c.settle();
    assert_eq!(c.roles(), [Primary, Primary]);
    c.nodes[1].operator("H,9.9.9.1,5337");
    c.settle();
    assert_eq!(c.roles(), [Primary, Secondary]);
    c.crosses(0, 1);
}
