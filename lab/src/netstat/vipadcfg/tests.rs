use std::time::Duration;

use distributor::group::Status;
use sysplex::{Method, Moveable, Ports};

use crate::netstat::Report;
use crate::netstat::sample::{idle, json, lpar, print, sysplex, sysplex6};

#[test]
fn who_defines_and_who_backs_up() {
    let sysplex = sysplex();
    let expected = "\
Dynamic VIPA Information:
  VIPA Define:
    IpAddr/PrefixLen: 10.10.10.1/32
      Moveable: Immediate  SrvMgr: No
  VIPA Distribute:
    Dest:      10.10.10.1..4035
      DestXCF: ALL
        SysPt: Yes  TimAff: No    Flg: Roundrobin
    Dest:      10.10.10.1..5401
      DestXCF: ALL
        SysPt: Yes  TimAff: No    Flg: Roundrobin
";
    assert_eq!(print(Report::Vipadcfg, false, &sysplex, &idle(&sysplex, 1)), expected);
    let expected = "\
Dynamic VIPA Information:
  VIPA Backup:
    IpAddr/PrefixLen: 10.10.10.1/32
      Rank: 000010  Moveable:            SrvMgr:
";
    assert_eq!(print(Report::Vipadcfg, false, &sysplex, &idle(&sysplex, 2)), expected);
    assert_eq!(
        print(Report::Vipadcfg, true, &sysplex, &idle(&sysplex, 3)),
        "Dynamic VIPA Information:\n",
        "a mere target"
    );
}

#[test]
fn long_form() {
    let mut sysplex = sysplex();
    let dvipa = &mut sysplex.dvipas[0];
    (dvipa.moveable, dvipa.sysplexports) = (Moveable::WhenIdle, false);
    let statement = &mut dvipa.distribute[0];
    (statement.method, statement.ports) = (Method::WeightedActive, Ports::Listed(vec![4035]));
    (statement.timed_affinity, statement.optlocal) = (Duration::from_secs(30), Some(1));
    statement.targets.truncate(2);
    statement.targets[1].weight = 20;
    let mut dynamic = statement.clone();
    (dynamic.method, dynamic.ports) = (Method::HotStandby { autoswitchback: true }, Ports::Dynamic);
    (dynamic.timed_affinity, dynamic.optlocal) = (Duration::ZERO, None);
    dynamic.targets[0].preferred = true;
    dvipa.distribute.push(dynamic);
    sysplex.viparoutes.insert(sysplex.lpars[1].xcf, sysplex.lpars[1].home);
    let expected = "\
Dynamic VIPA Information:
  VIPA Define:
    IpAddr/PrefixLen: 10.10.10.1/32
      Moveable: WhenIdle   SrvMgr: No
  VIPA Distribute:
    Dest:      10.10.10.1..4035
      DestXCF: 9.9.9.1
        SysPt: No   TimAff: 30    Flg: WeightedActive
        OptLoc: 1  Weight: 10
    Dest:      10.10.10.1..4035
      DestXCF: 9.9.9.2
        SysPt: No   TimAff: 30    Flg: WeightedActive
        OptLoc: 1  Weight: 20
    Dest:      10.10.10.1..n/a
      DestXCF: 9.9.9.1
        SysPt: No   TimAff: No    Flg: HotStandby, Preferred
        OptLoc: No
    Dest:      10.10.10.1..n/a
      DestXCF: 9.9.9.2
        SysPt: No   TimAff: No    Flg: HotStandby, Backup
        OptLoc: No
  VIPA Route:
    DestXCF:    9.9.9.2
      TargetIp: 10.10.10.12
";
    assert_eq!(print(Report::Vipadcfg, true, &sysplex, &idle(&sysplex, 1)), expected);
}

#[test]
fn all_with_different_weights_is_written_out() {
    let mut sysplex = sysplex6();
    sysplex.dvipas[0].distribute[0].targets[0].weight = 20;
    let page = print(Report::Vipadcfg, false, &sysplex, &idle(&sysplex, 1));
    assert!(page.contains("    IpAddr/PrefixLen: fd00:10::1/128\n      Moveable: Immediate  SrvMgr: n/a\n"), "{page}");
    assert!(page.contains("    Dest:      fd00:10::1..4035\n      DestXCF: fd00:9::3\n"), "{page}");
}

#[test]
fn deactivated_and_out_of_the_group() {
    let sysplex = sysplex();
    let mut facts = idle(&sysplex, 2);
    facts.standing.dvipas.insert(sysplex.dvipas[0].address, Status::Deactivated);
    facts.standing.members.remove(&lpar(2));
    let expected = "\
EZZ2502I TCPIP IS NOT A MEMBER OF THE SYSPLEX GROUP
EZZ2503I ALL DYNAMIC VIPA CONFIGURATION IS INACTIVE
Dynamic VIPA Information:
Deactivated Dynamic VIPA Information:
  VIPA Backup:
    IpAddr/PrefixLen: 10.10.10.1/32
      Rank: 000010  Moveable:            SrvMgr:
";
    assert_eq!(print(Report::Vipadcfg, false, &sysplex, &facts), expected);
}

#[test]
fn for_programs() {
    let sysplex = sysplex();
    let rows = |on| json(Report::Vipadcfg, &sysplex, &idle(&sysplex, on))["rows"].clone();
    let define = serde_json::json!({
        "statement": "VIPADEFINE", "dvipa": "10.10.10.1", "prefix": 32, "moveable": "Immediate", "deactivated": false,
    });
    let distribute = serde_json::json!({
        "statement": "VIPADISTRIBUTE", "dest": "10.10.10.1", "port": 4035, "dest_xcf": "ALL", "sysplexports": true,
        "timed_affinity": 0, "method": "ROUNDROBIN", "optlocal": null, "weight": null, "preferred": null,
    });
    assert_eq!((&rows(1)[0], &rows(1)[1]), (&define, &distribute));
    let backup = serde_json::json!([{
        "statement": "VIPABACKUP", "dvipa": "10.10.10.1", "prefix": 32, "rank": 10, "moveable": null, "deactivated": false,
    }]);
    assert_eq!(rows(2), backup);
    assert_eq!(rows(3), serde_json::json!([]));
}
