//! Topology to members to topology is the identity.

use std::path::Path;

use sysplex::Sysplex;
use sysplex::raw::Topology;
use zos_config::export::export;
use zos_config::import::import;
use zos_config::report::NoteKind;
use zos_config::site::Site;

/// What comes back, or why nothing does.
fn there_and_back(text: &str) -> Result<Sysplex, String> {
    let topology: Topology = toml::from_str(text).map_err(|error| error.to_string())?;
    let files = export(&topology).map_err(|problems| format!("{problems:?}"))?;
    let shown = || {
        files
            .iter()
            .map(|file| format!("--- {}\n{}", file.name, String::from_utf8_lossy(&file.bytes)))
            .collect::<String>()
    };
    let site = Site::new(&files).map_err(|(members, report)| {
        let problems: Vec<String> = report.problems.iter().map(|problem| problem.render(&members)).collect();
        format!("{}\n{}", problems.join("\n"), shown())
    })?;
    match import(&site) {
        Ok(imported) => {
            let lost = imported.notes.iter().find(|note| matches!(note.kind, NoteKind::NotCarried | NoteKind::Changed));
            match lost {
                Some(note) => Err(format!("{}\n{}", note.render(&site.members), shown())),
                None => Ok(imported.sysplex),
            }
        }
        Err(report) => {
            let problems: Vec<String> = report.problems.iter().map(|problem| problem.render(&site.members)).collect();
            Err(format!("{}\n{}", problems.join("\n"), shown()))
        }
    }
}

fn assert_identity(name: &str, text: &str) {
    let sysplex = Sysplex::from_toml(text).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    match there_and_back(text) {
        Ok(back) => assert_eq!(back, sysplex, "{name}"),
        Err(message) => panic!("{name}: {message}"),
    }
}

#[test]
fn every_topology_of_the_scenarios() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/topologies");
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).expect("the topologies") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a topology");
        assert_identity(&path.display().to_string(), &text);
        count += 1;
    }
    assert!(count >= 5, "{count} topologies in {}", directory.display());
}

#[test]
fn options_of_the_stacks_and_defects() {
    let text = r#"
        [sysplex]
        defects = ["PI08005", "SHAREPORT-TSR"]
        [[lpar]]
        name = "SYS1"
        stack = { bind = { 5335 = "10.10.10.11", 4035 = "10.10.10.1" }, shareport = [4035, 8000] }
        [[lpar]]
        name = "SYS2"
        stack = { adjust_dvipa_mss = "NONE" }
        [[dvipa]]
        address = "10.10.10.1"
        owner = "SYS1"
    "#;
    assert_identity("stacks", text);
}

/// Scenarios of the distributor have their sysplex in themselves, as `plex`.
#[test]
fn every_sysplex_inside_a_scenario() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/distributor");
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let table: toml::Table = toml::from_str(&text).expect("TOML");
        if let Some(plex) = table.get("plex") {
            assert_identity(&path.display().to_string(), &toml::to_string(plex).expect("TOML again"));
            count += 1;
        }
    }
    assert!(count > 0, "no sysplex in {}", directory.display());
}

/// Small numbers from which a topology is written; not every one of them is right, most are.
#[derive(Clone, Debug)]
struct Plan {
    systems: usize,
    numbers: Vec<usize>,
}

