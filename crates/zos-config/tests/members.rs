//! Members of many house styles. What each becomes stands in `tests/expected`; to write those files anew, for review, set
//! `ZOS_CONFIG_BLESS=1`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sysplex::{Method, Ports, StartedTask, Sysplex};
use zos_config::export::export;
use zos_config::ieasym;
use zos_config::import::{Imported, import, import_as_run};
use zos_config::profile::{self, DvipaName, Profile, Vipa};
use zos_config::report::{NoteKind, Report};
use zos_config::site::{File, Site, System, disk};
use zos_config::source::Placed;

/// What was mangled gives an error with a place, or an import that is right; never a panic.
#[test]
fn mangled_members_give_an_error_with_a_place_or_a_topology() {
    const PLACES: u64 = 200;
    let (mut right, mut wrong) = (0, 0);
    for name in names() {
        let files = disk::directory(&directory(&name)).expect("the members");
        for number in 0..PLACES {
            let mut files = files.clone();
            let seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ name.len() as u64;
            let what = mangle(&mut files, seed);
            let told = match Site::new(&files) {
                Err((members, report)) => report.problems.iter().map(|problem| problem.render(&members)).collect(),
                Ok(site) => match import(&site) {
                    Ok(imported) => {
                        assert_eq!(
                            Sysplex::from_toml(&imported.toml).as_ref(),
                            Ok(&imported.sysplex),
                            "{name}: {what}"
                        );
                        imported.notes.iter().for_each(|note| drop(note.render(&site.members)));
                        right += 1;
                        continue;
                    }
                    Err(report) => {
                        report.problems.iter().map(|problem| problem.render(&site.members)).collect::<Vec<_>>()
                    }
                },
            };
            wrong += 1;
            assert!(!told.is_empty() && told.iter().any(|text| text.contains("--> ")), "{name}: {what}: {told:?}");
        }
    }
    assert!(right > 500 && wrong > 500, "{right} right, {wrong} wrong");
}

/// Cuts, changes, doubles or takes away something, and says what.
fn mangle(files: &mut [File], mut seed: u64) -> String {
    let mut below = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % n.max(1) as u64).expect("small")
    };
    for _ in 0..3 {
        below(2);
    }
    let which = below(files.len());
    let file = &mut files[which];
    let at = below(file.bytes.len());
    let what = ["cut", "flipped", "removed", "inserted", "doubled", "swapped"][below(6)];
    let length = 1 + below(20);
    match what {
        "cut" => file.bytes.truncate(at),
        "flipped" => file.bytes[at] ^= 1 << below(8),
        "removed" => drop(file.bytes.drain(at..(at + length).min(file.bytes.len()))),
        "inserted" => file.bytes.insert(at, [b'&', b'.', b'\'', b'(', b'\n', b' ', 0, 0xff, b'/', b'='][below(10)]),
        "doubled" => {
            let part: Vec<u8> = file.bytes[at..(at + length).min(file.bytes.len())].to_vec();
            file.bytes.splice(at..at, part);
        }
        _ => {
            let other = below(file.bytes.len());
            file.bytes.swap(at, other);
        }
    }
    format!("{} {what} at {at}", file.name)
}

/// The profile of the largest site is read 32 times, and all its procedures.
#[test]
fn a_site_of_32_systems() {
    let mut text = String::from("[sysplex]\nname = \"BIG\"\n");
    for system in 1..=32 {
        text += &format!(
            "[[lpar]]\nname = \"SYS{system}\"\nsymbols = {{ EQADBM = {}, SYSCLONE = \"{system:02}\" }}\n",
            5400 + system
        );
    }
    for dvipa in 1..=8 {
        text += &format!(
            "[[dvipa]]\naddress = \"10.10.10.{}\"\nowner = \"SYS{dvipa}\"\nbackups = [\"SYS{}\"]\n",
            200 + dvipa,
            dvipa + 1
        );
        text += "[[dvipa.distribute]]\nports = [4035, \"5401-5432\"]\ntargets = [\"ALL\"]\nsysplexports = true\n";
    }
    text += "[[started_task]]\nname = \"DBGMGR\"\nprogram = \"dbgmgr\"\nclient = \"&EQADBM\"\nhubip = \"9.9.9.1\"\n";
    text += "[[started_task]]\nname = \"RSED\"\nprogram = \"rsed\"\nport_range = \"8108-8118\"\n";
    let mut files = export(&toml::from_str(&text).expect("a topology")).expect("members");
    // As long as profiles of a site are: 100 more records each.
    for file in files.iter_mut().filter(|file| file.name.ends_with("PROFILE.TCPIP")) {
        for port in 1..=100 {
            file.bytes.extend(format!("PORT {port} TCP JOB{port} NOAUTOLOG ; RESERVED FOR AN APPLICATION\n").bytes());
        }
    }
    let start = Instant::now();
    let site = Site::new(&files).expect("a site");
    let imported = import(&site).expect("right");
    let took = start.elapsed();
    assert_eq!(
        imported.sysplex,
        Sysplex::from_toml(&text)
            .map(|mut sysplex| {
                sysplex.workstations.clone_from(&imported.sysplex.workstations);
                sysplex
            })
            .expect("right")
    );
    println!("32 systems, {} members: {took:?}", files.len());
}

