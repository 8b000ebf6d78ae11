//! What is wrong with members is told with its place, what was found and what was expected.

use zos_config::import::{Imported, import};
use zos_config::report::NoteKind;
use zos_config::site::{File, Site};

/// A profile that is right but for the block in the middle.
fn profile(block: &str) -> String {
    format!(
        "IPCONFIG SYSPLEXROUTING DYNAMICXCF 9.9.9.1 255.255.255.0 1\n\
         INTERFACE OSA1 DEFINE IPAQENET PORTNAME OSAP IPADDR 10.10.10.11/24\n\
         VIPADYNAMIC\n{block}\nENDVIPADYNAMIC\n"
    )
}

fn try_import(files: &[(&str, &str)]) -> (Option<Imported>, String) {
    let files: Vec<File> =
        files.iter().map(|(name, text)| File { name: (*name).to_owned(), bytes: text.as_bytes().to_vec() }).collect();
    let site = match Site::new(&files) {
        Ok(site) => site,
        Err((members, report)) => {
            let told: Vec<String> = report.problems.iter().map(|problem| problem.render(&members)).collect();
            return (None, told.join("\n"));
        }
    };
    match import(&site) {
        Ok(imported) => {
            let told: Vec<String> = imported.notes.iter().map(|note| note.render(&site.members)).collect();
            (Some(imported), told.join("\n"))
        }
        Err(report) => {
            let told: Vec<String> = report.problems.iter().map(|problem| problem.render(&site.members)).collect();
            (None, told.join("\n"))
        }
    }
}

#[track_caller]
fn assert_told(files: &[(&str, &str)], expected: &[&str]) {
    let (imported, told) = try_import(files);
    assert!(imported.is_none(), "imported: {told}");
    for expected in expected {
        assert!(told.contains(expected), "expected `{expected}` in:\n{told}");
    }
}

#[test]
fn mistakes_in_a_profile() {
    let define = "VIPADEFINE 255.255.255.0 10.10.10.1\n";
    for (block, expected) in [
        (
            "VIPADEFINE 255.255.255.0 10.10.10",
            ["`10.10.10` was found: expected a DVIPA's IPv4 address", "SYS1/PROFILE:4:26"],
        ),
        ("VIPADEFINE 255.0.255.0 10.10.10.1", ["expected the subnet mask", "SYS1/PROFILE:4:12"]),
        ("VIPADEFIN 255.255.255.0 10.10.10.1 DISTR", ["`DISTR` was found", "SYS1/PROFILE:4:36"]),
        ("VIPABACKUP 255 10.10.10.1", ["VIPABACKUP's rank, 1 to 254", "z/OS ignores all behind it"]),
        ("VIPADEFINE MOVEABLE SOON 255.255.255.0 10.10.10.1", ["expected IMMEDIATE or WHENIDLE", "SYS1/PROFILE:4:21"]),
        ("VIPADFINE 255.255.255.0 10.10.10.1", ["a statement of the VIPADYNAMIC block", "did you mean `VIPADEFINE`?"]),
    ] {
        assert_told(&[("SYS1/PROFILE", &profile(block))], &expected);
    }
    for (block, expected) in [
        (
            "VIPADISTRIBUTE DISTM ROUNDROBN 10.10.10.1 PORT 1 DESTIP ALL",
            ["expected a DISTMETHOD", "did you mean `ROUNDROBIN`?"],
        ),
        (
            "VIPADISTRIBUTE 10.10.10.1 PORT 70000 DESTIP ALL",
            ["`70000` was found: expected a port", "SYS1/PROFILE:5:32"],
        ),
        ("VIPADISTRIBUTE 10.10.10.1 PORT 5330- DESTIP ALL", ["`5330-` was found", "SYS1/PROFILE:5:32"]),
        (
            "VIPADISTRIBUTE 10.10.10.1 PORT 53&NOPE DESTIP ALL",
            ["system symbol `&NOPE` is not defined", "SYS1/PROFILE:5:32"],
        ),
        ("VIPADISTRIBUTE 10.10.10.1 PORT 1 DESTIP", ["the statement ends here", "SYS1/PROFILE:5:34"]),
        (
            "VIPADISTRIBUTE SYSPLEXPRTS 10.10.10.1 PORT 1 DESTIP ALL",
            ["`SYSPLEXPRTS` was found", "did you mean `SYSPLEXPORTS`?"],
        ),
        ("VIPADISTRIBUTE 10.10.10.2 PORT 1 DESTIP ALL", ["neither defines nor backs up", "SYS1/PROFILE:5:16"]),
        (
            "VIPADISTRIBUTE DISTM HOTSTANDBY 10.10.10.1 PORT 1 DESTIP ALL",
            ["DESTIP ALL with HOTSTANDBY", "SYS1/PROFILE:5:58"],
        ),
        (
            "VIPADISTRIBUTE 10.10.10.1 PORT 1 DESTIP ALL\nVIPADISTRIBUTE 10.10.10.1 PORT 1 DESTIP ALL",
            ["port 1 is distributed twice", "SYS1/PROFILE:6:32"],
        ),
        ("VIPADEFINE 255.255.255.0 10.10.10.1", ["expected a VIPADELETE before this one", "SYS1/PROFILE:5:26"]),
    ] {
        assert_told(&[("SYS1/PROFILE", &profile(&format!("{define}{block}")))], &expected);
    }
    let glued = profile("VIPADEFINE 255.255.255.0 10.10.10.1;ours");
    assert_told(&[("SYS1/PROFILE", &glued)], &["`10.10.10.1;ours` was found", "a comment has a blank before its `;`"]);
    let open = profile("VIPADEFINE 255.255.255.0 10.10.10.1").replace("ENDVIPADYNAMIC", "");
    assert_told(&[("SYS1/PROFILE", &open)], &["VIPADYNAMIC without ENDVIPADYNAMIC", "SYS1/PROFILE:3:1"]);
    assert_told(&[("SYS1/PROFILE", "VIPADYNAMC\n")], &["did you mean `VIPADYNAMIC`?", "SYS1/PROFILE:1:1"]);
}

