//! The rendered rulesets on the real kernel: three LPARs and a workstation as network namespaces, real connections.
//!
//! Every test starts itself again in namespaces of its own, so nothing of the machine's network is touched. Where the
//! machine does not allow that, the tests say so and pass.

mod net;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use distributor::VcrtEntry;
use net::{Lab, in_namespaces, index};
use sysplex::{Method, NoTarget, Ports};

/// The owner asks for nothing longer than this; one SYN retransmission takes one second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until the VCRT is as wanted.
#[track_caller]
fn vcrt_until(lab: &Lab, wanted: &str, good: impl Fn(&[VcrtEntry]) -> bool) -> Vec<VcrtEntry> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = lab.vcrt();
        if good(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited for a VCRT with {wanted}, saw {seen:?}");
    }
}

#[test]
fn round_robin_starts_with_the_first_target_and_takes_turns() {
    in_namespaces("round_robin_starts_with_the_first_target_and_takes_turns", |lab| {
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        let reached: Vec<u8> = (0..7).map(|_| lab.dial(4035).expect("a connection").reached).collect();
        assert_eq!(reached, [1, 2, 3, 1, 2, 3, 1]);
    });
}

#[test]
fn a_port_that_one_lpar_listens_on_goes_there_only() {
    in_namespaces("a_port_that_one_lpar_listens_on_goes_there_only", |lab| {
        lab.listen(1, "0.0.0.0:5401");
        lab.listen(2, "10.10.10.1:5402");
        lab.listen(3, "0.0.0.0:5403");
        // On another address of its own, which does not count.
        lab.listen(1, "10.10.10.11:5403");
        lab.apply();
        for (port, number) in [(5401, 1), (5402, 2), (5403, 3)] {
            for _ in 0..3 {
                assert_eq!(lab.dial(port).expect("a connection").reached, number, "port {port}");
            }
        }
    });
}

#[test]
fn a_port_without_a_ready_target_is_refused_or_dropped() {
    in_namespaces("a_port_without_a_ready_target_is_refused_or_dropped", |lab| {
        lab.apply();
        // Something listens, but the plan was made before: the owner decides, not its stack.
        lab.listen(1, "0.0.0.0:5401");
        assert_eq!(lab.dial(5401).expect_err("nothing is ready").kind(), ErrorKind::ConnectionRefused);
        assert_eq!(lab.vcrt(), []);

        lab.close_listeners(1);
        lab.sysplex.dvipas[0].no_target = NoTarget::Drop;
        lab.apply();
        let started = Instant::now();
        assert_eq!(lab.dial(5401).expect_err("nothing is ready").kind(), ErrorKind::TimedOut);
        assert!(started.elapsed() >= net::CONNECT, "given up early");
    });
}

#[test]
fn a_port_in_no_port_list_goes_to_the_owner_itself() {
    in_namespaces("a_port_in_no_port_list_goes_to_the_owner_itself", |lab| {
        lab.listen(1, "0.0.0.0:7001");
        lab.listen(2, "0.0.0.0:7002");
        lab.apply();
        assert_eq!(lab.dial(7001).expect("the owner listens").reached, 1);
        assert_eq!(lab.dial(7002).expect_err("the owner does not").kind(), ErrorKind::ConnectionRefused);
        assert_eq!(lab.vcrt(), [], "such connections are not the distributor's");

        // Nor are they after the port was distributed once, from the same client port.
        lab.listen(2, "0.0.0.0:4035");
        lab.apply();
        let connection = lab.dial_from(50_000, 4035).expect("a connection");
        assert_eq!(connection.reached, 2);
        connection.reset();
        let Ports::Listed(ports) = &mut lab.sysplex.dvipas[0].distribute[0].ports else { panic!("listed ports") };
        ports.retain(|&port| port != 4035);
        lab.listen(1, "0.0.0.0:4035");
        lab.apply();
        assert_eq!(lab.dial_from(50_000, 4035).expect("a connection").reached, 1);
    });
}

#[test]
fn a_connection_stays_on_its_target_whatever_is_planned() {
    in_namespaces("a_connection_stays_on_its_target_whatever_is_planned", |lab| {
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        let mut connections: Vec<_> = (0..3).map(|_| lab.dial(4035).expect("a connection")).collect();
        let entries = lab.vcrt();
        assert_eq!(entries.len(), 3, "{entries:?}");
        for connection in &connections {
            let entry = entries.iter().find(|entry| entry.client == connection.client()).expect("its entry");
            assert_eq!(entry.target.get(), u32::from(connection.reached));
            assert_eq!(entry.dvipa.to_string(), "10.10.10.1:4035");
            assert!(entry.expires > Duration::from_secs(120), "established, {:?}", entry.expires);
        }
        for connection in &mut connections {
            connection.echo("before").expect("an answer");
        }

        // Only one takes new connections now.
        lab.close_listeners(1);
        lab.close_listeners(3);
        lab.apply();
        assert_eq!(lab.dial(4035).expect("a connection").reached, 2);
        // And everything is set anew, as at a start with a table left from before.
        lab.apply_anew();
        for connection in &mut connections {
            connection.echo("after").expect("an answer");
        }
    });
}

