//! Every rule on a site's members: one mistake, where it is found, and the cured twin, in which nothing is.

use site_check::of_site;
use zos_config::site::File;

/// `SYSn`, its own CLIENT port and the statement that makes it owner or backup of the DVIPA.
fn profile(n: u8, port: u16, vipa: &str) -> String {
    let other = 3 - n;
    format!(
        "; SYS{n}: RSED and Debug Manager behind one DVIPA
IPCONFIG SYSPLEXROUTING DYNAMICXCF 9.9.9.{n} 255.255.255.0 1
GLOBALCONFIG ADJUSTDVIPAMSS AUTO
INTERFACE OSA{n} DEFINE IPAQENET PORTNAME OSAP IPADDR 10.10.10.1{n}/24
INTERFACE SVIPA DEFINE VIRTUAL IPADDR 10.10.10.2{n}
PORT
  4035 TCP RSED   BIND 10.10.10.1
  {port} TCP DBGMGR
VIPADYNAMIC
  {vipa} MOVEABLE IMMEDIATE 255.255.255.0 10.10.10.1
  VIPADISTRIBUTE SYSPLEXPORTS DISTMETHOD BASEWLM 10.10.10.1
    PORT 4035 5334 5335
    DESTIP 9.9.9.1 9.9.9.2
  VIPAROUTE DEFINE 9.9.9.{other} 10.10.10.2{other}
ENDVIPADYNAMIC
"
    )
}

