//! `lab logs`: what all tasks print, and what the stacks say on their consoles, on one clock.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use evidence::What;

use super::client::{self, Caller, on_runtime, which};
use super::protocol::{Answer, Follow, LONGEST_REQUEST, Request, Wanted};
use super::wire::Wire;
use crate::exit;
use crate::operator::{self, Refusal};
use crate::plex::Plex;
use crate::plex::logs::Line;

/// Bytes of text in one answer, about; far less than the longest line of an answer.
const BATCH: usize = 1 << 20;

impl Wanted {
    fn is(&self, line: &Line) -> bool {
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(found));
        same(&self.system, &line.system) && same(&self.task, &line.task)
    }
}

/// How far a caller has read.
#[derive(Default)]
struct Read {
    lines: usize,
    events: usize,
}

impl Read {
    /// What is new, in the order of time.
    fn on(&mut self, plex: &Plex, of: &Wanted) -> Vec<Line> {
        let (mut new, next) = plex.logs.since(self.lines);
        self.lines = next;
        let (console, events) = plex.journal.look(|view| {
            let new = view.events.iter().skip(self.events).filter_map(|event| match &event.what {
                What::Console { text } => {
                    let (system, task) = (event.system.clone(), event.task.clone());
                    Some(Line { t_ns: event.t_ns, system, task, text: text.clone() })
                }
                _ => None,
            });
            (new.collect::<Vec<_>>(), view.events.len())
        });
        self.events = events;
        new.extend(console);
        new.retain(|line| of.is(line));
        new.sort_by_key(|line| line.t_ns);
        new
    }
}

/// Sends them; returns the last answer.
///
/// # Errors
/// When there is no such host, or the caller is gone.
pub(super) async fn send(wire: &mut Wire, plex: &Plex, of: &Wanted, follow: bool) -> Result<Answer, Refusal> {
    if let Some(system) = &of.system {
        operator::host(&plex.sysplex, system)?;
    }
    let (mut lines, mut events) = (plex.logs.changes(), plex.journal.changes());
    let mut read = Read::default();
    let gone = |e: io::Error| Refusal::failed(e.to_string());
    loop {
        lines.mark_unchanged();
        events.mark_unchanged();
        for batch in batches(read.on(plex, of)) {
            wire.send(&Answer::Lines(batch), &[]).await.map_err(gone)?;
        }
        if !follow {
            return Ok(Answer::NoMore);
        }
        tokio::select! {
            _ = lines.changed() => {}
            _ = events.changed() => {}
            // It says nothing more, so it has gone.
            _ = wire.receive::<Follow>(LONGEST_REQUEST) => return Ok(Answer::NoMore),
        }
    }
}

fn batches(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut batches: Vec<Vec<Line>> = Vec::new();
    let mut bytes = BATCH;
    for line in lines {
        if bytes >= BATCH {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += line.text.len() + line.system.len() + line.task.len();
        if let Some(batch) = batches.last_mut() {
            batch.push(line);
        }
    }
    batches
}

/// `lab logs`.
pub(super) fn main(name: Option<String>, of: Wanted, follow: bool, json: bool) -> u8 {
    on_runtime(async {
        let mut caller = Caller::of(&which(name, &client::all()?)?)?;
        caller.ask(&Request::Logs { of, follow }, &[]).await?;
        let mut page = Page::new(json);
        loop {
            match caller.answer().await? {
                Answer::Lines(lines) => page.print(&lines)?,
                Answer::NoMore => return Ok(exit::PASSED),
                answer => return Err(caller.strange(&answer)),
            }
        }
    })
}

/// Lines for a person, coloured by host on a terminal.
struct Page {
    json: bool,
    coloured: bool,
    /// The time of the first line, from which all are counted.
    first_ns: Option<u64>,
    colours: BTreeMap<String, u8>,
}

impl Page {
    fn new(json: bool) -> Self {
        let coloured = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, coloured, first_ns: None, colours: BTreeMap::new() }
    }

    fn print(&mut self, lines: &[Line]) -> Result<(), Refusal> {
        use std::io::Write as _;
        let mut stdout = io::stdout().lock();
        for line in lines {
            let text = self.line(line);
            writeln!(stdout, "{text}").map_err(|e| Refusal::failed(format!("the lines cannot be printed: {e}")))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> String {
        if self.json {
            return serde_json::to_string(line).unwrap_or_default();
        }
        let first = *self.first_ns.get_or_insert(line.t_ns);
        let seconds = line.t_ns.saturating_sub(first) as f64 / 1e9;
        let who = format!("{:<8} {:<8}", line.system, line.task);
        // What tasks print is not to move the cursor, or worse.
        let text: String =
            line.text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        if !self.coloured {
            return format!("{seconds:10.6} {who} {text}");
        }
        let next = self.colours.len();
        let colour = *self.colours.entry(line.system.clone()).or_insert_with(|| colour(next));
        format!("{seconds:10.6} \u{1b}[{colour}m{who}\u{1b}[0m {text}")
    }
}

/// The six colours of a terminal that are neither its background nor its text.
fn colour(number: usize) -> u8 {
    [36, 33, 35, 32, 34, 31][number % 6]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(t_ns: u64, system: &str, text: &str) -> Line {
        Line { t_ns, system: system.into(), task: "DBGMGR".into(), text: text.into() }
    }

    #[test]
    fn a_page_counts_from_its_first_line_and_colours_hosts() {
        let mut page = Page { json: false, coloured: true, first_ns: None, colours: BTreeMap::new() };
        assert_eq!(page.line(&line(5_000_000, "LPAR1", "a")), "  0.000000 \u{1b}[36mLPAR1    DBGMGR  \u{1b}[0m a");
        assert!(page.line(&line(1_505_000_000, "LPAR2", "b")).starts_with("  1.500000 \u{1b}[33mLPAR2"));
        assert!(page.line(&line(1_505_000_000, "LPAR1", "c")).contains("\u{1b}[36mLPAR1"));
        page.coloured = false;
        assert_eq!(
            page.line(&line(5_000_000, "LPAR1", "x\u{1b}[2Jy\tz")),
            "  0.000000 LPAR1    DBGMGR   x\u{fffd}[2Jy\tz"
        );
    }

    #[test]
    fn what_is_wanted() {
        let of = |system: Option<&str>, task: Option<&str>| Wanted {
            system: system.map(str::to_owned),
            task: task.map(str::to_owned),
        };
        let one = line(1, "LPAR1", "a");
        assert!(of(None, None).is(&one) && of(Some("lpar1"), Some("dbgmgr")).is(&one));
        assert!(!of(Some("LPAR2"), None).is(&one) && !of(None, Some("RSED")).is(&one));
    }

    #[test]
    fn batches_are_bounded_and_complete() {
        let long = "x".repeat(BATCH / 2);
        let lines: Vec<_> = (0..5).map(|n| line(n, "S", &long)).collect();
        let batches = batches(lines.clone());
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(batches.concat(), lines);
    }
}