/// House styles are here, the seed's own site with the scenarios that run it.
fn directories() -> [PathBuf; 2] {
    ["tests/members", "../../scenarios/field/members"].map(|path| Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}

fn directory(name: &str) -> PathBuf {
    let found = directories().map(|directory| directory.join(name)).into_iter().find(|path| path.is_dir());
    found.unwrap_or_else(|| panic!("no members of {name}"))
}

fn site(name: &str) -> Site {
    let files = disk::directory(&directory(name)).expect("the members");
    Site::new(&files).unwrap_or_else(|(members, report)| {
        let problems: Vec<String> = report.problems.iter().map(|problem| problem.render(&members)).collect();
        panic!("{name}: {}", problems.join("\n"))
    })
}

fn imported(name: &str) -> (Site, Imported) {
    let site = site(name);
    // Those of the field catalogue are run as they are, mistakes and all.
    let is_style = name.starts_with(|c: char| c.is_ascii_digit());
    match if is_style { import(&site) } else { import_as_run(&site) } {
        Ok(imported) => (site, imported),
        Err(report) => {
            let problems: Vec<String> = report.problems.iter().map(|problem| problem.render(&site.members)).collect();
            panic!("{name}: {}", problems.join("\n"))
        }
    }
}

fn names() -> Vec<String> {
    let entries = directories().map(|directory| std::fs::read_dir(directory).expect("the members"));
    let entries = entries.into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_house_style_becomes_what_was_reviewed() {
    let names = names();
    assert_eq!(names.iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).count(), 12);
    for name in names {
        let (site, imported) = imported(&name);
        let notes: String = imported.notes.iter().map(|note| format!("# {}\n", note.render(&site.members))).collect();
        let found = format!("{}\n{notes}", imported.toml);
        let path = directories()[0].join("../expected").join(format!("{name}.toml"));
        if std::env::var_os("ZOS_CONFIG_BLESS").is_some() {
            std::fs::write(&path, &found).expect("written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, expected, "{name}");
    }
}

/// A statement of a VIPADYNAMIC block is in the topology, or a note says that it is not, and why.
#[test]
fn no_statement_is_dropped() {
    for name in names() {
        let (site, imported) = imported(&name);
        let notes: Vec<String> = imported.notes.iter().map(|note| note.render(&site.members)).collect();
        let told: BTreeSet<(&str, usize)> =
            imported.toml.lines().chain(notes.iter().map(String::as_str)).flat_map(places_in).collect();
        let mut before: Vec<Vipa> = Vec::new();
        let mut count = 0;
        for system in &site.systems {
            let profile = profile(&site, system);
            for (position, statement) in profile.vipa.iter().enumerate() {
                let member = site.members.get(statement.place.member);
                let (first, last) = (member.position(statement.place.start).0, member.position(statement.place.end).0);
                let is_told = (first..=last).any(|line| told.contains(&(member.name.as_str(), line)));
                let is_told =
                    is_told || is_said_already(&statement.value, &before) || is_deleted(&profile.vipa[position..]);
                assert!(
                    is_told,
                    "{name}: {}: {}",
                    site.members.show(statement.place),
                    site.members.written(statement.place)
                );
                count += 1;
            }
            before.extend(profile.vipa.into_iter().map(|statement| statement.value));
        }
        assert!(count > 1, "{name} has {count} statements");
    }
}

/// Files and lines of a comment behind a value, or at the beginning of a note.
fn places_in(line: &str) -> Vec<(&str, usize)> {
    let places = line.rsplit_once("  # ").map_or(line, |(_, places)| places);
    let place = |text: &'_ str| -> Option<(usize, usize)> {
        let file = text.find(':')?;
        Some((file, text[file + 1..].split(':').next()?.parse().ok()?))
    };
    places.split(", ").filter_map(|text| place(text).map(|(file, number)| (&text[..file], number))).collect()
}

fn profile(site: &Site, system: &System) -> Profile {
    let mut report = Report::default();
    let symbols = ieasym::resolve(&site.definitions, &system.identity, "LABPLEX", &mut report).symbols;
    let id = site.profile(system).expect("one").expect("a profile");
    profile::read(&site.members, id, &symbols, &|name| site.find(system, name), &mut report)
}

/// A backup's VIPADISTRIBUTE that is the owner's, and a VIPAROUTE that another system has too.
fn is_said_already(statement: &Vipa, before: &[Vipa]) -> bool {
    before.iter().any(|other| match (statement, other) {
        (Vipa::Distribute(one), Vipa::Distribute(other)) => {
            one.dvipa.value == other.dvipa.value
                && one.ports.iter().map(|p| &p.value).eq(other.ports.iter().map(|p| &p.value))
        }
        (Vipa::Route { dynxcf, target, .. }, Vipa::Route { dynxcf: other, target: to, .. }) => {
            (dynxcf.value, target.value) == (other.value, to.value)
        }
        _ => false,
    })
}

/// A VIPADEFINE that a VIPADELETE takes back, and the VIPADELETE.
fn is_deleted(statements: &[Placed<Vipa>]) -> bool {
    match &statements[0].value {
        Vipa::Delete(_) => true,
        Vipa::Define(define) => {
            let name = DvipaName::Address(define.dvipa.value.address);
            statements.iter().any(|later| later.value == Vipa::Delete(name.clone()))
        }
        _ => false,
    }
}

fn clients(sysplex: &Sysplex) -> Vec<u16> {
    let tasks = sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks);
    tasks
        .filter_map(|task| if let StartedTask::DebugManager { client, .. } = task { Some(*client) } else { None })
        .collect()
}

#[test]
fn the_seeds_example_both_ways_is_figure_4() {
    let figure4 = std::fs::read_to_string(directories()[1].join("../../topologies/two-lpars.toml")).expect("there");
    let figure4 = Sysplex::from_toml(&figure4).expect("right");
    for (name, symbol) in [("sysclone", "53&SYSCLONE"), ("eqadbm", "&EQADBM")] {
        let (_, imported) = imported(name);
        assert!(imported.toml.contains(&format!("client = \"{symbol}\"")), "{}", imported.toml);
        let sysplex = &imported.sysplex;
        assert_eq!(clients(sysplex), [5334, 5335], "{name}");
        assert_eq!((&sysplex.name, sysplex.lan, sysplex.xcf), (&figure4.name, figure4.lan, figure4.xcf));
        assert_eq!(sysplex.workstations, figure4.workstations);
        let (ours, theirs) = (&sysplex.dvipas[0], &figure4.dvipas[0]);
        assert_eq!((ours.address, ours.owner), (theirs.address, theirs.owner));
        assert_eq!(ours.distribute[0].ports, theirs.distribute[0].ports);
        // The guide's sample has BASEWLM, the scenario ROUNDROBIN.
        assert_eq!(ours.distribute[0].method, Method::BaseWlm);
        let mut tasks: Vec<_> = sysplex.lpars.iter().map(|lpar| lpar.tasks.clone()).collect();
        tasks.iter_mut().for_each(|tasks| tasks.reverse());
        assert_eq!(tasks, figure4.lpars.iter().map(|lpar| lpar.tasks.clone()).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn the_seeds_sample_setup_has_its_two_ports_added() {
    let (_, imported) = imported("sample-setup");
    assert_eq!(clients(&imported.sysplex), [5331, 5332]);
    assert_eq!(imported.sysplex.dvipas[0].distribute[0].ports, Ports::Listed(vec![4035, 5331, 5332]));
    assert!(imported.sysplex.dvipas[0].sysplexports);
    assert!(!imported.notes.iter().any(|note| note.kind == NoteKind::NotCarried), "{:?}", imported.notes);
}

#[test]
fn what_symbols_make_of_a_parm_is_for_who_runs_the_site() {
    for (name, code, client) in [("F07", "F07", "533B"), ("F08", "F08", "&EQADBM")] {
        let site = site(name);
        let problems = import(&site).expect_err("a mistake").problems;
        assert!(!problems.is_empty() && problems.iter().all(|problem| problem.code == Some(code)), "{problems:?}");
        let run = import_as_run(&site).expect("to be run").sysplex;
        let parm = run.lpars[1].tasks.iter().find_map(|task| match task {
            StartedTask::WrongParm { words, .. } => Some(words.clone()),
            _ => None,
        });
        assert_eq!(parm.expect("Debug Manager of LPAR2")[..2], ["5336", client]);
        assert_eq!(clients(&run), [5334], "LPAR1 is right");
    }
}