#[test]
fn a_change_of_one_port_leaves_the_turn_of_another_alone() {
    in_namespaces("a_change_of_one_port_leaves_the_turn_of_another_alone", |lab| {
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        assert_eq!(lab.dial(4035).expect("a connection").reached, 1);
        lab.listen(2, "0.0.0.0:5402");
        lab.apply();
        assert_eq!(lab.dial(5402).expect("a connection").reached, 2);
        assert_eq!(lab.dial(4035).expect("a connection").reached, 2, "the turn went on");
        lab.apply_anew();
        assert_eq!(lab.dial(4035).expect("a connection").reached, 1, "the turn starts again");
    });
}

#[test]
fn a_retransmitted_syn_keeps_its_target() {
    in_namespaces("a_retransmitted_syn_keeps_its_target", |lab| {
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        assert_eq!(lab.dial(4035).expect("a connection").reached, 1);
        lab.lose_syns(2, true);
        let dialling = lab.dial_in_background(4035);
        vcrt_until(lab, "half a connection to LPAR2", |seen| {
            seen.iter().any(|entry| entry.target.get() == 2 && entry.expires <= Duration::from_secs(120))
        });
        lab.lose_syns(2, false);
        assert_eq!(dialling.join().expect("no panic").expect("a connection").reached, 2);
        assert_eq!(lab.dial(4035).expect("a connection").reached, 3, "and took no second turn");
    });
}

#[test]
fn a_retransmitted_syn_leaves_a_target_that_is_no_longer_ready() {
    in_namespaces("a_retransmitted_syn_leaves_a_target_that_is_no_longer_ready", |lab| {
        lab.listen(2, "0.0.0.0:4035");
        lab.apply();
        lab.lose_syns(2, true);
        let dialling = lab.dial_in_background(4035);
        vcrt_until(lab, "half a connection to LPAR2", |seen| seen.iter().any(|entry| entry.target.get() == 2));
        lab.close_listeners(2);
        lab.listen(3, "0.0.0.0:4035");
        lab.apply();
        let mut connection = dialling.join().expect("no panic").expect("a connection");
        assert_eq!(connection.reached, 3);
        connection.echo("still there").expect("an answer");
        let marks: Vec<u32> = lab.vcrt().iter().map(|entry| entry.target.get()).collect();
        assert_eq!(marks, [3], "one entry, with the target that took it");
    });
}

