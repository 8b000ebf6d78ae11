//! The step that runs a program on a host.

use std::time::Duration;

use super::diagnose::Failure;
use super::result::Proof;
use super::steps::{Stage, StepError};
use crate::plex::tool::{self, Ran};
use crate::scenario::Symptom;
use crate::scenario::program::Run;

/// Most characters of what a program prints that are shown.
const SHOWN: usize = 2000;

impl Stage<'_> {
    pub(super) async fn run(&mut self, run: &Run, within: Duration) -> Result<(), StepError> {
        let (host, exits) = self.plex.hosts.get(&run.on)?;
        let done = tokio::time::timeout(within, tool::run(&host, &exits, run.argv.clone(), "")).await;
        let Ok(ran) = done else {
            let what = format!(
                "`{}` on {} has not ended within {}",
                run.argv.join(" "),
                run.on,
                humantime::format_duration(within)
            );
            return Err(Failure::new(Symptom::StepTimedOut, what).into());
        };
        let ran = ran?;
        let wrong = wrong(run, &ran);
        let shown = wrong.as_ref().map_or_else(|| run.says.join("; "), Clone::clone);
        let claim = format!("`{}` on {} does and says what it must", run.argv.join(" "), run.on);
        self.proofs.push(Proof { claim, ok: wrong.is_none(), source: "the program".into(), shown });
        match wrong {
            None => Ok(()),
            Some(wrong) => {
                let what = format!("`{}` on {}: {wrong}", run.argv.join(" "), run.on);
                Err(Failure::new(Symptom::CommandAnswered, what).into())
            }
        }
    }
}

/// What is not as it must be.
fn wrong(run: &Run, Ran { status, output, errors }: &Ran) -> Option<String> {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = flat(&format!("{output} {errors}"));
    let shown: String = said.chars().take(SHOWN).collect();
    if status.code() != Some(run.exit) {
        let how = crate::plex::tasks::in_words(*status);
        return Some(format!("{how}, expected exit status {}; it said: {shown}", run.exit));
    }
    let missing = run.says.iter().find(|words| !said.contains(&flat(words)));
    let unwanted = run.says_not.iter().find(|words| said.contains(&flat(words)));
    match (missing, unwanted) {
        (Some(words), _) => Some(format!("expected `{words}`; it said: {shown}")),
        (None, Some(words)) => Some(format!("expected no `{words}`; it said: {shown}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn what_a_program_must_say() {
        let ran = |code: i32, output: &str| Ran {
            status: ExitStatus::from_raw(code << 8),
            output: output.into(),
            errors: String::new(),
        };
        let run = Run {
            on: "WS1".into(),
            argv: vec!["x".into()],
            says: vec!["2 SYS1".into()],
            says_not: vec!["SYS3".into()],
            exit: 0,
        };
        assert_eq!(wrong(&run, &ran(0, "  2   SYS1\n  2 SYS2\n")), None);
        assert!(
            wrong(&run, &ran(7, "2 SYS1")).is_some_and(|why| why.contains("exit status 7, expected exit status 0"))
        );
        assert!(wrong(&run, &ran(0, "1 SYS1")).is_some_and(|why| why.contains("expected `2 SYS1`; it said: 1 SYS1")));
        assert!(wrong(&run, &ran(0, "2 SYS1 1 SYS3")).is_some_and(|why| why.contains("expected no `SYS3`")));
    }
}