const DBGMGR: &str = "\
//DBGMGR   PROC CLIENT=53&SYSCLONE,HOST=5336
//DBGMGR   EXEC PGM=EQAZPCM,PARM='/&HOST &CLIENT'
//STDENV   DD *
HUBIP=9.9.9.1
HUBPORT=5337
TRUSTEDTCP=ON
/*
";

const RSED: &str = "\
//RSED     PROC PORT=4035
//RSED     EXEC PGM=BPXBATSL,PARM='PGM rsed.sh -C/etc/zexpl -P&PORT'
";

const IEASYM: &str = "\
SYSDEF LPARNAME(SYS1) SYSNAME(SYS1) SYSCLONE(34)
SYSDEF LPARNAME(SYS2) SYSNAME(SYS2) SYSCLONE(35)
";

const POLICY: &str = "\
# Policy agent
TTLSRule DebugManager
{
  LocalPortRange 5334-5335
  Direction Inbound
}
";

type Edit<'a> = (&'a str, &'a str, &'a str);

/// The site that is right.
fn right() -> Vec<(String, String)> {
    let files = [
        ("SYS1/PROFILE", profile(1, 5334, "VIPADEFINE")),
        ("SYS2/PROFILE", profile(2, 5335, "VIPABACKUP 254")),
        ("DBGMGR", DBGMGR.to_owned()),
        ("RSED", RSED.to_owned()),
        ("IEASYM00", IEASYM.to_owned()),
        ("PAGENT", POLICY.to_owned()),
    ];
    files.map(|(name, text)| (name.to_owned(), text)).to_vec()
}

/// The same with mistakes: in a file a text becomes another; a file that is not there is made.
fn with(edits: &[Edit<'_>]) -> Vec<File> {
    let mut site = right();
    for (file, from, to) in edits {
        match site.iter_mut().find(|(name, _)| name == file) {
            Some((_, text)) => {
                assert!(text.contains(from), "{file} has no `{from}`");
                *text = text.replacen(from, to, 1);
            }
            None => site.push(((*file).to_owned(), (*to).to_owned())),
        }
    }
    site.into_iter().map(|(name, text)| File { name, bytes: text.into_bytes() }).collect()
}

/// `F01 error SYS1/PROFILE:12:10`.
fn found(edits: &[Edit<'_>]) -> Vec<String> {
    let checked = of_site(&with(edits));
    assert_eq!(checked.unreadable, [""; 0], "{edits:?}");
    let show = |found: &site_check::Finding| {
        let at =
            found.location.as_ref().map_or("nowhere".to_owned(), |at| format!("{}:{}:{}", at.file, at.line, at.column));
        assert!(found.render().contains(&format!("{}[{}]", found.severity.as_str(), found.code)));
        format!("{} {} {at}", found.code, found.severity.as_str())
    };
    checked.findings.iter().map(show).collect()
}

#[track_caller]
fn expect(edits: &[Edit<'_>], expected: &[&str]) {
    assert_eq!(found(edits), expected, "{edits:?}");
}

const ONE: &str = "SYS1/PROFILE";
const TWO: &str = "SYS2/PROFILE";

#[test]
fn the_cured_twin_of_them_all_is_silent() {
    expect(&[], &[]);
}

#[test]
fn client_ports() {
    expect(&[(ONE, "5334 5335\n", "5334\n")], &["F01 error SYS1/PROFILE:12:10"]);
    expect(&[(ONE, "DESTIP 9.9.9.1 9.9.9.2", "DESTIP 9.9.9.1")], &["F01 error SYS1/PROFILE:13:12"]);
    expect(&[(TWO, "5334 5335\n", "5335\n")], &["F01 warning SYS2/PROFILE:12:10"]);
    expect(&[("DBGMGR", "53&SYSCLONE", "5334")], &["F02 error DBGMGR:1:17"]);
    expect(
        &[(ONE, "4035 5334 5335", "5334 5335"), (TWO, "4035 5334 5335", "5334 5335")],
        &["F16 warning SYS1/PROFILE:12:10"],
    );
    let second = "  VIPADEFINE 255.255.255.0 10.10.10.2\n  VIPADISTRIBUTE 10.10.10.2 PORT 5334 5335 DESTIP ALL\nENDV";
    expect(
        &[(ONE, "4035 5334 5335", "4035"), (TWO, "4035 5334 5335", "4035"), (ONE, "ENDV", second)],
        &["F01 warning SYS1/PROFILE:16:34", "F01 warning SYS1/PROFILE:16:34"],
    );
}

#[test]
fn the_hub() {
    expect(&[("DBGMGR", "HUBIP=9.9.9.1\n", "")], &["F03 warning DBGMGR:2:1"]);
    expect(&[("DBGMGR", "HUBIP=9.9.9.1", "HUBIP=9.9.9.7")], &["F04 warning DBGMGR:4:1"]);
    expect(&[("DBGMGR", "HUBIP=9.9.9.1", "HUBIP=10.10.10.22")], &[]);
    expect(&[("DBGMGR", "HUBIP=9.9.9.1", "HUBIP=10.10.10.1")], &["F05 error DBGMGR:4:1"]);
    expect(&[("DBGMGR", "HUBIP=9.9.9.1", "HUBIP=127.0.0.1")], &["F05 error DBGMGR:4:1"]);
    let own = DBGMGR.replace("HUBPORT=5337", "HUBPORT=5338");
    expect(&[("SYS2/DBGMGR", "", &own)], &["F04 warning DBGMGR:4:1"]);
    let untrusted = DBGMGR.replace("TRUSTEDTCP=ON\n", "");
    expect(&[("SYS2/DBGMGR", "", &untrusted)], &["F06 warning DBGMGR:6:1"]);
    let start = "[[system]]\nname = \"SYS1\"\nstart = [\"S RSED\"]\n[[system]]\nname = \"SYS2\"\n";
    expect(&[("site.toml", "", start)], &["F04 warning DBGMGR:4:1", "F19 warning RSED:2:1"]);
}

#[test]
fn symbols() {
    expect(&[("IEASYM00", "SYSCLONE(34)", "SYSCLONE(SA)")], &["F07 error DBGMGR:1:17"]);
    expect(&[("IEASYM00", "SYSCLONE(34)", "SYSCLONE(36)")], &["F07 error DBGMGR:1:17"]);
    expect(&[("IEASYM00", "SYSCLONE(35)", "SYSCLONE(34)")], &["F02 error DBGMGR:1:17", "F07 warning IEASYM00:2:46"]);
    expect(&[("DBGMGR", "53&SYSCLONE", "&EQADBM")], &["F08 error DBGMGR:1:17"]);
    expect(&[("IEASYM00", "SYSCLONE(34)", "SYSCLONE(34) SYMDEF(&A='123')")], &["D01 warning IEASYM00:1:60"]);
    // The default of systems that end alike is not theirs, as long as nothing is made of it.
    let alike = "SYSDEF LPARNAME(SYS1) SYSNAME(SYS1)\nSYSDEF LPARNAME(SYS2) SYSNAME(SYS2)\n";
    let own = DBGMGR.replace("53&SYSCLONE", "5335");
    expect(&[("IEASYM00", IEASYM, alike), ("DBGMGR", "53&SYSCLONE", "5334"), ("SYS2/DBGMGR", "", &own)], &[]);
    let alike = "SYSDEF LPARNAME(SYS1) SYSNAME(SYS1) SYSCLONE(S)\nSYSDEF LPARNAME(SYS2) SYSNAME(SYS2) SYSCLONE(S)\n";
    expect(
        &[("IEASYM00", IEASYM, alike), ("DBGMGR", "53&SYSCLONE", "5334"), ("SYS2/DBGMGR", "", &own)],
        &["F07 warning IEASYM00:2:46"],
    );
}

#[test]
fn logons() {
    expect(&[(ONE, "BASEWLM", "ROUNDROBIN")], &["F09 note SYS1/PROFILE:11:42"]);
    expect(&[(ONE, "DISTMETHOD BASEWLM", "TIMEDAFF 9 DISTM ROUNDROBIN")], &["F31 note SYS1/PROFILE:11:40"]);
    expect(&[(ONE, "BASEWLM", "SERVERWLM")], &["F10 warning SYS1/PROFILE:11:42"]);
    expect(&[(ONE, "SYSPLEXPORTS ", "")], &["F11 warning SYS1/PROFILE:12:10"]);
    let late = "VIPADISTRIBUTE DISTM BASEWLM 10.10.10.1 PORT 80 DESTIP ALL\n  VIPADISTRIBUTE SYSPLEXPORTS";
    expect(&[(ONE, "VIPADISTRIBUTE SYSPLEXPORTS", late)], &["F11 warning SYS1/PROFILE:12:18"]);
    expect(&[("rse.env", "", "_RSE_PORTRANGE=8108-8118\n")], &["F13 warning rse.env:1:1"]);
    let own = |one: &'static str| [("SYS1/rse.env", "", one), ("SYS2/rse.env", "", "_RSE_PORTRANGE=8118-8128\n")];
    expect(&own("_RSE_PORTRANGE=8108-8118\n"), &[]);
    expect(&own("_RSE_PORTRANGE=8108-8109\n"), &["F14 warning SYS1/rse.env:1:1"]);
    expect(&own("_RSE_PORTRANGE=8108-8108\n"), &["F14 error SYS1/rse.env:1:1"]);
}

#[test]
fn dvipas_and_targets() {
    let plain = (TWO, "MOVEABLE IMMEDIATE 255.255.255.0 10.10.10.1", "10.10.10.1");
    expect(&[plain], &["F24 note SYS2/PROFILE:10:3"]);
    let nobody = (ONE, "VIPADEFINE MOVEABLE IMMEDIATE 255.255.255.0", "VIPABACKUP");
    expect(&[plain, nobody], &["F24 error SYS1/PROFILE:10:14"]);
    let dynamic = "  VIPADEFINE 255.255.255.0 10.10.10.2\n  VIPADISTRIBUTE 10.10.10.2 DESTIP ALL\nENDV";
    let backup = "  VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 10.10.10.2\nENDV";
    expect(&[(ONE, "ENDV", dynamic), (TWO, "ENDV", backup)], &["F26 note SYS1/PROFILE:16:36"]);
    expect(&[(ONE, "ENDV", dynamic)], &[]);
    expect(&[(TWO, "VIPABACKUP 254", "VIPADEFINE")], &["D07 warning SYS2/PROFILE:10:47"]);
    expect(&[(ONE, "DESTIP 9.9.9.1 9.9.9.2", "DESTIP 9.9.9.1 9.9.9.2 9.9.9.7")], &["D06 note SYS1/PROFILE:13:28"]);
    expect(&[(TWO, "SYSPLEXROUTING ", "")], &["D05 note SYS2/PROFILE:2:21"]);
    let all = |file| (file, "DESTIP 9.9.9.1 9.9.9.2", "DESTIP ALL");
    expect(&[(TWO, "DYNAMICXCF 9.9.9.2 255.255.255.0 1", ""), all(ONE), all(TWO)], &["D04 warning SYS2/PROFILE:1:1"]);
    let ports: String = (0..65).map(|port| format!("{}\n", 6000 + 2 * port)).collect();
    let long = format!("VIPADISTRIBUTE 10.10.10.1 PORT {ports} DESTIP ALL\nENDV");
    expect(&[(ONE, "ENDV", &long)], &["D02 warning SYS1/PROFILE:15:32"]);
}

#[test]
fn ranges_of_dvipas() {
    let ranges = |file, vipa| {
        let block = profile(1, 1, vipa);
        let from = &block[block.find("VIPADYNAMIC\n").expect("a block")..block.find("  VIPAROUTE").expect("a route")];
        (file, from.to_owned())
    };
    let (one, two) = (ranges(ONE, "VIPADEFINE"), ranges(TWO, "VIPABACKUP 254"));
    let range = "VIPADYNAMIC\n  VIPARANGE DEFINE 255.255.255.240 10.10.10.64\n";
    let unbound = |file| (file, " BIND 10.10.10.1\n", "\n");
    expect(
        &[(one.0, &one.1, range), (two.0, &two.1, range), unbound(ONE), unbound(TWO)],
        &["F33 warning SYS1/PROFILE:10:3"],
    );
    expect(&[(one.0, &one.1, range), (two.0, &two.1, range)], &[]);
    let undefined =
        "VIPARANGE DEFINE 255.255.255.240 10.10.10.64\n  VIPADISTRIBUTE 10.10.10.65 PORT 80 DESTIP ALL\n  VIPAROUTE";
    expect(&[(ONE, "VIPAROUTE", undefined)], &["F33 error SYS1/PROFILE:15:18"]);
}

#[test]
fn routes() {
    expect(&[(ONE, "10.10.10.22\n", "10.10.10.99\n")], &["F27 warning SYS1/PROFILE:14:28"]);
    expect(&[(ONE, "10.10.10.22\n", "10.10.10.12\n")], &[]);
    expect(&[(ONE, "AUTO", "NONE")], &["F28 warning SYS1/PROFILE:3:29"]);
    expect(&[(ONE, "GLOBALCONFIG ADJUSTDVIPAMSS AUTO\n", "")], &["F28 note SYS1/PROFILE:13:3"]);
}

#[test]
fn reservations() {
    expect(&[(ONE, "BIND 10.10.10.1\n", "BIND 10.10.10.11\n")], &["F30 warning SYS1/PROFILE:7:3"]);
    expect(&[(ONE, "5334 TCP DBGMGR", "5334 TCP DBGMGR BIND 10.10.10.21")], &["F30 warning SYS1/PROFILE:8:3"]);
    expect(&[(ONE, "TCP RSED   BIND", "TCP RSED SHAREPORT BIND")], &["F34 note SYS1/PROFILE:7:3"]);
    expect(&[(ONE, "5334 TCP DBGMGR", "5334 TCP ZOSMF")], &["D03 error SYS1/PROFILE:8:3"]);
    expect(&[(ONE, "5334 TCP DBGMGR", "5334 TCP DBG*")], &[]);
    expect(&[(ONE, "5334 TCP DBGMGR", "5334 UDP ZOSMF")], &[]);
}

#[test]
fn at_tls() {
    expect(&[("PAGENT", "5334-5335", "5335")], &["F23 warning PAGENT:4:3"]);
    expect(&[("PAGENT", "5334-5335", "5334 5335")], &[]);
    expect(&[("PAGENT", "5334-5335", "4035")], &[]);
    expect(&[("PAGENT", POLICY, ""), ("SYS1/PAGENT", "", POLICY)], &["F23 warning SYS1/PAGENT:4:3"]);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let checked = of_site(&with(&[(ONE, "DESTIP", "DESTIPP")]));
    assert_eq!((checked.findings, checked.is_partial), (vec![], true));
    assert!(checked.unreadable.iter().any(|why| why.contains("SYS1/PROFILE:13:5")), "{:?}", checked.unreadable);
}
