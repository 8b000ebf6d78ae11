//! From the file as it is written to a [`Scenario`]: every name must mean something, before anything starts.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use sysplex::raw::Spanned;
use sysplex::{Diagnostic, StartedTask, Sysplex, did_you_mean};

use super::topology::{self, Named};
use super::{Action, Expect, ExpectFailure, Logon, Scenario, Step, Submit, Symptom, WaitsFor, raw};

const DEFAULT_WITHIN: Duration = Duration::from_secs(5);
/// Longest scenario or topology, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
const LONGEST_WITHIN: Duration = Duration::from_secs(24 * 3600);

pub(super) fn load(path: &Path) -> Result<Scenario, Vec<String>> {
    let shown = path.display().to_string();
    let source = read(path)?;
    let render = |problems: Vec<Diagnostic>| problems.iter().map(|p| p.render(&shown, &source)).collect::<Vec<_>>();
    let file: raw::File = toml::from_str(&source).map_err(|e| render(vec![Diagnostic::from_toml(&e)]))?;
    let (sysplex, notes) = topology::of(&Named::by_file(&file), path, &render)?;
    let (cured_sysplex, cured_notes) = match &file.cured {
        Some(cured) if !Named::by_cure(cured.get_ref()).is_nothing() => {
            topology::of(&Named::by_cure(cured.get_ref()), path, &render)?
        }
        _ => (sysplex.clone(), notes.clone()),
    };
    let mut problems = Vec::new();
    let mut resolver = Resolver::new(&sysplex);
    let default = file.within.as_ref().and_then(|text| resolver.duration(text)).unwrap_or(DEFAULT_WITHIN);
    let steps = resolver.steps(&file.step, default, &source);
    let except = resolver.except(&file.except);
    let expect_failure = file.expect_failure.as_ref().and_then(|expected| resolver.expect_failure(expected));
    if let (Some(cured), None) = (&file.cured, &expect_failure) {
        resolver.problem(cured.span(), "a cure of nothing: expected `expect_failure` beside it".into(), None);
    }
    problems.append(&mut resolver.problems);
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let cured = file.cured.as_ref().map(|cured| {
        let mut resolver = Resolver::new(&cured_sysplex);
        let written = &cured.get_ref().step;
        let steps = resolver.steps(if written.is_empty() { &file.step } else { written }, default, &source);
        problems.append(&mut resolver.problems);
        Box::new(Scenario {
            name: format!("{name}-cured"),
            title: format!("{}: cured", file.title),
            file: path.to_owned(),
            sysplex: cured_sysplex.clone(),
            notes: cured_notes.clone(),
            steps,
            expect_failure: None,
            cured: None,
            except: except.clone(),
            patience: 1,
        })
    });
    if !problems.is_empty() {
        return Err(render(problems));
    }
    let (file, title) = (path.to_owned(), file.title);
    Ok(Scenario { name, title, file, sysplex, notes, steps, expect_failure, cured, except, patience: 1 })
}

