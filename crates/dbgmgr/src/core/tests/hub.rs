//! Several systems: the seed's Figure 4, and what can go wrong with a hub.

use evidence::HubState;

use super::cluster::Cluster;
use super::*;

fn names(world: &World) -> Vec<String> {
    let interesting = |what: &What| match what {
        What::SessionWaiting { local, .. } => Some(format!("waiting local={local}")),
        What::HubAsked { port, .. } => Some(format!("asked {port}")),
        What::HubRouted { to, .. } => Some(format!("routed {to}")),
        What::MinerNotified { port, .. } => Some(format!("notified {port}")),
        _ => None,
    };
    world.events().iter().filter_map(interesting).collect()
}

fn notified(world: &World, job: &Job) -> usize {
    let told = Reply::Debugger(ToDebugger::UserNotified {});
    replies(&world.log, job.conn).iter().filter(|r| **r == told).count()
}

#[test]
fn figure_4_job_on_a_secondary_user_on_the_primary() {
    let mut c = Cluster::new(2);
    assert_eq!(c.roles(), [HubState::Primary, HubState::Secondary]);
    let miner = c.nodes[0].miner("IBMUSER");
    c.settle();
    let job = c.nodes[1].job("IBMUSER");
    c.settle();
    assert_eq!(names(&c.nodes[1]), ["waiting local=false", "asked 5335"]);
    assert_eq!(names(&c.nodes[0]), ["routed LPAR1", "notified 5335"]);
    assert_eq!(notified(&c.nodes[1], &job), 1);
    let notice = c.nodes[0].notices(miner)[0].clone();
    assert_eq!((notice.system.as_str(), notice.port), ("LPAR2", 5335));
    c.nodes[1].claim(&job);
    let (_, out) = c.nodes[1].attach("IBMUSER", &notice.session, &notice.token);
    assert!(out.iter().any(|o| matches!(o, Output::Link { .. })), "{out:?}");
    c.settle();
    assert_eq!(c.nodes[0].manager.seeks.len(), 0, "a session that does not wait any more is withdrawn");
    // The same token on the wrong system.
    let (_, out) = c.nodes[0].attach("IBMUSER", &notice.session, &notice.token);
    assert_eq!(refusal(&out), Some(RefusalCode::UnknownSession));
}

#[test]
fn the_other_ways_round() {
    let mut c = Cluster::new(3);
    // Job on the primary, user on a secondary.
    let miner = c.nodes[1].miner("A");
    c.settle();
    let job = c.nodes[0].job("A");
    c.settle();
    assert_eq!(names(&c.nodes[0]), ["waiting local=false", "asked 5334", "routed LPAR2"]);
    assert_eq!((c.nodes[1].notices(miner).len(), notified(&c.nodes[0], &job)), (1, 1));
    // Both on secondaries.
    let job = c.nodes[2].job("A");
    c.settle();
    assert_eq!((c.nodes[1].notices(miner).len(), notified(&c.nodes[2], &job)), (2, 1));
    assert_eq!(names(&c.nodes[2]), ["waiting local=false", "asked 5336"]);
}

#[test]
fn a_job_may_come_before_its_user_wherever_he_logs_on() {
    for at in 0..3 {
        for from in 0..3 {
            let mut c = Cluster::new(3);
            let job = c.nodes[from].job("IBMUSER");
            c.settle();
            assert_eq!(notified(&c.nodes[from], &job), 0);
            let miner = c.nodes[at].miner("IBMUSER");
            c.settle();
            assert_eq!(notified(&c.nodes[from], &job), 1, "job on {from}, user on {at}");
            assert_eq!(c.nodes[at].notices(miner).len(), 1);
        }
    }
}

#[test]
fn a_user_who_moves_to_another_system_is_told_there() {
    for from in 0..3 {
        let mut c = Cluster::new(3);
        let first = c.nodes[1].miner("IBMUSER");
        c.settle();
        let job = c.nodes[from].job("IBMUSER");
        c.settle();
        c.nodes[1].hang_up(first);
        c.settle();
        let second = c.nodes[2].miner("IBMUSER");
        c.settle();
        let told = (c.nodes[1].notices(first).len(), c.nodes[2].notices(second).len());
        assert_eq!((told, notified(&c.nodes[from], &job)), ((1, 1), 2), "job on {from}");
    }
}

#[test]
fn a_user_lost_with_the_primary_is_told_where_he_logs_on_next() {
    let mut c = Cluster::new(3);
    c.nodes[0].miner("IBMUSER");
    c.settle();
    let job = c.nodes[1].job("IBMUSER");
    c.settle();
    assert_eq!(notified(&c.nodes[1], &job), 1);
    c.restart(0);
    c.pass(2 * SECOND);
    let miner = c.nodes[2].miner("IBMUSER");
    c.settle();
    assert_eq!((c.nodes[2].notices(miner).len(), notified(&c.nodes[1], &job)), (1, 2));
}

