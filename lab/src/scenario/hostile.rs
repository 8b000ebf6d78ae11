//! What a scenario says of hostile input: the strangers, and what started tasks may take meanwhile.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use sysplex::raw::Spanned;

use super::resolve::Resolver;
use super::{ExpectTask, Garbage, raw, size};

/// Most silent connections of one step. Ours: each is a port of the strangers' host, which has 28,000 to give.
const MOST_SILENT: u32 = 20_000;

impl Resolver<'_> {
    pub(super) fn garbage(&mut self, garbage: &raw::Garbage) -> Option<Garbage> {
        let from = self.host(&garbage.from)?;
        if garbage.at.get_ref().is_empty() {
            let message = "garbage for nobody: expected at least one ADDRESS:PORT, such as \"10.10.10.1:5335\"";
            self.problem(garbage.at.span(), message.into(), None);
        }
        let at: Vec<Option<SocketAddr>> = garbage.at.get_ref().iter().map(|at| self.own_address(at)).collect();
        let silent = garbage.silent.as_ref().map_or(0, |silent| *silent.get_ref());
        if let Some(found) = garbage.silent.as_ref().filter(|_| silent > MOST_SILENT) {
            self.problem(found.span(), format!("{silent} silent connections: expected at most {MOST_SILENT}"), None);
        }
        Some(Garbage { from, at: at.into_iter().collect::<Option<_>>()?, silent })
    }

    /// An address that is one of the sysplex' own: nothing is thrown at anybody else.
    pub(super) fn own_address(&mut self, at: &Spanned<String>) -> Option<SocketAddr> {
        let Ok(address) = at.get_ref().parse::<SocketAddr>() else {
            let message = format!("`{}` is no address: expected ADDRESS:PORT, such as 10.10.10.1:5335", at.get_ref());
            self.problem(at.span(), message, None);
            return None;
        };
        if !(address.ip().is_loopback() || self.own_addresses().contains(&address.ip())) {
            let own: Vec<String> = self.own_addresses().iter().map(ToString::to_string).collect();
            let message = format!(
                "{} is no address of this sysplex: expected 127.0.0.1 or one of {}",
                address.ip(),
                own.join(", ")
            );
            self.problem(at.span(), message, None);
            return None;
        }
        Some(address)
    }

    fn own_addresses(&self) -> BTreeSet<IpAddr> {
        let dvipas = self.sysplex.dvipas.iter().map(|dvipa| dvipa.address);
        let lpars = self.sysplex.lpars.iter().flat_map(|lpar| [lpar.home, lpar.xcf].map(IpAddr::from));
        dvipas.chain(lpars).collect()
    }

    pub(super) fn expect_task(&mut self, task: &Spanned<String>, expect: &Spanned<raw::Expect>) -> Option<ExpectTask> {
        let raw::Expect { job: _, on, port, crosses, task: _, memory } = expect.get_ref();
        let of_jobs = [
            ("on", on.as_ref().map(Spanned::span)),
            ("port", port.as_ref().map(Spanned::span)),
            ("crosses", crosses.as_ref().map(Spanned::span)),
        ];
        for (key, span) in of_jobs {
            if let Some(span) = span {
                let message = format!("`{key}` of a started task: expected it beside `job` only");
                self.problem(span, message, None);
            }
        }
        let started: BTreeSet<&str> =
            self.sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).map(sysplex::StartedTask::name).collect();
        let name = self.one_of(task, "started task", &started.into_iter().collect::<Vec<_>>())?;
        let Some(memory) = memory else {
            let message = format!("nothing is expected of {name}: expected `memory = \"SIZE\"`, such as \"16MiB\"");
            self.problem(expect.span(), message, None);
            return None;
        };
        let bytes = size::parse(memory.get_ref());
        if bytes.is_none() {
            let message = format!("`{}` is no size: expected such as \"16MiB\" or \"512KiB\"", memory.get_ref());
            self.problem(memory.span(), message, None);
        }
        Some(ExpectTask { task: name, memory: bytes? })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::{Action, Scenario};

    /// One step in a sysplex of two LPARs with the home addresses 10.10.10.11 and .12.
    fn load(step: &str) -> Result<Action, String> {
        let topology = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/topologies/two-lpars.toml");
        let text = format!("title = \"t\"\ntopology = {:?}\n[[step]]\n{step}\n", topology.display().to_string());
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("scenario.toml");
        std::fs::write(&file, text).expect("written");
        let mut steps = Scenario::load(&file).map_err(|problems| problems.join("\n"))?.steps;
        Ok(steps.remove(0).action)
    }

    fn refused(step: &str) -> String {
        load(step).expect_err("it is wrong")
    }

    #[test]
    fn strangers_may_be_on_a_workstation_or_an_lpar() {
        let from_outside = load(r#"garbage = { from = "WS1", at = ["10.10.10.1:4035"], silent = 1000 }"#);
        let Ok(Action::Garbage(found)) = from_outside else { panic!("{from_outside:?}") };
        let at = vec!["10.10.10.1:4035".parse().expect("an address")];
        assert_eq!(found, Garbage { from: "WS1".into(), at, silent: 1000 });
        let inside = load(r#"garbage = { from = "LPAR2", at = ["127.0.0.1:5336", "9.9.9.1:5337"] }"#);
        assert!(matches!(inside, Ok(Action::Garbage(Garbage { silent: 0, .. }))), "{inside:?}");
    }

    #[test]
    fn nothing_is_thrown_at_anybody_outside() {
        let problem = refused(r#"garbage = { from = "WS1", at = ["192.0.2.1:80"] }"#);
        assert!(
            problem.contains("192.0.2.1 is no address of this sysplex") && problem.contains("9.9.9.2"),
            "{problem}"
        );
        let problem = refused(r#"garbage = { from = "WS1", at = ["10.10.10.1"] }"#);
        assert!(problem.contains("expected ADDRESS:PORT"), "{problem}");
        let problem = refused(r#"garbage = { from = "WS1", at = [] }"#);
        assert!(problem.contains("at least one"), "{problem}");
        let problem = refused(r#"garbage = { from = "WS2", at = ["10.10.10.1:4035"], silent = 1 }"#);
        assert!(
            problem.contains("no LPAR or workstation `WS2`") && problem.contains("did you mean `WS1`"),
            "{problem}"
        );
        let problem = refused(r#"garbage = { from = "WS1", at = ["10.10.10.1:4035"], silent = 20001 }"#);
        assert!(problem.contains("at most 20000"), "{problem}");
    }

    #[test]
    fn a_task_is_expected_to_stay_within_its_memory() {
        let found = load(r#"expect = { task = "DBGMGR", memory = "16MiB" }"#);
        let Ok(Action::ExpectTask(found)) = found else { panic!("{found:?}") };
        assert_eq!(found, ExpectTask { task: "DBGMGR".into(), memory: 16 << 20 });
    }

    #[test]
    fn an_expect_is_of_a_job_or_of_a_task() {
        for (step, words) in [
            (r#"expect = { task = "DBGMRG", memory = "16MiB" }"#, "did you mean `DBGMGR`"),
            (r#"expect = { task = "DBGMGR", memory = "16MB" }"#, "`16MB` is no size"),
            (r#"expect = { task = "DBGMGR" }"#, "expected `memory"),
            (r#"expect = { memory = "16MiB" }"#, "expected `job` or `task`"),
            (r#"expect = { task = "DBGMGR", memory = "1MiB", port = 1 }"#, "`port` of a started task"),
            (r#"expect = { task = "DBGMGR", job = "A", memory = "1MiB" }"#, "expected one of them"),
        ] {
            let problem = refused(step);
            assert!(problem.contains(words), "{step}: {problem}");
        }
        let submit = r#"submit = { job = "A", on = "LPAR1", user = "U" }"#;
        let problem = refused(&format!("{submit}\n[[step]]\nexpect = {{ job = \"A\", memory = \"1MiB\" }}"));
        assert!(problem.contains("`memory` of a job"), "{problem}");
    }
}