#[test]
fn members_that_include_members() {
    let including = "INCLUDE 'USER.PARMS(MORE)'\n";
    assert_told(&[("SYS1/PROFILE", including)], &["INCLUDE of `'USER.PARMS(MORE)'`", "SYS1/PROFILE:1:9"]);
    let files = [("SYS1/PROFILE", including), ("SYS1/MORE", "INCLUDE MORE\n")];
    assert_told(&files, &["does a member include itself?", "SYS1/MORE:1:9"]);
    assert_told(&[("SYS1/PROFILE", "INCLUDE")], &["INCLUDE without a name"]);
}

const DBGMGR: &str = "\
//DBGMGR PROC CLIENT=53&SYSCLONE,HOST=5336
//DBGMGR EXEC PGM=EQAZPCM,PARM='/&HOST &CLIENT'
";

#[test]
fn mistakes_in_a_procedure() {
    let profile = profile("VIPADEFINE 255.255.255.0 10.10.10.1");
    let with =
        |proc: &str, expected: &[&str]| assert_told(&[("SYSA/PROFILE", &profile), ("SYSA/DBGMGR", proc)], expected);
    // The usual SYSCLONE is made of letters: `53SA`.
    with(&DBGMGR.replace("SYSCLONE", "SYSNAME(-2:2)"), &["on SYSA: `53SA` is not a port number", "SYSA/DBGMGR:1:15"]);
    with(
        &DBGMGR.replace("53&SYSCLONE", "&EQADBM"),
        &["`&EQADBM` is not defined when the task starts", "SYSA/DBGMGR:1:15"],
    );
    with(&DBGMGR.replace("53&SYSCLONE", "5336"), &["CLIENT of DBGMGR is 5336, which is HOST of DBGMGR already"]);
    with(&DBGMGR.replace(" &CLIENT", ""), &["expected `<LE options>/<HOST> <CLIENT> <PRM>`", "SYSA/DBGMGR:2:27"]);
    with(&DBGMGR.replace("'/&", "'&"), &["expected `<LE options>/<HOST> <CLIENT> <PRM>`"]);
    with(&DBGMGR.replace(",PARM='/&HOST &CLIENT'", ""), &["EQAZPCM without PARM", "SYSA/DBGMGR:2:1"]);
    with(&DBGMGR.replace("'\n", "\n"), &["an apostrophe is not closed", "SYSA/DBGMGR:2:1"]);
}

#[test]
fn a_job_that_comes_after_its_symbol_is_used() {
    let profile = profile("VIPADEFINE 255.255.255.0 10.10.10.1");
    let proc = DBGMGR.replace("53&SYSCLONE", "&EQADBM");
    let job = "//EQADVIPA PROC\n//S EXEC PGM=IEASYMU2,PARM='EQADBM=5334'\n";
    let site = |start: &'static str| -> Vec<(String, String)> {
        let manifest = format!("[[system]]\nname = \"SYSA\"\nstart = [{start}]\n");
        let files = [
            ("site.toml", manifest.as_str()),
            ("SYSA/PROFILE", &profile),
            ("SYSA/DBGMGR", &proc),
            ("SYSA/EQADVIPA", job),
        ];
        files.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
    };
    let files =
        |site: &[(String, String)]| try_import(&site.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>());
    let (imported, told) = files(&site("\"S EQADVIPA\", \"S DBGMGR\""));
    assert!(imported.expect(&told).toml.contains("EQADBM\" = 5334"));
    let (imported, told) = files(&site("\"S DBGMGR\", \"S EQADVIPA\""));
    assert!(imported.is_none() && told.contains("is not defined when the task starts"), "{told}");
    let (_, told) = files(&site("\"S DBGMR\""));
    assert!(
        told.contains("`DBGMR` is started, which is no procedure among the members") && told.contains("site.toml:3:10"),
        "{told}"
    );
    let (_, told) = files(&site("\"DBGMGR\""));
    assert!(told.contains("is no START command"), "{told}");
}

