//! Takeover, giveback and the operator's commands.

use super::*;

const DVIPA: &str = "10.10.10.1";

fn index(number: u32) -> LparIndex {
    LparIndex::new(number).expect("an LPAR's number")
}

fn address() -> IpAddr {
    DVIPA.parse().expect("an address")
}

/// Three LPARs; the DVIPA is the first's, with these backups and this much more.
fn group(more: &str) -> Group {
    let text = format!(
        "[[lpar]]\nname = \"SYS1\"\n[[lpar]]\nname = \"SYS2\"\n[[lpar]]\nname = \"SYS3\"\n\
         [[dvipa]]\naddress = \"{DVIPA}\"\nowner = \"SYS1\"\n{more}\n\
         [[dvipa.distribute]]\nports = [4035]\nmethod = \"ROUNDROBIN\"\ntargets = [\"SYS1\", \"SYS2\"]\n\
         [[started_task]]\nname = \"RSED\"\nprogram = \"rsed\"\n"
    );
    Group::new(&Sysplex::from_toml(&text).expect("a topology"))
}

fn owner(group: &Group) -> Option<u32> {
    group.state().owner.get(&address()).map(|lpar| lpar.get())
}

fn vary(group: &mut Group, on: u32, command: &str) -> Vec<String> {
    let command = Vary::parse(&format!("TCPIP,,SYSPLEX,{command}")).expect("a command");
    let messages = group.vary(index(on), &command).expect("accepted");
    messages.into_iter().map(|message| format!("{}: {}", message.on, message.text)).collect()
}

fn connections(group: &mut Group, of: &[(u32, u32)]) -> Vec<Message> {
    let at = SocketAddr::new(address(), 4035);
    let active = of.iter().map(|&(lpar, count)| ((index(lpar), at), count)).collect();
    group.observe(Seen { active, ..Seen::default() })
}

#[test]
fn a_crash_is_taken_over_by_the_highest_rank() {
    let backups = "[[dvipa.backup]]\nlpar = \"SYS2\"\nrank = 10\n[[dvipa.backup]]\nlpar = \"SYS3\"\nrank = 20";
    let mut group = group(backups);
    assert_eq!(owner(&group), Some(1));
    let messages = group.crash(index(1));
    assert_eq!(owner(&group), Some(3));
    assert_eq!(messages[0].text, "EZZ8301I VIPA 10.10.10.1 TAKEN OVER FROM TCPIP ON SYS1");
    group.crash(index(3));
    assert_eq!(owner(&group), Some(2));
    group.crash(index(2));
    assert_eq!(owner(&group), None);
}

#[test]
fn after_an_ipl_the_definer_has_it_again_and_nothing_that_operators_asked_counts() {
    let mut group = group("backups = [\"SYS2\"]");
    vary(&mut group, 2, "QUIESCE,PORT=4035");
    group.crash(index(1));
    assert_eq!(owner(&group), Some(2));
    let messages = group.ipl(index(1));
    assert_eq!((owner(&group), group.is_up(index(1))), (Some(1), true));
    assert!(messages.iter().any(|message| message.text.contains("TAKEN OVER FROM TCPIP ON SYS2")), "{messages:?}");
    assert!(!group.state().quiesced.is_empty(), "that was asked on another system");
    group.crash(index(2));
    group.ipl(index(2));
    assert!(group.state().quiesced.is_empty());
}

#[test]
fn with_whenidle_an_ipl_waits_until_the_backup_is_idle() {
    let mut group = group("moveable = \"WHENIDLE\"\nbackups = [\"SYS2\"]");
    group.crash(index(1));
    connections(&mut group, &[(2, 1)]);
    group.ipl(index(1));
    assert_eq!(owner(&group), Some(2));
    connections(&mut group, &[]);
    assert_eq!(owner(&group), Some(1));
}

