//! After whatever has happened to the hub, there is one primary again and it knows who is logged on where.

use evidence::HubState::{Primary, Secondary, Standalone};

use super::cluster::Cluster;
use super::*;

/// The longest pause between two tries.
pub(super) const RETRY_PERIOD: u64 = 5 * SECOND;
/// After this a silent link is dead.
pub(super) const SILENCE: u64 = 6 * SECOND;

/// Three systems with a user each, and a job on each for the user of the next.
fn busy() -> Cluster {
    let mut c = Cluster::new(3);
    for n in 0..3 {
        c.nodes[n].miner(&format!("U{n}"));
        c.settle();
    }
    for n in 0..3 {
        c.nodes[n].job(&format!("U{}", (n + 1) % 3));
        c.settle();
    }
    c
}

/// There is one primary, everyone else is its secondary, and its register is that of all.
pub(super) fn is_right(c: &Cluster, case: &str) {
    let roles = c.roles();
    let primary = roles.iter().position(|role| *role == Primary).unwrap_or_else(|| panic!("{case}: {roles:?}"));
    let others = c.nodes.len() - 1;
    assert_eq!(roles.iter().filter(|role| **role == Secondary).count(), others, "{case}: {roles:?}");
    let of = |n: usize| &c.nodes[n].manager;
    let hub = &of(primary).hub;
    assert_eq!(hub.members.len(), others, "{case}");
    for n in (0..c.nodes.len()).filter(|n| *n != primary) {
        let member = hub.members.iter().find(|(_, member)| member.system == of(n).settings.system);
        let (link, member) = member.unwrap_or_else(|| panic!("{case}: {n} is not known"));
        assert_eq!(of(primary).users.of_member(*link), of(n).users.locals(), "{case}: users of {n}");
        assert_eq!(member.users, of(n).users.locals().len(), "{case}");
    }
    // What waits for a user who is logged on anywhere was told.
    for n in 0..c.nodes.len() {
        let dormant = of(n).sessions.select(|state| matches!(state, sessions::State::Dormant { .. }));
        for id in dormant {
            let user = &of(n).sessions.get(&id).expect("just found").user;
            let somewhere = c.nodes.iter().any(|world| world.manager.users.local(user).is_some());
            assert!(!somewhere, "{case}: {id} waits for {user}, who is logged on");
        }
    }
}

fn said(world: &World, id: &str) -> Vec<String> {
    let console = |o: &Output| if let Output::Console(text) = o { Some(text.clone()) } else { None };
    world.log.iter().filter_map(console).filter(|text| text.starts_with(id)).collect()
}

#[test]
fn a_loss_is_made_good_within_a_retry_period() {
    for n in 0..3 {
        let mut c = busy();
        is_right(&c, "at the beginning");
        c.isolate(n);
        c.pass(RETRY_PERIOD);
        is_right(&c, &format!("links of {n} were lost"));
        c.restart(n);
        c.nodes[n].miner(&format!("U{n}"));
        c.settle();
        c.pass(RETRY_PERIOD);
        is_right(&c, &format!("{n} was restarted"));
    }
}

#[test]
fn a_partition_is_noticed_at_both_ends_and_made_good_within_a_retry_period() {
    for n in 0..3 {
        for lasts in [SILENCE, 60 * SECOND] {
            let mut c = busy();
            c.cut_off(n);
            c.pass(lasts);
            let alone = if n == 0 { [Primary, Standalone, Standalone] } else { [Primary, Secondary, Secondary] };
            let mut expected = alone;
            if n > 0 {
                expected[n] = Standalone;
            }
            assert_eq!(c.roles(), expected, "{n} is cut off");
            assert_eq!(c.nodes[0].manager.hub.members.len(), if n == 0 { 0 } else { 1 });
            c.heal();
            c.pass(RETRY_PERIOD);
            is_right(&c, &format!("{n} was cut off for {lasts}"));
        }
    }
}