impl Plan {
    /// A number below `n`, another each time.
    fn next(&mut self, n: usize) -> usize {
        let number = self.numbers.pop().unwrap_or_default();
        number % n
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.next(of.len())]
    }

    fn systems(&mut self) -> String {
        let first = self.next(self.systems);
        let second = (first + 1 + self.next(self.systems.max(2) - 1)) % self.systems;
        let mut names = vec![format!("\"SYS{first}\"")];
        if second != first {
            names.push(format!("\"SYS{second}\""));
        }
        names.join(", ")
    }

    fn write(mut self) -> String {
        let mut text = self
            .one(&[
                "",
                "[sysplex]\nname = \"PLEX1\"\n",
                "[sysplex]\nlan = \"10.20.0.0/22\"\nxcf = \"172.16.1.0/28\"\n",
                "[sysplex]\nlan6 = \"fd00:20::/64\"\n",
            ])
            .to_owned();
        let net = if text.contains("10.20") { "10.20.1" } else { "10.10.10" };
        let net6 = if text.contains("lan6") { "fd00:20" } else { "fd00:10" };
        for system in 0..self.systems {
            text += &format!("[[lpar]]\nname = \"SYS{system}\"\n");
            text += &format!("symbols = {{ EQADBM = {}, SYSCLONE = \"{}\"", 5400 + system, 40 + system);
            text += self.one(&[
                "",
                ", TXT = \"It's (a) /* text, */ & long and long and long and long and long and long\"",
                ", Q = \"'\"",
                ", E = \"\u{e9}\"",
            ]);
            text += " }\n";
            text += self.one(&["", "wlm = 7\n", "server_wlm = { 8000 = 3 }\n"]);
        }
        for dvipa in 0..self.next(4) {
            text += &self.dvipa(dvipa, net, net6);
        }
        if self.next(3) == 0 {
            text += "[[viparoute]]\ndynxcf = \"9.9.9.1\"\ntarget = \"10.10.10.11\"\n";
        }
        for _ in 0..self.next(4) {
            text += &self.task();
        }
        text += self.one(&["", "[[workstation]]\nname = \"WS1\"\n[[workstation]]\nname = \"WS2\"\n"]);
        let reject = "[[firewall]]\nto = \"10.10.10.1\"\nreject = [5335]\nwith = \"icmp\"\n";
        text += self.one(&["", "[[firewall]]\nallow = [4035, \"8108-8117\"]\n", reject]);
        text
    }

    fn dvipa(&mut self, number: usize, net: &str, net6: &str) -> String {
        let address =
            if self.next(3) == 0 { format!("{net6}::{:x}", 0x1000 + number) } else { format!("{net}.{}", 1 + number) };
        let owner = self.next(self.systems);
        let mut text = format!("[[dvipa]]\naddress = \"{address}\"\nowner = \"SYS{owner}\"\n");
        text += self.one(&["", "moveable = \"IMMEDIATE\"\n", "no_target = \"drop\"\n"]);
        let backup = (owner + 1) % self.systems;
        if backup != owner && self.next(2) == 0 {
            // Among backups of one rank the order of the file counts, which is not that of the systems here.
            let others = (0..self.systems).rev().filter(|&other| other != owner);
            let names: Vec<String> = others.map(|other| format!("\"SYS{other}\"")).collect();
            text += &format!("backups = [{}]\n", names.join(", "));
        } else if backup != owner && self.next(2) == 0 {
            text += &format!("[[dvipa.backup]]\nlpar = \"SYS{backup}\"\n");
            text +=
                self.one(&["", "rank = 200\n", "moveable = \"IMMEDIATE\"\n", "rank = 3\nmoveable = \"IMMEDIATE\"\n"]);
        }
        for statement in 0..self.next(3) {
            text += "[[dvipa.distribute]]\n";
            let port = 6000 + 100 * statement;
            text += &match self.next(4) {
                0 => format!("ports = [{port}, \"{}-{}\"]\n", port + 1, port + 9),
                1 if statement == 0 => "ports = [4035, \"53&SYSCLONE\", \"&EQADBM\"]\n".to_owned(),
                2 if statement == 0 => String::new(),
                _ => format!("ports = [{port}]\n"),
            };
            let targets = self.systems();
            text += &match self.next(4) {
                0 => "targets = [\"ALL\"]\n".to_owned(),
                1 if targets.contains(',') => {
                    format!("targets = [{targets}]\nmethod = \"WEIGHTEDACTIVE\"\nweights = [3, 40]\n")
                }
                2 => {
                    let first = targets.split(',').next().unwrap_or_default();
                    let switch = self.one(&["", "autoswitchback = false\n", "autoswitchback = true\n"]);
                    format!("targets = [{targets}]\nmethod = \"HOTSTANDBY\"\npreferred = {first}\n{switch}")
                }
                _ => format!(
                    "targets = [{targets}]\n{}",
                    self.one(&["", "method = \"SERVERWLM\"\n", "method = \"ROUNDROBIN\"\n"])
                ),
            };
            text +=
                self.one(&["", "timed_affinity = \"2m\"\n", "optlocal = 0\n", "optlocal = 16\nsysplexports = true\n"]);
            if self.next(4) == 0 {
                text += "[[dvipa.distribute]]\naction = \"DELETE\"\nports = [6000, 6100]\ntargets = [\"SYS0\"]\n";
            }
        }
        text
    }

    fn task(&mut self) -> String {
        let on = if self.next(2) == 0 { String::new() } else { format!("on = [{}]\n", self.systems()) };
        let name = self.one(&["DBGMGR", "RSED", "SERVER", "PROFILE", "1TASK"]);
        let keys = match self.next(3) {
            0 => {
                let client = self.one(&[
                    "",
                    "client = \"53&SYSCLONE\"\n",
                    "client = \"&EQADBM\"\n",
                    "client = \"5&SYSNAME(-1:1).001\"\n",
                ]);
                let hub = self.one(&[
                    "",
                    "hubip = \"9.9.9.1\"\n",
                    "hubip = \"9.9.9.1\"\nhubport = \"54&SYSCLONE\"\n",
                    "hubport = 1\n",
                ]);
                format!(
                    "program = \"dbgmgr\"\n{client}{hub}{}",
                    self.one(&["", "wait = \"1500ms\"\n", "prm = \"TRUSTEDTCP=ON\"\n"])
                )
            }
            1 => format!(
                "program = \"rsed\"\n{}{}",
                self.one(&["", "port = 4100\n"]),
                self.one(&["", "port_range = \"81&SYSCLONE-8199\"\n"])
            ),
            _ => format!(
                "program = \"server\"\nports = [8000, \"9&SYSCLONE.0\"]\n{}",
                self.one(&["", "backlog = 1\n", "bind = \"10.10.10.1\"\n", "port_check = \"port\"\n"])
            ),
        };
        format!("[[started_task]]\nname = \"{name}\"\n{on}{keys}")
    }
}

#[test]
fn every_topology_that_can_be_made() {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    let plans =
        (1usize..6, prop::collection::vec(0usize..1000, 80)).prop_map(|(systems, numbers)| Plan { systems, numbers });
    let right = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() });
    let run = runner.run(&plans, |plan| {
        let text = plan.write();
        if Sysplex::from_toml(&text).is_ok() {
            right.set(right.get() + 1);
            assert_identity(&text, &text);
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(right.get() >= 200, "only {} of the topologies that were made are right", right.get());
}