#[test]
fn leave_and_join_give_and_take_back() {
    let mut group = group("backups = [\"SYS2\"]");
    let messages = vary(&mut group, 1, "LEAVEGROUP");
    assert_eq!(messages, ["2: EZZ8301I VIPA 10.10.10.1 TAKEN OVER FROM TCPIP ON SYS1"]);
    assert_eq!(group.places(), Places::from([((index(2), address()), Place::Lan)]), "all DVIPAs of SYS1 are gone");
    let messages = vary(&mut group, 1, "JOINGROUP");
    assert_eq!(owner(&group), Some(1));
    assert_eq!(messages[0], "2: EZZ8303I VIPA 10.10.10.1 GIVEN TO TCPIP ON SYS1");
    let again = group.vary(index(1), &Vary::JoinGroup).expect_err("it is in");
    assert!(again.contains("already"), "{again}");
}

#[test]
fn a_plain_backup_does_not_activate_and_the_other_form_does() {
    for (backup, expected) in [("", None), ("\nmoveable = \"IMMEDIATE\"", Some(2))] {
        let mut group = group(&format!("[[dvipa.backup]]\nlpar = \"SYS2\"{backup}"));
        vary(&mut group, 2, "LEAVEGROUP");
        vary(&mut group, 1, "LEAVEGROUP");
        assert_eq!(owner(&group), None);
        vary(&mut group, 2, "JOINGROUP");
        assert_eq!(owner(&group), expected, "it is active nowhere");
    }
}

#[test]
fn deactivate_and_reactivate() {
    let mut group = group("backups = [\"SYS2\", \"SYS3\"]");
    vary(&mut group, 2, "DEACTIVATE,DVIPA=10.10.10.1");
    vary(&mut group, 1, "DEACTIVATE,DVIPA=10.10.10.1");
    assert_eq!(owner(&group), Some(3), "a deactivated backup takes nothing over");
    let dvipa = group.sysplex.dvipas[0].clone();
    assert_eq!(group.status(&dvipa, index(1)), Some(Status::Deactivated));
    assert_eq!(group.status(&dvipa, index(2)), Some(Status::Deactivated));
    vary(&mut group, 2, "REACTIVATE,DVIPA=10.10.10.1");
    assert_eq!(owner(&group), Some(3), "a backup takes nothing from another");
    vary(&mut group, 1, "REACTIVATE,DVIPA=10.10.10.1");
    assert_eq!(owner(&group), Some(1));
    assert_eq!(group.status(&dvipa, index(3)), Some(Status::Backup));
}

#[test]
fn when_idle_waits_for_the_last_connection() {
    let mut group = group("moveable = \"WHENIDLE\"\nbackups = [\"SYS3\"]");
    vary(&mut group, 1, "LEAVEGROUP");
    connections(&mut group, &[(2, 1)]);
    vary(&mut group, 1, "JOINGROUP");
    let dvipa = group.sysplex.dvipas[0].clone();
    assert_eq!((owner(&group), group.status(&dvipa, index(1))), (Some(3), Some(Status::Moving)));
    assert!(group.wants_connections());
    connections(&mut group, &[]);
    assert_eq!(owner(&group), Some(1));
}

#[test]
fn an_old_owner_that_is_no_target_keeps_the_address_while_it_has_connections() {
    let mut group = group("backups = [\"SYS3\"]");
    vary(&mut group, 1, "LEAVEGROUP");
    connections(&mut group, &[(3, 2)]);
    vary(&mut group, 1, "JOINGROUP");
    let key = (index(3), address());
    let dvipa = group.sysplex.dvipas[0].clone();
    assert_eq!(group.places().get(&key), Some(&Place::Hidden));
    assert_eq!(group.status(&dvipa, index(3)), Some(Status::Quiescing));
    connections(&mut group, &[]);
    assert_eq!(group.places().get(&key), None);
}