#[test]
fn a_manifest_that_is_wrong() {
    let profile = profile("VIPADEFINE 255.255.255.0 10.10.10.1");
    let with = |manifest: &str, expected: &[&str]| {
        assert_told(&[("SYSA/PROFILE", &profile), ("site.toml", manifest)], expected);
    };
    with("sysplx = 1\n", &["unknown key `sysplx`", "did you mean `sysplex`?", "site.toml:1:1"]);
    with("[[system]]\nname = \"SYSA\"\nprofile = \"NOPE\"\n", &["`NOPE` is not among the members", "site.toml:3:11"]);
    with("lan = \"10.10.10\"\n", &["no segment", "site.toml:1:7"]);
    with(
        "[[workstation]]\nname = \"WS1\"\naddress = \"10.10.10.1\"\n",
        &["10.10.10.1 is taken: it is already the address of WS1", "SYSA/PROFILE:4:26"],
    );
    assert_told(&[("A", "nothing\n")], &["no system was found", "A:1:1"]);
    let two = [("SYSA/PROFILE", profile.as_str()), ("SYSA/PROF2", &profile)];
    assert_told(&two, &["may both be the profile of SYSA"]);
}

/// A site with several subnets: the lab has one, and says what it made of the others.
#[test]
fn addresses_that_the_lab_has_no_room_for_move() {
    let profile = "IPCONFIG DYNAMICXCF 10.1.5.1 255.255.255.0 1\n\
                   INTERFACE O DEFINE IPAQENET PORTNAME P IPADDR 10.1.1.11/24\n\
                   VIPADYNAMIC VIPADEFINE 255.255.255.0 10.1.9.1 ENDVIPADYNAMIC\n";
    let proc = format!("{DBGMGR}//STDENV DD *\nHUBIP=10.1.5.1\n");
    let proc = proc.replace("53&SYSCLONE", "5335");
    let (imported, told) = try_import(&[("SYSA/PROFILE", profile), ("SYSA/DBGMGR", &proc)]);
    let imported = imported.expect(&told);
    let lpar = &imported.sysplex.lpars[0];
    assert_eq!(
        (imported.sysplex.lan.to_string().as_str(), lpar.home.to_string().as_str()),
        ("10.1.0.0/20", "10.1.1.11")
    );
    assert_eq!(lpar.xcf.to_string(), "9.9.9.1");
    assert!(imported.toml.contains("hubip = \"9.9.9.1\""), "{}", imported.toml);
    assert!(imported.notes.iter().filter(|note| note.kind == NoteKind::Changed).count() >= 3, "{told}");

    let far = profile.replace("10.1.9.1", "192.168.7.1");
    let (imported, told) = try_import(&[("SYSA/PROFILE", &far)]);
    let imported = imported.expect(&told);
    assert_eq!(imported.sysplex.lan.to_string(), "192.168.7.0/24");
    assert_eq!(imported.sysplex.lpars[0].home.to_string(), "192.168.7.11");
    assert!(told.contains("SYSA/PROFILE:2:47: changed: 10.1.1.11 is 192.168.7.11 in the lab"), "{told}");
}

#[test]
fn what_only_other_systems_have_is_told() {
    let block = "VIPADEFINE 255.255.255.0 10.10.10.1\nVIPADISTRIBUTE 10.10.10.1 PORT 1 DESTIP 9.9.9.1 9.9.9.7";
    let (imported, told) = try_import(&[("SYSA/PROFILE", &profile(block)), ("SYSA/LOST", "what is this\n")]);
    assert!(imported.is_some(), "{told}");
    assert!(told.contains("SYSA/PROFILE:5:49: not carried over: target 9.9.9.7"), "{told}");
    assert!(told.contains("SYSA/LOST:1:1: passed over: this member was not used"), "{told}");
    let backup = profile("VIPABACKUP 7 MOVEABLE IMMEDIATE 255.255.255.0 10.10.10.1");
    let (imported, told) = try_import(&[("SYSA/PROFILE", &backup)]);
    assert_eq!(imported.expect(&told).sysplex.dvipas.len(), 1);
    assert!(told.contains("assumed: 10.10.10.1 has no VIPADEFINE among the members: SYSA"), "{told}");
}