#[test]
fn a_user_who_logs_on_where_the_job_waits_is_nobody_elses_business() {
    let mut c = Cluster::new(2);
    let job = c.nodes[1].job("IBMUSER");
    c.settle();
    assert_eq!(c.nodes[0].manager.seeks.len(), 1);
    let miner = c.nodes[1].miner("IBMUSER");
    c.settle();
    assert_eq!((c.nodes[1].notices(miner).len(), notified(&c.nodes[1], &job)), (1, 1));
    assert_eq!((c.nodes[0].manager.seeks.len(), names(&c.nodes[0])), (0, vec![]));
}

#[test]
fn without_a_hub_everyone_is_alone_and_tries_again() {
    let mut c = Cluster::new(2);
    let miner = c.nodes[0].miner("IBMUSER");
    c.unreachable(1);
    c.isolate(0);
    assert_eq!(c.roles(), [HubState::Primary, HubState::Standalone]);
    let before = c.nodes[1].log.len();
    c.pass(20 * SECOND);
    let tries = c.nodes[1].log[before..].iter().filter(|o| matches!(o, Output::BindHub(_))).count();
    assert_eq!(tries, 7, "after 0.25, 0.5, 1, 2, 4, 5 and 5 seconds");
    let job = c.nodes[1].job("IBMUSER");
    c.settle();
    assert_eq!(notified(&c.nodes[1], &job), 0);
    c.heal();
    c.pass(5 * SECOND);
    assert_eq!(c.roles(), [HubState::Primary, HubState::Secondary]);
    assert_eq!((notified(&c.nodes[1], &job), c.nodes[0].notices(miner).len()), (1, 1), "what waited is announced");
    let roles: Vec<_> = c.nodes[1].events().into_iter().filter(|w| matches!(w, What::Hub { .. })).collect();
    assert_eq!(roles.len(), 3, "a role is made known when it changes: {roles:?}");
}

#[test]
fn a_link_that_breaks_and_comes_back_does_not_tell_the_user_twice() {
    let mut c = Cluster::new(3);
    let miner = c.nodes[1].miner("IBMUSER");
    c.settle();
    let job = c.nodes[2].job("IBMUSER");
    c.settle();
    for broken in [1, 2, 0] {
        c.isolate(broken);
        c.pass(2 * SECOND);
        assert_eq!(c.roles(), [HubState::Primary, HubState::Secondary, HubState::Secondary]);
    }
    assert_eq!(c.nodes[1].notices(miner).len(), 1);
    assert!(notified(&c.nodes[2], &job) > 1, "and the session waits for the engine again");
    let token = c.nodes[1].notices(miner)[0].token.clone();
    c.nodes[2].claim(&job);
    let (_, out) = c.nodes[2].attach("IBMUSER", &job.session, &token);
    assert!(out.iter().any(|o| matches!(o, Output::Link { .. })), "{out:?}");
}

#[test]
fn a_silent_link_is_dead_after_three_periods_at_both_ends() {
    let mut c = Cluster::new(2);
    c.pass(60 * SECOND);
    assert_eq!(c.roles(), [HubState::Primary, HubState::Secondary], "pings keep it alive");
    c.nodes[1].miner("IBMUSER");
    c.settle();
    c.cut_off(1);
    c.pass(6 * SECOND);
    assert_eq!(c.roles(), [HubState::Primary, HubState::Standalone]);
    assert!(c.nodes[0].manager.hub.members.is_empty());
    assert_eq!(c.nodes[0].manager.users.latest(&user("IBMUSER")), None);
}

#[test]
fn a_primary_that_does_not_welcome_is_not_waited_for() {
    let mut settings = settings("LPAR2");
    settings.hub = Some(([9, 9, 9, 1], 5337).into());
    let mut w = World::new(settings);
    w.feed(Input::Start);
    w.feed(Input::HubBound(Err("address not available".to_owned())));
    w.open(Port::Upstream);
    assert_eq!(w.manager.hub.state, HubState::Off);
    w.pass(10 * SECOND);
    assert_eq!(w.manager.hub.state, HubState::Standalone);
}

/// Found by the simulation: the session was forgotten with the old link.
#[test]
fn the_last_words_of_a_link_that_was_given_up_change_nothing() {
    let mut settings = settings("LPAR1");
    settings.hub = Some(([9, 9, 9, 1], 5337).into());
    let mut w = World::new(settings);
    w.feed(Input::Start);
    w.feed(Input::HubBound(Ok(())));
    let (mut secondary, system): (_, dbm_protocol::SystemName) = (World::alone(), "LPAR2".parse().expect("system"));
    let job = secondary.job("IBMUSER");
    let (id, session) = secondary.manager.sessions.iter().next().expect("just made");
    let notice = secondary.manager.notice(id, session);
    let links = [0; 2].map(|_| w.hello(Port::Hub, Role::Manager));
    for link in [links[1], links[0]] {
        w.tell(link, Message::Hub(HubMessage::Join { system: system.clone(), trusted: false }));
        w.tell(link, Message::Hub(HubMessage::Seek { notice: notice.clone() }));
    }
    w.hang_up(links[0]);
    assert_eq!(w.manager.seeks.len(), 1);
    let miner = w.miner("IBMUSER");
    assert_eq!(w.notices(miner).iter().map(|told| &told.session).collect::<Vec<_>>(), [&job.session]);
}