#[test]
fn a_deactivated_owner_keeps_its_connections_when_nobody_takes_over_and_they_are_looked_at_late() {
    for backups in ["", "backups = [\"SYS3\"]"] {
        let mut group = group(backups);
        // Nobody wanted to know who has connections, until the command.
        assert!(!group.wants_connections());
        vary(&mut group, 1, "DEACTIVATE,DVIPA=10.10.10.1");
        assert!(group.wants_connections());
        connections(&mut group, &[(1, 1)]);
        let key = (index(1), address());
        let dvipa = group.sysplex.dvipas[0].clone();
        assert_eq!(group.places().get(&key), Some(&Place::Hidden));
        assert_eq!(group.status(&dvipa, index(1)), Some(Status::Quiescing));
        connections(&mut group, &[]);
        assert_eq!(
            group.places().contains_key(&key),
            owner(&group).is_some(),
            "SYS1 is a target, if there is an owner"
        );
        assert_eq!(group.status(&dvipa, index(1)), Some(Status::Deactivated));
    }
}

#[test]
fn quiesce_and_resume() {
    let mut group = group("");
    let listens = |lpar| (index(lpar), vec!["0.0.0.0:4035".parse().expect("an address")]);
    group.observe(Seen { listeners: [listens(1), listens(2)].into(), ..Seen::default() });
    let targets = |group: &mut Group| -> Vec<u32> {
        let plans = group.plans();
        plans[&index(1)].dvipas[&address()].ports[&4035].shares.iter().map(|share| share.target.get()).collect()
    };
    for what in ["TARGET", "PORT=4035", "JOBNAME=RSED"] {
        vary(&mut group, 2, &format!("QUIESCE,{what}"));
        assert_eq!(targets(&mut group), [1], "{what}");
        vary(&mut group, 2, &format!("RESUME,{what}"));
        assert_eq!(targets(&mut group), [1, 2], "{what}");
    }
    let twice = group.vary(index(2), &Vary::Resume(What::Target)).expect_err("nothing is quiesced");
    assert_eq!(twice, "it is active on SYS2 already");
    let unknown = group.vary(index(2), &Vary::Quiesce(What::JobName("CICS".into()))).expect_err("no such task");
    assert_eq!(unknown, "no started task CICS on SYS2");
}

#[test]
fn hot_standby_switches_and_switches_back_as_told() {
    for (switch, expected) in [("true", 1), ("false", 2)] {
        let text = format!(
            "[[lpar]]\nname = \"SYS1\"\n[[lpar]]\nname = \"SYS2\"\n[[dvipa]]\naddress = \"{DVIPA}\"\nowner = \"SYS1\"\n\
             [[dvipa.distribute]]\nports = [4035]\nmethod = \"HOTSTANDBY\"\ntargets = [\"SYS2\", \"SYS1\"]\n\
             preferred = \"SYS1\"\nautoswitchback = {switch}\n"
        );
        let mut group = Group::new(&Sysplex::from_toml(&text).expect("a topology"));
        let mut see = |lpars: &[u32]| -> u32 {
            let any: SocketAddr = "0.0.0.0:4035".parse().expect("an address");
            let listeners = lpars.iter().map(|&lpar| (index(lpar), vec![any])).collect();
            group.observe(Seen { listeners, ..Seen::default() });
            let plans = group.plans();
            let shares = &plans[&index(1)].dvipas[&address()].ports[&4035].shares;
            assert_eq!(shares.len(), 1, "one takes all");
            shares[0].target.get()
        };
        assert_eq!(see(&[1, 2]), 1);
        assert_eq!(see(&[2]), 2);
        assert_eq!(see(&[1, 2]), expected, "AUTOSWITCHBACK {switch}");
        assert_eq!(see(&[1]), 1);
    }
}

#[test]
fn a_backup_of_hot_standby_takes_nothing_from_another() {
    let text = format!(
        "[[lpar]]\nname = \"SYS1\"\n[[lpar]]\nname = \"SYS2\"\n[[lpar]]\nname = \"SYS3\"\n[[dvipa]]\naddress = \"{DVIPA}\"\n\
         owner = \"SYS1\"\n[[dvipa.distribute]]\nports = [4035]\nmethod = \"HOTSTANDBY\"\n\
         targets = [\"SYS1\", \"SYS2\", \"SYS3\"]\npreferred = \"SYS1\"\n"
    );
    let mut group = Group::new(&Sysplex::from_toml(&text).expect("a topology"));
    for (ready, expected) in [(vec![3], 3), (vec![2, 3], 3), (vec![1, 2, 3], 1), (vec![2, 3], 2)] {
        let any: SocketAddr = "0.0.0.0:4035".parse().expect("an address");
        let listeners = ready.iter().map(|&lpar| (index(lpar), vec![any])).collect();
        group.observe(Seen { listeners, ..Seen::default() });
        let plans = group.plans();
        let shares = &plans[&index(1)].dvipas[&address()].ports[&4035].shares;
        assert_eq!(shares.iter().map(|share| share.target.get()).collect::<Vec<_>>(), [expected], "{ready:?}");
    }
}

