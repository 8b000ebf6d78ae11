//! Text of any kind is taken without a panic, and everything that is told about it can be rendered.

use proptest::prelude::*;
use zos_config::import::import;
use zos_config::site::{File, Site};

/// Words that members are made of, and what should be in none.
const WORDS: &[&str] = &[
    "VIPADYNAMIC",
    "ENDVIPADYNAMIC",
    "VIPADEFINE",
    "VIPABACKUP",
    "VIPADISTRIBUTE",
    "VIPADELETE",
    "VIPAROUTE",
    "DESTIP",
    "PORT",
    "ALL",
    "HOME",
    "LINK",
    "INTERFACE",
    "DEFINE",
    "IPADDR",
    "IPCONFIG",
    "DYNAMICXCF",
    "IPCONFIG6",
    "BEGINROUTES",
    "ROUTE",
    "ENDROUTES",
    "INCLUDE",
    "AUTOLOG",
    "MOVEABLE",
    "IMMEDIATE",
    "OPTLOCAL",
    "DISTMETHOD",
    "HOTSTANDBY",
    "PREFERRED",
    "BACKUP",
    "WEIGHT",
    "TIMEDAFFINITY",
    "255.255.255.0",
    "10.10.10.1",
    "9.9.9.1",
    "fd00:10::1001",
    "4035",
    "5330-5339",
    "PROFILE",
    "DBGMGR",
    "//",
    "//DBGMGR",
    "//*",
    "/*",
    "*/",
    "PROC",
    "EXEC",
    "DD",
    "SET",
    "PGM=EQAZPCM",
    "PGM=BPXBATSL",
    "PARM='",
    "PARM=(",
    "PARMDD=",
    "CLIENT=",
    "HOST=5336,",
    "&CLIENT",
    "&SYSCLONE",
    "&SYSNAME(-2:2)",
    "&&",
    "&",
    "SYSDEF",
    "SYSNAME(SYS1)",
    "SYMDEF(&A='1')",
    "SYMDEF(",
    "SYSCLONE(",
    "LPARNAME(",
    "_RSE_PORTRANGE=",
    "8108-8118",
    "'",
    "\"",
    "(",
    ")",
    ",",
    ";",
    "=",
    ".",
    "\u{e9}",
    "\u{fffd}",
    "\u{1f600}",
    "\0",
    "99999999999999999999",
    "-1",
    " ",
    "\n",
    "\n ",
    "\t",
];

fn text() -> impl Strategy<Value = String> {
    let word = (prop::sample::select(WORDS), prop::sample::select(&["", " ", "\n"][..]));
    prop::collection::vec(word, 0..60).prop_map(|words| words.into_iter().flat_map(|(word, end)| [word, end]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_members_are_taken(profile in text(), jcl in text(), symbols in text(), env in text(), manifest in text()) {
        let start = "[[system]]\nname = \"SYS1\"\n".to_owned();
        let files = [
            ("SYS1/PROFILE", profile),
            ("SYS1/DBGMGR", format!("//DBGMGR PROC CLIENT=1,\n{jcl}\n//S EXEC PGM=EQAZPCM,PARM='/&HOST &CLIENT'\n{jcl}")),
            ("RSED", format!("//RSED PROC\n//S EXEC PGM=BPXBATSL,PARM='PGM rsed.sh {jcl}'\n")),
            ("IEASYM00", symbols),
            ("rse.env", env),
            ("site.toml", if manifest.len() % 4 == 0 { start + &manifest } else { start }),
        ];
        let files = files.map(|(name, text)| File { name: name.to_owned(), bytes: text.into_bytes() });
        match Site::new(&files) {
            Err((members, report)) => {
                report.problems.iter().for_each(|problem| drop(problem.render(&members)));
                report.notes.iter().for_each(|note| drop(note.render(&members)));
            }
            Ok(site) => {
                let notes = match import(&site) {
                    Ok(imported) => imported.notes,
                    Err(report) => {
                        prop_assert!(!report.problems.is_empty());
                        report.problems.iter().for_each(|problem| drop(problem.render(&site.members)));
                        report.notes
                    }
                };
                notes.iter().for_each(|note| drop(note.render(&site.members)));
            }
        }
    }
}