/// The line, from 1, of a place in the file.
fn line_of(source: &str, at: usize) -> u32 {
    let before = source.bytes().take(at).filter(|byte| *byte == b'\n').count();
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

fn read(path: &Path) -> Result<String, Vec<String>> {
    read_bounded(path).map_err(|e| vec![format!("error: cannot read {}: {e}", path.display())])
}

/// Reads a regular file that is not too large to be what it should be.
pub(crate) fn read_bounded(path: &Path) -> std::io::Result<String> {
    let found = std::fs::metadata(path)?;
    if !found.is_file() || found.len() > LARGEST_FILE {
        let message = format!("expected a regular file of at most {LARGEST_FILE} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
    }
    std::fs::read_to_string(path)
}

pub(super) struct Resolver<'a> {
    pub(super) sysplex: &'a Sysplex,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) users: Vec<String>,
    pub(super) jobs: Vec<String>,
    /// Names of calls made so far.
    pub(super) calls: Vec<String>,
    /// Names of values captured so far.
    pub(super) captured: Vec<String>,
    /// Names of faults so far.
    pub(super) faults: Vec<String>,
}

impl<'a> Resolver<'a> {
    /// Nothing is known but the sysplex.
    pub(super) fn new(sysplex: &'a Sysplex) -> Self {
        let (problems, users, jobs, calls, captured, faults) = Default::default();
        Self { sysplex, problems, users, jobs, calls, captured, faults }
    }
}

impl Resolver<'_> {
    /// Backends on which it is not run.
    fn except(&mut self, written: &BTreeMap<Spanned<String>, String>) -> BTreeMap<String, String> {
        let backends = crate::backends::ALL.map(|known| known.name);
        let mut except = BTreeMap::new();
        for (backend, why) in written {
            except.extend(self.one_of(backend, "backend", &backends).map(|backend| (backend, why.clone())));
        }
        except
    }

    fn steps(&mut self, written: &[Spanned<raw::Step>], default: Duration, source: &str) -> Vec<Step> {
        if written.is_empty() {
            self.problem(0..0, "no steps: expected at least one [[step]]".into(), None);
        }
        let steps = written.iter().filter_map(|step| {
            let within = step.get_ref().within.as_ref().and_then(|text| self.duration(text)).unwrap_or(default);
            Some(Step { action: self.action(step)?, within, line: line_of(source, step.span().start) })
        });
        steps.collect()
    }

    fn action(&mut self, step: &Spanned<raw::Step>) -> Option<Action> {
        let raw::Step { logon, submit, attach, resume, expect, garbage, .. } = step.get_ref();
        let written = step.get_ref();
        let actions = [
            ("logon", logon.is_some()),
            ("submit", submit.is_some()),
            ("attach", attach.is_some()),
            ("resume", resume.is_some()),
            ("expect", expect.is_some()),
            ("garbage", garbage.is_some()),
            ("calls", written.calls.is_some()),
            ("finish", written.finish.is_some()),
            ("vary", written.vary.is_some()),
            ("modify", written.modify.is_some()),
            ("tell", written.tell.is_some()),
            ("start", written.start.is_some()),
            ("stop", written.stop.is_some()),
            ("crash", written.crash.is_some()),
            ("pause", written.pause.is_some()),
            ("owner", written.owner.is_some()),
            ("agreement", written.agreement.is_some()),
            ("netstat", written.netstat.is_some()),
            ("assert", written.assert.is_some()),
            ("capture", written.capture.is_some()),
            ("logons", written.logons.is_some()),
            ("users", written.users.is_some()),
            ("ezbeport", written.ezbeport.is_some()),
            ("router", written.router.is_some()),
            ("filter", written.filter.is_some()),
            ("ipl", written.ipl.is_some()),
            ("fault", written.fault.is_some()),
            ("heal", written.heal.is_some()),
            ("run", written.run.is_some()),
        ];
        let count = actions.iter().filter(|(_, there)| *there).count();
        if count != 1 {
            let expected = format!("expected exactly one of: {}", actions.map(|(name, _)| name).join(", "));
            self.problem(step.span(), format!("a step with {count} actions: {expected}"), None);
            return None;
        }
        if let Some(logon) = logon {
            return self.logon(logon).map(Action::Logon);
        }
        if let Some(submit) = submit {
            return self.submit(submit).map(Action::Submit);
        }
        if let Some(expect) = expect {
            return self.expect(expect);
        }
        if let Some(garbage) = garbage {
            return self.garbage(garbage).map(Action::Garbage);
        }
        if let Some(act) = self.act(written) {
            return Some(act);
        }
        let attach_job = attach.as_ref().and_then(|attach| self.job(&attach.job)).map(|job| Action::Attach { job });
        attach_job.or_else(|| {
            let resume = resume.as_ref()?;
            Some(Action::Resume { job: self.job(&resume.job)? })
        })
    }

    fn logon(&mut self, logon: &raw::Logon) -> Option<Logon> {
        let user = self.mvs_name(&logon.user, "user id")?;
        self.users.push(user.clone());
        let from = self.workstation(&logon.from)?;
        let on = match &logon.on {
            Some(on) => Some(self.lpar(on)?),
            None => None,
        };
        Some(Logon {
            user,
            from,
            via: self.via(logon.via.as_ref(), logon.user.span())?,
            on,
            encrypted_first: logon.encrypted_first,
            keep_token: logon.keep_token,
            tls: logon.tls,
        })
    }

    /// The address that the client dials; by default the first DVIPA at the RSE daemon's port.
    pub(super) fn via(&mut self, via: Option<&Spanned<String>>, step: std::ops::Range<usize>) -> Option<SocketAddr> {
        if let Some(via) = via {
            let parsed = via.get_ref().parse().ok();
            if parsed.is_none() {
                let message =
                    format!("`{}` is no address: expected ADDRESS:PORT, such as 10.10.10.1:4035", via.get_ref());
                self.problem(via.span(), message, None);
            }
            return parsed;
        }
        let ports = self.sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).find_map(|task| match task {
            StartedTask::Rsed { port, .. } => Some(*port),
            StartedTask::DebugManager { .. }
            | StartedTask::Server { .. }
            | StartedTask::WrongParm { .. }
            | StartedTask::Command { .. } => None,
        });
        let address: Option<IpAddr> = self.sysplex.dvipas.first().map(|dvipa| dvipa.address);
        let via = address.zip(ports).map(|(address, port)| SocketAddr::new(address, port));
        if via.is_none() {
            let message = "the topology has no DVIPA or no RSE daemon: expected `via = \"ADDRESS:PORT\"` in this logon";
            self.problem(step, message.into(), None);
        }
        via
    }

    fn submit(&mut self, submit: &raw::Submit) -> Option<Submit> {
        let job = self.mvs_name(&submit.job, "job name")?;
        if self.jobs.contains(&job) {
            self.problem(submit.job.span(), format!("job `{job}` is submitted twice: expected another name"), None);
        }
        self.jobs.push(job.clone());
        let on = self.lpar(&submit.on)?;
        let user = self.mvs_name(&submit.user, "user id")?;
        let test =
            submit.test.as_ref().map_or_else(|| format!("TEST(,,,DBMDT%{user}:*)"), |test| test.get_ref().clone());
        let wanted = wanted_user(&test).unwrap_or(&user).to_owned();
        let waits_for = match submit.waits_for.as_ref() {
            None => None,
            Some(text) => {
                let word = self.one_of(text, "phase", &["register", "engine"])?;
                Some(if word == "register" { WaitsFor::Register } else { WaitsFor::Engine })
            }
        };
        Some(Submit { job, on, user, test, wanted, waits_for })
    }

    fn expect(&mut self, expect: &Spanned<raw::Expect>) -> Option<Action> {
        match (&expect.get_ref().job, &expect.get_ref().task) {
            (Some(job), None) => self.expect_job(job, expect.get_ref()).map(Action::Expect),
            (None, Some(task)) => self.expect_task(task, expect).map(Action::ExpectTask),
            (Some(_), Some(_)) => {
                let message = "`job` and `task` in one expect: expected one of them; the other is a step of its own";
                self.problem(expect.span(), message.into(), None);
                None
            }
            (None, None) => {
                self.problem(expect.span(), "an expect of nobody: expected `job` or `task`".into(), None);
                None
            }
        }
    }

    fn expect_job(&mut self, job: &Spanned<String>, expect: &raw::Expect) -> Option<Expect> {
        let job = self.job(job)?;
        if let Some(memory) = &expect.memory {
            let message = "`memory` of a job: expected `task = \"...\"`, a started task, beside it";
            self.problem(memory.span(), message.into(), None);
        }
        let on = match &expect.on {
            Some(on) => Some(self.lpar(on)?),
            None => None,
        };
        let crosses_xcf = match &expect.crosses {
            Some(text) => Some(self.one_of(text, "segment", &["xcf", "nothing"])? == "xcf"),
            None => None,
        };
        let port = expect.port.as_ref().map(|port| *port.get_ref());
        Some(Expect { job, on, port, crosses_xcf })
    }

    fn expect_failure(&mut self, expected: &raw::ExpectFailure) -> Option<ExpectFailure> {
        let names = Symptom::ALL.map(Symptom::as_str);
        let name = self.one_of(&expected.symptom, "symptom", &names)?;
        let symptom = Symptom::ALL.into_iter().find(|symptom| symptom.as_str() == name)?;
        Some(ExpectFailure { symptom, cause: expected.cause.as_ref().map(|cause| cause.get_ref().clone()) })
    }

    fn job(&mut self, job: &Spanned<String>) -> Option<String> {
        let jobs = self.jobs.clone();
        let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
        self.one_of(job, "job submitted before this step", &jobs)
    }

    pub(super) fn workstation(&mut self, name: &Spanned<String>) -> Option<String> {
        let workstations: Vec<&str> = self.sysplex.workstations.iter().map(|w| w.name.as_str()).collect();
        self.one_of(name, "workstation", &workstations)
    }

    pub(super) fn host(&mut self, name: &Spanned<String>) -> Option<String> {
        let lpars = self.sysplex.lpars.iter().map(|lpar| lpar.name.as_str());
        let hosts: Vec<&str> = lpars.chain(self.sysplex.workstations.iter().map(|w| w.name.as_str())).collect();
        self.one_of(name, "LPAR or workstation", &hosts)
    }

    pub(super) fn lpar(&mut self, name: &Spanned<String>) -> Option<String> {
        let names: Vec<&str> = self.sysplex.lpars.iter().map(|lpar| lpar.name.as_str()).collect();
        self.one_of(name, "LPAR", &names)
    }

    pub(super) fn one_of(&mut self, found: &Spanned<String>, kind: &str, right: &[&str]) -> Option<String> {
        let word = found.get_ref();
        if right.contains(&word.as_str()) {
            return Some(word.clone());
        }
        let list = if right.is_empty() { "none".to_owned() } else { right.join(", ") };
        let help = did_you_mean(word, right.iter().copied());
        self.problem(found.span(), format!("no {kind} `{word}`: there is {list}"), help);
        None
    }

    pub(super) fn mvs_name(&mut self, name: &Spanned<String>, kind: &str) -> Option<String> {
        let text = name.get_ref();
        let national = |b: u8| b.is_ascii_uppercase() || matches!(b, b'@' | b'#' | b'$');
        let good = (1..=8).contains(&text.len())
            && text.bytes().all(|b| national(b) || b.is_ascii_digit())
            && text.bytes().next().is_some_and(national);
        if !good {
            let rule = "expected 1 to 8 of A-Z, 0-9, @, #, $, not starting with a digit";
            let help = (text.len() <= 8 && text.chars().any(|c| c.is_ascii_lowercase()))
                .then(|| format!("did you mean `{}`?", text.to_uppercase()));
            self.problem(name.span(), format!("`{text}` is not a {kind}: {rule}"), help);
        }
        good.then(|| text.clone())
    }

    pub(super) fn duration(&mut self, text: &Spanned<String>) -> Option<Duration> {
        let parsed = humantime::parse_duration(text.get_ref());
        if parsed.as_ref().is_ok_and(|within| *within > LONGEST_WITHIN) {
            let message = format!("`{}` is too long: expected at most {LONGEST_WITHIN:?}", text.get_ref());
            self.problem(text.span(), message, None);
            return None;
        }
        if let Err(e) = &parsed {
            let message = format!("`{}` is not a duration ({e}): expected such as \"2s\" or \"150ms\"", text.get_ref());
            self.problem(text.span(), message, None);
        }
        parsed.ok()
    }

    pub(super) fn problem(&mut self, span: std::ops::Range<usize>, message: String, help: Option<String>) {
        self.problems.push(Diagnostic::new(span, message).with_help(help));
    }
}

/// The user in `TEST(,,,DBMDT%USER:*)`. What is wrong with the option itself the debugger says when the job starts.
fn wanted_user(test: &str) -> Option<&str> {
    let (_, rest) = test.split_once("DBMDT%")?;
    rest.split([':', ')', ',']).next().filter(|user| !user.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_user_is_read_from_the_test_option() {
        assert_eq!(wanted_user("TEST(,,,DBMDT%IBMUSER:*)"), Some("IBMUSER"));
        assert_eq!(wanted_user("TEST(ALL,,PROMPT,DBMDT%U)"), Some("U"));
        assert_eq!(wanted_user("TEST(,,,DBMDT:*)"), None);
    }
}