#[test]
fn sysplexports_belong_to_one_lpar_each() {
    in_namespaces("sysplexports_belong_to_one_lpar_each", |lab| {
        let first_ports: Vec<u16> = lab.sysplex.lpars.iter().map(|lpar| *lpar.ephemeral.start()).collect();
        for (number, port) in (1..).zip(&first_ports) {
            lab.listen(number, &format!("0.0.0.0:{port}"));
        }
        lab.apply();
        for (number, &port) in (1..).zip(&first_ports) {
            let mut connection = lab.dial(port).expect("a connection");
            assert_eq!(connection.reached, number);
            connection.echo("hello").expect("an answer");
        }
        let last_of_2 = *lab.sysplex.lpars[1].ephemeral.end();
        let error = lab.dial(last_of_2).expect_err("nothing listens there");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn an_ended_connection_leaves_the_vcrt_and_its_port_is_free_again() {
    in_namespaces("an_ended_connection_leaves_the_vcrt_and_its_port_is_free_again", |lab| {
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        for number in [1, 2, 3] {
            // The same client port every time: on z/OS, too, an ended connection is forgotten.
            let mut connection = lab.dial_from(50_000, 4035).expect("a connection");
            assert_eq!(connection.reached, number, "a connection of its own, not the old one again");
            connection.echo("hello").expect("an answer");
            assert_eq!(lab.vcrt().len(), 1);
            connection.reset();
            vcrt_until(lab, "no connection", <[_]>::is_empty);
        }
        // An orderly end: what the target still has to say arrives, because the client's ACKs find their way.
        // (Not on the owner, where they would arrive in any case.)
        lab.dial(4035).expect("a connection").reset();
        let mut connection = lab.dial(4035).expect("a connection");
        assert_eq!(connection.reached, 2);
        connection.finish("last words").expect("the answer after the end");
        vcrt_until(lab, "no connection", <[_]>::is_empty);
    });
}

#[test]
fn a_lpar_that_owns_nothing_any_more_distributes_nothing() {
    in_namespaces("a_lpar_that_owns_nothing_any_more_distributes_nothing", |lab| {
        lab.listen(2, "0.0.0.0:4035");
        lab.apply();
        assert_eq!(lab.dial(4035).expect("a connection").reached, 2);
        lab.own(false);
        lab.apply();
        assert_eq!(lab.dial(4035).expect_err("not distributed").kind(), ErrorKind::ConnectionRefused);
        assert!(!lab.ruleset().contains("port-10.10.10.1"), "no chain of a port is left: {}", lab.ruleset());
        lab.own(true);
        lab.apply();
        assert_eq!(lab.dial(4035).expect("a connection").reached, 2);
    });
}

/// How many of `n` calls reach each LPAR.
fn reached(lab: &Lab, port: u16, n: usize) -> [usize; 3] {
    let mut reached = [0; 3];
    for _ in 0..n {
        reached[usize::from(lab.dial(port).expect("a connection").reached) - 1] += 1;
    }
    reached
}

#[test]
fn weights_are_kept_exactly_and_counted() {
    in_namespaces("weights_are_kept_exactly_and_counted", |lab| {
        lab.sysplex.dvipas[0].distribute[0].method = Method::BaseWlm;
        for (number, lpar) in (1..).zip(&mut lab.sysplex.lpars) {
            lpar.wlm = number;
        }
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        assert_eq!(reached(lab, 4035, 60), [10, 20, 30]);
        let vdpt = lab.tables().vdpt;
        let of_port = vdpt.iter().filter(|entry| entry.dvipa.port() == 4035);
        let found: Vec<_> = of_port.map(|entry| (entry.target.get(), entry.weight, entry.total)).collect();
        assert_eq!(found, [(1, 1, 10), (2, 2, 20), (3, 3, 30)]);
    });
}

#[test]
fn an_affinity_holds_and_ends_and_is_dropped_with_its_target() {
    in_namespaces("an_affinity_holds_and_ends_and_is_dropped_with_its_target", |lab| {
        lab.sysplex.dvipas[0].distribute[0].timed_affinity = Duration::from_secs(30);
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.listen(2, "0.0.0.0:5402");
        lab.apply();
        assert_eq!(reached(lab, 4035, 5), [5, 0, 0], "one client, one target");
        assert_eq!(reached(lab, 5402, 1), [0, 1, 0], "another port, another affinity");
        let affinities = lab.tables().affinities;
        let of_rsed = affinities.iter().find(|affinity| affinity.dvipa.port() == 4035).expect("an affinity");
        assert_eq!((of_rsed.client.to_string().as_str(), of_rsed.target), ("10.10.10.101", index(1)));

        // The target goes: the affinity is to another one from then on.
        lab.close_listeners(1);
        lab.apply();
        assert_eq!(reached(lab, 4035, 3), [0, 3, 0]);
        lab.listen(1, "0.0.0.0:4035");
        lab.apply();
        assert_eq!(reached(lab, 4035, 2), [0, 2, 0]);

        // The timer: from the moment when it is told that the last connection is closed.
        let affinities = lab.tables().affinities;
        let timers: Vec<_> = affinities.iter().map(|affinity| (*affinity, Duration::from_millis(200))).collect();
        for script in lab.backend.affinity_timers(&timers) {
            lab.run_script(&script);
        }
        let deadline = Instant::now() + PATIENCE;
        while !lab.tables().affinities.is_empty() {
            assert!(Instant::now() < deadline, "waited for the affinities to expire: {:?}", lab.tables().affinities);
        }
        let again = reached(lab, 4035, 3);
        assert_eq!(again.iter().max(), Some(&3), "{again:?}: one target, with an affinity anew");
        assert_eq!(lab.tables().affinities.len(), 1);
    });
}

#[test]
fn connections_are_taken_over_and_forgotten() {
    in_namespaces("connections_are_taken_over_and_forgotten", |lab| {
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        let mut connections: Vec<_> = (0..3).map(|_| lab.dial(4035).expect("a connection")).collect();
        let known: Vec<_> = lab.vcrt().iter().map(VcrtEntry::connection).collect();
        for script in lab.backend.forget(&known) {
            lab.run_script(&script);
        }
        assert_eq!(lab.vcrt(), []);
        // As a new owner does, who is told of them by the targets.
        lab.take_over(&known);
        assert_eq!(lab.vcrt().len(), 3);
        for connection in &mut connections {
            connection.echo("still there").expect("an answer");
        }
    });
}

#[test]
fn while_a_dvipa_settles_the_unknown_is_not_answered() {
    in_namespaces("while_a_dvipa_settles_the_unknown_is_not_answered", |lab| {
        lab.listen(2, "0.0.0.0:4035");
        lab.apply();
        let connection = lab.dial(4035).expect("a connection");
        let known: Vec<_> = lab.vcrt().iter().map(VcrtEntry::connection).collect();
        lab.settling(true);
        lab.apply();
        for script in lab.backend.forget(&known) {
            lab.run_script(&script);
        }
        let answer = connection.echo_in_background("asked while it is unknown");
        lab.take_over(&known);
        lab.settling(false);
        lab.apply();
        answer.join().expect("no panic").expect("an answer, not a reset");
    });
}
