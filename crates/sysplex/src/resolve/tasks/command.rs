//! Any program as a started task.

use std::collections::BTreeMap;

use toml::Spanned;

use super::Reader;
use crate::model::StartedTask;
use crate::names::{cut, did_you_mean};
use crate::ports::port;
use crate::program::{Command, Ready};
use crate::raw::ReadyTable;
use crate::resolve::Trouble;

/// How often a program that fails is started again when the topology does not say.
const RESTARTS: u32 = 3;
const MOST_RESTARTS: u32 = 1000;
/// Where a host has files of its own.
const OWN: [&str; 2] = ["/run/", "/tmp/"];

impl Reader<'_> {
    pub(super) fn command(&mut self) -> Option<StartedTask> {
        let table = self.table;
        let Some(written) = table.command.as_ref().filter(|argv| !argv.get_ref().is_empty()) else {
            let message =
                "nothing to run: expected `program = \"...\"`, or `command = [...]` with a program and its arguments";
            self.trouble(table.name.span(), message.to_owned(), None);
            return None;
        };
        let mut argv = Vec::new();
        for word in written.get_ref() {
            argv.push(self.text(word)?);
        }
        if argv[0].is_empty() {
            self.trouble(written.span(), "the program has no name".to_owned(), None);
        }
        let environment = self.texts(&table.environment)?;
        for name in
            table.environment.keys().filter(|name| name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']))
        {
            self.trouble(name.span(), format!("`{}` is no name of a variable", cut(name.get_ref())), None);
        }
        let files = self.texts(&table.files)?;
        for path in table.files.keys() {
            let own = OWN.iter().any(|own| path.get_ref().starts_with(own));
            if !own || path.get_ref().ends_with('/') || path.get_ref().split('/').any(|part| part == "..") {
                let message =
                    format!("`{}` is no file of the LPAR's own: expected one below /run or /tmp", cut(path.get_ref()));
                self.trouble(path.span(), message, None);
            }
        }
        let ready = self.ready()?;
        let restarts = self.restarts()?;
        let name = table.name.get_ref().clone();
        Some(StartedTask::Command { name, command: Command { argv, environment, files, ready, restarts } })
    }

    fn ready(&mut self) -> Option<Ready> {
        let Some(written) = &self.table.ready else { return Some(Ready::Started) };
        match written.get_ref() {
            ReadyTable::Port(value) => self.read(written.span(), &value.0, port).map(Ready::Port),
            ReadyTable::Log(text) if text.is_empty() => {
                self.trouble(written.span(), "an empty text is in every line: expected another".to_owned(), None);
                None
            }
            ReadyTable::Log(text) => Some(Ready::Log(text.clone())),
            ReadyTable::Word(word) => {
                const WORDS: [&str; 3] = ["started", "sd_notify", "exit"];
                match word.as_str() {
                    "started" => Some(Ready::Started),
                    "sd_notify" => Some(Ready::Notify),
                    "exit" => Some(Ready::Exit),
                    _ => {
                        let expected =
                            "expected \"sd_notify\", \"exit\", \"started\", { port = 80 } or { log = \"text\" }";
                        let message = format!("`{}` is no readiness: {expected}", cut(word));
                        self.trouble(written.span(), message, did_you_mean(word, WORDS));
                        None
                    }
                }
            }
        }
    }

    fn restarts(&mut self) -> Option<u32> {
        let table = self.table;
        let on_failure = match table.restart.as_ref().map(|restart| (restart.get_ref().as_str(), restart.span())) {
            None | Some(("never", _)) => false,
            Some(("on-failure", _)) => true,
            Some((word, span)) => {
                let message = format!("`{}` is no policy: expected never or on-failure", cut(word));
                self.trouble(span, message, did_you_mean(word, ["never", "on-failure"]));
                return None;
            }
        };
        match &table.restart_most {
            None => Some(if on_failure { RESTARTS } else { 0 }),
            Some(most) if !on_failure => {
                self.trouble(most.span(), "`restart_most` without `restart = \"on-failure\"`".to_owned(), None);
                None
            }
            Some(most) if (1..=MOST_RESTARTS).contains(most.get_ref()) => Some(*most.get_ref()),
            Some(most) => {
                self.trouble(most.span(), format!("{}: expected 1 to {MOST_RESTARTS}", most.get_ref()), None);
                None
            }
        }
    }

    fn text(&mut self, written: &Spanned<String>) -> Option<String> {
        self.read(written.span(), written.get_ref(), |text| {
            if text.contains('\0') { Err("it has a zero byte".to_owned()) } else { Ok(text.to_owned()) }
        })
    }

    fn texts(&mut self, written: &BTreeMap<Spanned<String>, Spanned<String>>) -> Option<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        for (key, value) in written {
            texts.insert(key.get_ref().clone(), self.text(value)?);
        }
        Some(texts)
    }

    fn trouble(&mut self, span: std::ops::Range<usize>, message: String, help: Option<String>) {
        self.troubles.add(span, Trouble { help, ..Trouble::new(message) }, &self.lpar.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Diagnostic, Sysplex};

    fn read(keys: &str) -> Result<Vec<StartedTask>, Vec<Diagnostic>> {
        let text = format!("[[lpar]]\nname = \"SYS1\"\n[[started_task]]\nname = \"WEB\"\n{keys}\n");
        Sysplex::from_toml(&text).map(|sysplex| sysplex.lpars[0].tasks.clone())
    }

    #[test]
    fn any_program_with_the_symbols_of_its_lpar() {
        let keys = "command = [\"sh\", \"-c\", \"a && echo &SYSNAME.\"]\nenvironment = { SYSTEM = \"&SYSNAME\" }\n\
                    files = { \"/run/x/conf\" = \"on &SYSNAME\" }\nready = { port = 80 }\nrestart = \"on-failure\"";
        let Ok([StartedTask::Command { name, command }]) = read(keys).as_deref().map(|tasks| [tasks[0].clone()]) else {
            panic!("{:?}", read(keys));
        };
        assert_eq!((name.as_str(), command.argv[2].as_str()), ("WEB", "a && echo SYS1"));
        assert_eq!(
            (command.environment["SYSTEM"].as_str(), command.files["/run/x/conf"].as_str()),
            ("SYS1", "on SYS1")
        );
        assert_eq!((command.ready, command.restarts), (Ready::Port(80), RESTARTS));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (keys, part) in [
            ("", "nothing to run: expected `program"),
            ("command = []", "nothing to run"),
            ("command = [\"x\"]\nready = \"sdnotify\"", "`sdnotify` is no readiness"),
            ("command = [\"x\"]\nready = { prot = 80 }", "expected one key, `port` or `log`"),
            ("command = [\"x\"]\nready = { port = 0 }", "`0` is not a port"),
            ("command = [\"x\"]\nready = { log = \"\" }", "in every line"),
            ("command = [\"x\"]\nrestart = \"always\"", "`always` is no policy"),
            ("command = [\"x\"]\nrestart_most = 3", "without `restart"),
            ("command = [\"x\"]\nrestart = \"on-failure\"\nrestart_most = 0", "0: expected 1 to"),
            ("command = [\"x\"]\nfiles = { \"/etc/passwd\" = \"\" }", "no file of the LPAR's own"),
            ("command = [\"x\"]\nfiles = { \"/run/../etc/passwd\" = \"\" }", "no file of the LPAR's own"),
            ("command = [\"&X\"]", "&X"),
            ("program = \"server\"\nports = [1]\ncommand = [\"x\"]", "`command` belongs to program `command`"),
        ] {
            let problems = read(keys).expect_err(keys);
            assert!(problems.iter().any(|one| one.message.contains(part)), "no `{part}` in {problems:?}");
        }
    }
}
