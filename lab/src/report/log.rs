//! What all processes said, events and log lines on one clock. Pure.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::ends::within;
use super::run_dir::{Run, Said};
use super::timeline::is_bad;
use super::words;

/// Bytes of markup that the rows may take.
const BUDGET: usize = 1_500_000;
/// Rows, so that a browser is quick with them.
const MOST: usize = 4_000;
/// Longest text of a row, in characters.
const LONGEST: usize = 1_500;

/// One line of the log.
struct Line<'a> {
    t_ns: u64,
    system: &'a str,
    task: &'a str,
    text: Text<'a>,
}

enum Text<'a> {
    Event(&'a Said),
    Printed(&'a str),
}

/// The section.
pub(super) fn section(run: &Run) -> Markup {
    let lines = lines(run);
    let mut tasks: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in &lines {
        *tasks.entry((line.system, line.task)).or_default() += 1;
    }
    let total = lines.len() as u64 + run.events.left_out + run.logs.left_out;
    let (first, last, cut) = shown(run, &lines);
    let cut = cut as u64 + run.events.left_out + run.logs.left_out;
    html! {
        section #logs aria-labelledby="logs-h" {
            h2 #logs-h { "Logs" }
            p { (words::count(total, "line")) ": what the processes printed and the events that they told, on one clock." }
            @if lines.is_empty() { p.none { "Nothing was said." } } @else {
                (controls(&tasks))
                div.scroll.tall tabindex="0" role="region" aria-label="Logs, a table" {
                    table.logs {
                        caption { "All lines, in the order of time; milliseconds since the first step" }
                        thead { tr { th.num scope="col" { "At" } th scope="col" { "Host" } th scope="col" { "Task" } th scope="col" { "What was said" } } }
                        tbody #log-rows {
                            @for row in first { (maud::PreEscaped(row)) }
                            @if cut > 0 { tr.cut { td colspan="4" { (words::count(cut, "line")) " left out here; the run's directory has them all." } } }
                            @for row in last { (maud::PreEscaped(row)) }
                        }
                    }
                }
            }
        }
    }
}

fn lines(run: &Run) -> Vec<Line<'_>> {
    let events = run.events.iter().map(|said| Line {
        t_ns: said.t_ns,
        system: &said.system,
        task: &said.task,
        text: Text::Event(said),
    });
    let printed = run.logs.iter().map(|log| Line {
        t_ns: log.t_ns,
        system: &log.system,
        task: &log.task,
        text: Text::Printed(&log.line),
    });
    let mut lines: Vec<Line<'_>> = events.chain(printed).collect();
    lines.sort_by_key(|line| line.t_ns);
    lines
}

/// Rows of markup from the beginning and from the end, and how many lines are missing between.
fn shown(run: &Run, lines: &[Line<'_>]) -> (Vec<String>, Vec<String>, usize) {
    let most = lines.len().min(MOST);
    let (head, tail) = (&lines[..most.div_ceil(2)], &lines[lines.len() - most / 2..]);
    let render = |line: &Line<'_>| row(run, line).into_string();
    let first = within(head.iter().map(render), BUDGET / 2);
    let mut last = within(tail.iter().rev().map(render), BUDGET / 2);
    last.reverse();
    let left_out = lines.len() - first.len() - last.len();
    (first, last, left_out)
}

fn row(run: &Run, line: &Line<'_>) -> Markup {
    let (kind, bad) = match line.text {
        Text::Event(said) => ("event", is_bad(said)),
        Text::Printed(_) => ("printed", false),
    };
    html! {
        tr class={ "hue-" (run.hue(line.system)) @if bad { " bad" } } data-kind=(kind) {
            td.num { (words::at(run.ms(line.t_ns))) }
            td.host { (line.system) }
            td { (line.task) }
            td.text { @match line.text {
                Text::Event(said) => { span.event-name { (said.event) } " " (words::cut(&fields(&said.json), LONGEST)) }
                Text::Printed(text) => (words::cut(text, LONGEST)),
            } }
        }
    }
}

/// The fields of an event that say what happened, not where.
pub(super) fn fields(json: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(json) else { return json.to_owned() };
    let own = ["t_ns", "system", "task", "pid", "event"];
    let words = fields.iter().filter(|(key, _)| !own.contains(&key.as_str())).map(|(key, value)| match value {
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    });
    words.collect::<Vec<_>>().join("  ")
}

/// Search and filters; hidden as long as nothing can be searched.
fn controls(tasks: &BTreeMap<(&str, &str), usize>) -> Markup {
    let hosts: BTreeMap<&str, usize> = tasks.iter().fold(BTreeMap::new(), |mut hosts, ((system, _), count)| {
        *hosts.entry(*system).or_default() += count;
        hosts
    });
    html! {
        form.controls #log-controls role="search" aria-label="Logs" hidden {
            label { "Search " input #log-search type="search" autocomplete="off" spellcheck="false"; }
            label { "Host " select #log-host {
                option value="" { "all" }
                @for (system, count) in &hosts { option value=(system) { (system) " (" (count) ")" } }
            } }
            label { "Task " select #log-task {
                option value="" { "all" }
                @for ((system, task), count) in tasks { option value={ (system) "/" (task) } { (task) " on " (system) " (" (count) ")" } }
            } }
            label { "Show " select #log-kind {
                option value="" { "everything" } option value="printed" { "what was printed" } option value="event" { "events" }
            } }
            output #log-count for="log-search log-host log-task log-kind" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_by_what_they_carry() {
        let json = r#"{"t_ns":1,"system":"A","task":"B","pid":3,"event":"hub","state":"primary","port":5}"#;
        assert_eq!(fields(json), "port=5  state=primary");
        assert_eq!(fields("no json"), "no json");
    }
}