#[test]
fn who_lost_the_address_while_he_was_cut_off_is_not_primary_any_more() {
    let mut c = busy();
    c.cut_off(0);
    c.pass(SILENCE);
    // Its stack does not know yet.
    c.owner = Some(1);
    c.also.insert(0);
    c.pass(RETRY_PERIOD);
    assert_eq!(c.roles(), [Primary, Primary, Secondary]);
    c.heal();
    c.also.clear();
    c.pass(RETRY_PERIOD);
    is_right(&c, "the address has moved");
    assert_eq!(c.roles(), [Secondary, Primary, Secondary]);
    let told =
        ["EQACM905W HUBIP 9.9.9.1 is not an address of this system any more; it is not the primary node any more"];
    assert_eq!(said(&c.nodes[0], "EQACM905W"), told);
    c.crosses(0, 2);
}

#[test]
fn who_was_cut_off_when_the_hub_moved_follows() {
    for rebooted in [false, true] {
        let mut c = busy();
        c.cut_off(0);
        c.pass(SILENCE);
        for n in [1, 2] {
            c.nodes[n].operator("H,9.9.9.2,5337");
            c.settle();
        }
        c.pass(RETRY_PERIOD);
        assert_eq!(c.roles(), [Primary, Primary, Secondary], "two primaries");
        if rebooted {
            c.restart(0);
            c.nodes[0].miner("U0");
            c.settle();
        }
        c.heal();
        c.pass(RETRY_PERIOD + SECOND);
        is_right(&c, "the hub has moved");
        assert_eq!(c.roles(), [Secondary, Primary, Secondary]);
        let told = said(&c.nodes[1], "EQACM907W");
        assert_eq!(
            told,
            ["EQACM907W System LPAR1 is another primary node of the hub, at 9.9.9.1:5337: it is told to follow \
                           to the hub of this system"]
        );
        let rival = |what: &What| matches!(what, What::HubRival { system, .. } if system == "LPAR1");
        assert_eq!(c.nodes[1].events().iter().filter(|what| rival(what)).count(), 1);
        c.crosses(0, 2);
        c.pass(60 * SECOND);
        is_right(&c, "and stays");
    }
}

#[test]
fn of_two_who_call_each_other_one_follows_and_not_both() {
    let mut c = busy();
    // To the second system and back: who is primary at the one place remembers the other.
    for at in [2, 1] {
        c.nodes[0].operator(&format!("H,9.9.9.{at},5337"));
        c.settle();
        c.pass(SECOND);
    }
    is_right(&c, "moved and back");
    c.cut_off(0);
    c.pass(SILENCE);
    for n in [1, 2] {
        c.nodes[n].operator("H,9.9.9.2,5337");
        c.settle();
    }
    c.pass(RETRY_PERIOD);
    assert_eq!(c.roles(), [Primary, Primary, Secondary]);
    c.heal();
    c.pass(RETRY_PERIOD + SECOND);
    is_right(&c, "moved once more by one of them");
    assert_eq!(c.roles(), [Secondary, Primary, Secondary]);
    c.pass(60 * SECOND);
    is_right(&c, "and stays");
}

#[test]
fn one_that_was_started_later_knows_how_often_the_hub_has_moved() {
    let mut c = busy();
    for at in [2, 1] {
        c.nodes[0].operator(&format!("H,9.9.9.{at},5337"));
        c.settle();
        c.pass(SECOND);
    }
    // The second system is started anew and told to have the hub, while the first one is cut off: it goes on from there.
    c.restart(1);
    c.pass(SECOND);
    c.cut_off(0);
    c.pass(SILENCE);
    for n in [1, 2] {
        c.nodes[n].operator("H,9.9.9.2,5337");
        c.settle();
    }
    c.pass(RETRY_PERIOD);
    c.heal();
    c.pass(RETRY_PERIOD + SECOND);
    is_right(&c, "the later command holds");
    assert_eq!(c.roles(), [Secondary, Primary, Secondary]);
}

