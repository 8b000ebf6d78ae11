//! Packets to iptables where it does not do what nftables does: tables of a port each, and SYSPLEXPORTS by range.

#[path = "../kernel/net.rs"]
#[allow(dead_code, reason = "the tests of what all backends do alike need the rest")]
mod net;

use std::time::{Duration, Instant};

use distributor::VcrtEntry;
use net::{Lab, in_namespaces};
use sysplex::{Method, Ports};

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the body for iptables only.
fn with_iptables(test: &str, body: impl FnOnce(&mut Lab)) {
    in_namespaces(&format!("iptables_packets::{test}"), |lab| {
        if lab.backend.name() == "iptables" {
            body(lab);
        }
    });
}

#[track_caller]
fn vcrt_until(lab: &Lab, connections: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = lab.vcrt();
        if seen.len() == connections {
            return;
        }
        assert!(Instant::now() < deadline, "waited for a VCRT with {connections} connections, saw {seen:?}");
    }
}

#[test]
fn connections_by_sysplexports_are_shown_until_they_end() {
    with_iptables("connections_by_sysplexports_are_shown_until_they_end", |lab| {
        // Ports with many ones and zeros.
        let ports: Vec<u16> = lab.sysplex.lpars.iter().map(|lpar| lpar.ephemeral.start() + 1357).collect();
        for (number, port) in (1..).zip(&ports) {
            lab.listen(number, &format!("0.0.0.0:{port}"));
        }
        lab.apply();
        let mut connections: Vec<_> = ports.iter().map(|port| lab.dial(*port).expect("a connection")).collect();
        let seen = lab.vcrt();
        let found = |client| seen.iter().find(|entry| entry.client == client).expect("its entry");
        for ((number, port), connection) in (1..).zip(&ports).zip(&connections) {
            let VcrtEntry { dvipa, target, expires, .. } = found(connection.client());
            assert_eq!((dvipa.port(), target.get()), (*port, number));
            assert!(*expires > Duration::from_secs(120), "established, {expires:?}");
        }
        lab.apply_anew();
        for connection in &mut connections {
            connection.echo("still there").expect("an answer");
        }
        connections.pop().expect("the last one").reset();
        vcrt_until(lab, 2);
        for connection in &mut connections {
            connection.finish("last words").expect("the answer after the end");
        }
        vcrt_until(lab, 0);
    });
}

#[test]
fn one_client_port_has_a_connection_to_each_port() {
    with_iptables("one_client_port_has_a_connection_to_each_port", |lab| {
        lab.listen(1, "0.0.0.0:4035");
        lab.listen(2, "0.0.0.0:5402");
        let of_3 = *lab.sysplex.lpars[2].ephemeral.start();
        lab.listen(3, &format!("0.0.0.0:{of_3}"));
        lab.apply();
        let mut connections = [4035, 5402, of_3].map(|port| lab.dial_from(50_000, port).expect("a connection"));
        let targets: Vec<u32> = lab.vcrt().iter().map(|entry| entry.target.get()).collect();
        assert_eq!(targets.len(), 3, "{targets:?}");
        for (connection, number) in connections.iter_mut().zip(1..) {
            assert_eq!(connection.reached, number);
            connection.echo("which one").expect("an answer");
        }
        let [first, mut second, mut third] = connections;
        first.reset();
        vcrt_until(lab, 2);
        second.echo("still there").expect("an answer");
        third.echo("still there").expect("an answer");
    });
}

#[test]
fn connections_outlive_the_distribution_of_their_port() {
    with_iptables("connections_outlive_the_distribution_of_their_port", |lab| {
        lab.listen(2, "0.0.0.0:4035");
        lab.apply();
        let mut connection = lab.dial(4035).expect("a connection");
        let with = lab.sysplex.clone();
        let mut without = lab.sysplex.clone();
        let Ports::Listed(ports) = &mut without.dvipas[0].distribute[0].ports else { panic!("listed ports") };
        ports.retain(|&port| port != 4035);
        for _ in 0..2 {
            lab.sysplex = without.clone();
            lab.apply();
            connection.echo("not distributed").expect("an answer");
            lab.sysplex = with.clone();
            lab.apply();
            connection.echo("distributed again").expect("an answer");
            assert_eq!(lab.dial(4035).expect("a connection").reached, 2);
        }
    });
}

#[test]
fn a_long_round_is_kept_exactly() {
    with_iptables("a_long_round_is_kept_exactly", |lab| {
        lab.sysplex.dvipas[0].distribute[0].method = Method::BaseWlm;
        for (weight, lpar) in [11, 13, 17].into_iter().zip(&mut lab.sysplex.lpars) {
            lpar.wlm = weight;
        }
        for number in 1..=3 {
            lab.listen(number, "0.0.0.0:4035");
        }
        lab.apply();
        for _ in 0..2 {
            let mut reached = [0; 3];
            for _ in 0..41 {
                reached[usize::from(lab.dial(4035).expect("a connection").reached) - 1] += 1;
            }
            assert_eq!(reached, [11, 13, 17]);
        }
        let vdpt = lab.tables().vdpt;
        let found: Vec<_> = vdpt.iter().map(|entry| (entry.target.get(), entry.weight, entry.total)).collect();
        assert_eq!(found, [(1, 11, 22), (2, 13, 26), (3, 17, 34)]);

        // A short round again: nothing of the long one is left.
        lab.sysplex.dvipas[0].distribute[0].method = Method::RoundRobin;
        lab.apply();
        let reached: Vec<u8> = (0..3).map(|_| lab.dial(4035).expect("a connection").reached).collect();
        assert_eq!(reached, [1, 2, 3]);
        let weights: Vec<u32> = lab.tables().vdpt.iter().map(|entry| entry.weight).collect();
        assert_eq!(weights, [1, 1, 1]);
    });
}