#[test]
fn the_first_that_listens_at_start_has_not_taken_over() {
    let text = format!(
        "[[lpar]]\nname = \"SYS1\"\n[[lpar]]\nname = \"SYS2\"\n[[dvipa]]\naddress = \"{DVIPA}\"\nowner = \"SYS1\"\n\
         [[dvipa.distribute]]\nports = [4035]\nmethod = \"HOTSTANDBY\"\ntargets = [\"SYS2\", \"SYS1\"]\n\
         preferred = \"SYS1\"\nautoswitchback = false\n"
    );
    let mut group = Group::new(&Sysplex::from_toml(&text).expect("a topology"));
    let any: SocketAddr = "0.0.0.0:4035".parse().expect("an address");
    for lpars in [vec![2], vec![1, 2]] {
        let listeners = lpars.into_iter().map(|lpar| (index(lpar), vec![any])).collect();
        group.observe(Seen { listeners, ..Seen::default() });
        group.plans();
    }
    group.begin_standby();
    let plans = group.plans();
    assert_eq!(plans[&index(1)].dvipas[&address()].ports[&4035].shares[0].target, index(1));
}

/// APAR PI08005.
#[test]
fn after_a_takeover_dynamic_ports_are_unknown_until_they_are_resumed_or_bound_again() {
    let of = |defects: &str| {
        let text = format!(
            "[sysplex]\ndefects = [{defects}]\n[[lpar]]\nname = \"SYS1\"\n[[lpar]]\nname = \"SYS2\"\n\
             [[dvipa]]\naddress = \"{DVIPA}\"\nowner = \"SYS1\"\nbackups = [\"SYS2\"]\n\
             [[dvipa.distribute]]\ntargets = [\"ALL\"]\n"
        );
        Group::new(&Sysplex::from_toml(&text).expect("a topology"))
    };
    let at = SocketAddr::new(address(), 8000);
    let listen = |group: &mut Group, on: &[u32]| {
        let listeners = on.iter().map(|&lpar| (index(lpar), vec![at])).collect();
        group.observe(Seen { listeners, ..Seen::default() });
    };
    // Nothing when the port is not known at all, so that the owner's own stack has it.
    let ready = |group: &mut Group| {
        let plan = group.plans().remove(&index(2))?;
        Some(plan.dvipas.get(&address())?.ports.get(&8000)?.ready.clone())
    };
    let mut fixed = of("");
    listen(&mut fixed, &[1, 2]);
    fixed.crash(index(1));
    assert_eq!(ready(&mut fixed), Some(vec![index(2)]));

    let mut group = of("\"PI08005\"");
    listen(&mut group, &[1, 2]);
    group.crash(index(1));
    listen(&mut group, &[2]);
    assert_eq!(ready(&mut group), Some(vec![]));
    let mut again = group.clone();
    listen(&mut again, &[]);
    listen(&mut again, &[2]);
    assert_eq!(ready(&mut again), Some(vec![index(2)]), "bound again");
    vary(&mut group, 2, "QUIESCE,PORT=8001");
    vary(&mut group, 2, "RESUME,PORT=8001");
    assert_eq!(ready(&mut group), Some(vec![]), "another port");
    vary(&mut group, 2, "QUIESCE,PORT=8000");
    vary(&mut group, 2, "RESUME,PORT=8000");
    assert_eq!(ready(&mut group), Some(vec![index(2)]));
}