#[test]
fn a_tie_is_broken_by_the_address() {
    for (name, from, to) in [("caller", 1, 2), ("called", 2, 1)] {
        // The primary of each half remembers the other's place, and both have moved once.
        let mut c = Cluster::new(2);
        c.nodes[0].manager.hub.moves = 1;
        c.cut_off(1);
        c.pass(SILENCE);
        c.nodes[1].operator("H,9.9.9.2,5337");
        c.settle();
        assert_eq!(c.roles(), [Primary, Primary]);
        if from == 2 {
            let rivals = &mut c.nodes[0].manager.hub.rivals;
            rivals.moved(Some(([9, 9, 9, 2], 5337).into()), ([9, 9, 9, 1], 5337).into());
            c.nodes[1].manager.hub.rivals = Default::default();
        }
        c.heal();
        c.pass(2 * RETRY_PERIOD);
        is_right(&c, name);
        assert_eq!(c.roles(), [Primary, Secondary], "{name}: {from} was called by {to}; the lower address stays");
    }
}

#[test]
fn a_hub_at_a_dvipa_is_made_known() {
    let c = Cluster::with_holders(2, &[1]);
    assert_eq!(c.roles(), [Primary, Primary]);
    for world in &c.nodes {
        let told = said(world, "EQACM906W");
        assert_eq!(told.len(), 1);
        assert!(
            told[0].contains("HUBIP 9.9.9.1 is a virtual address (VIPA)") && told[0].contains("one LPAR"),
            "{told:?}"
        );
        let hub = |what: &What| matches!(what, What::Hub { state: Primary, reason, .. } if reason.contains("VIPA"));
        assert!(world.events().iter().any(hub), "{:?}", world.events());
    }
    // The operator puts it right.
    let mut c = c;
    let shown = c.nodes[0].operator("H")[0].clone();
    assert_eq!(
        shown,
        "EQACM913I Hub: primary node at 9.9.9.1:5337: 9.9.9.1 is a virtual address (VIPA) on this system"
    );
    c.also.clear();
    for n in [0, 1] {
        c.nodes[n].operator("H,9.9.9.2,5337");
        c.settle();
    }
    c.pass(RETRY_PERIOD);
    is_right(&c, "after H");
    assert_eq!(c.nodes[1].operator("H")[0], "EQACM913I Hub: primary node at 9.9.9.2:5337");
}

#[test]
fn a_secondary_notices_that_two_answer_at_the_same_place() {
    let mut c = Cluster::with_holders(3, &[1]);
    assert_eq!(c.roles(), [Primary, Primary, Secondary]);
    c.pass(3 * RETRY_PERIOD);
    let told = said(&c.nodes[2], "EQACM907W");
    assert_eq!(told.len(), 1, "made known once: {told:?}");
    assert!(told[0].contains("HUBIP is not one system's address"), "{told:?}");
    // With one primary nobody is ever called a rival.
    let mut c = busy();
    c.pass(60 * SECOND);
    assert!(c.nodes.iter().all(|world| said(world, "EQACM907W").is_empty()));
}

#[test]
fn pauses_are_shortened_by_chance_and_to_a_half_at_most() {
    for (most, expected) in [(false, 7), (true, 11)] {
        let mut settings = settings("LPAR2");
        settings.hub = Some(([9, 9, 9, 1], 5337).into());
        let mut w = World::new(settings);
        w.manager = w.manager.with_chance(Box::new(move |to| if most { to.saturating_mul(9) } else { 0 }));
        w.feed(Input::Start);
        let mut tries = 0;
        let end = w.now + 20 * SECOND;
        loop {
            w.feed(Input::HubBound(Err("no".to_owned())));
            w.feed(Input::HubUnreachable("no".to_owned()));
            let next = w.manager.deadline().expect("a next try");
            if next > end {
                break;
            }
            w.now = next;
            tries += w.feed(Input::Tick).iter().filter(|o| matches!(o, Output::BindHub(_))).count();
        }
        assert_eq!(tries, expected);
    }
}
