//! What is up, for a person and for programs. Pure.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use sysplex::{Dvipa, Ports, StartedTask, Sysplex};

use super::protocol::{Status, TaskStatus};

/// One that is up, as `lab ls` finds it.
#[derive(Debug)]
pub(super) struct Listed {
    /// Its name.
    pub name: String,
    /// Its background process, when that can be known.
    pub pid: Option<i32>,
    /// What it says of itself; nothing when it does not answer.
    pub status: Option<Status>,
}

impl Listed {
    fn state(&self) -> &'static str {
        match &self.status {
            None => "stale",
            Some(Status { since: None, .. }) => "starting",
            Some(_) => "up",
        }
    }

    fn since(&self) -> Option<String> {
        let seconds = self.status.as_ref()?.since?;
        let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        Some(humantime::format_rfc3339_seconds(time).to_string())
    }
}

/// One line of JSON.
pub(super) fn json(listed: &Listed) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        name: &'a str,
        state: &'static str,
        pid: Option<i32>,
        since: Option<String>,
        backend: Option<&'a str>,
        lpars: Option<&'a [String]>,
        workstations: Option<&'a [String]>,
        tasks: Option<&'a [TaskStatus]>,
    }
    let status = listed.status.as_ref();
    let line = Line {
        name: &listed.name,
        state: listed.state(),
        pid: listed.pid,
        since: listed.since(),
        backend: status.map(|status| status.backend.as_str()),
        lpars: status.map(|status| status.lpars.as_slice()),
        workstations: status.map(|status| status.workstations.as_slice()),
        tasks: status.map(|status| status.tasks.as_slice()),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// A table for a person.
pub(super) fn table(listed: &[Listed]) -> String {
    let heads = ["NAME", "STATE", "LPARS", "TASKS", "BACKEND", "SINCE", "PID"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(listed.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(listed: &Listed) -> [String; 7] {
    let unknown = || "-".to_owned();
    let status = listed.status.as_ref();
    [
        listed.name.clone(),
        listed.state().to_owned(),
        status.map_or_else(unknown, |status| some_of(&status.lpars)),
        status.map_or_else(unknown, tasks),
        status.map_or_else(unknown, |status| status.backend.clone()),
        listed.since().unwrap_or_else(unknown),
        listed.pid.map_or_else(unknown, |pid| pid.to_string()),
    ]
}

fn tasks(status: &Status) -> String {
    let ended = status.tasks.iter().filter(|task| task.ended.is_some()).count();
    let up = status.tasks.len() - ended;
    if ended == 0 { format!("{up} up") } else { format!("{up} up, {ended} ended") }
}

/// So many names that a line stays a line.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 4;
    match names.len().checked_sub(MOST) {
        Some(more @ 1..) => format!("{} and {more} more", names[..MOST].join(" ")),
        _ => names.join(" "),
    }
}

/// What `lab up` says when it is up.
pub(super) fn up(name: &str, sysplex: &Sysplex, backend: &str, ms: f64) -> String {
    let count: usize = sysplex.lpars.iter().map(|lpar| lpar.tasks.len()).sum();
    let lpars = sysplex.lpars.len();
    let mut lines = vec![format!("{name} is up after {ms:.0} ms: {lpars} LPARs, {count} started tasks, {backend}")];
    for lpar in &sysplex.lpars {
        let tasks: Vec<&str> = lpar.tasks.iter().map(StartedTask::name).collect();
        lines.push(format!("  {:<8}  home {}, XCF {}: {}", lpar.name, lpar.home, lpar.xcf, tasks.join(" ")));
    }
    lines.extend(sysplex.dvipas.iter().map(|dvipa| line_of(sysplex, dvipa)));
    for workstation in &sysplex.workstations {
        lines.push(format!("  {:<8}  {}, workstation", workstation.name, workstation.address));
    }
    if let Some(lpar) = sysplex.lpars.first().map(|lpar| &lpar.name) {
        lines.push("go on with:".to_owned());
        lines.push(format!("  lab exec --name {name} {lpar} -- ip -o addr"));
        lines.push(format!("  lab vary --name {name} {lpar} TCPIP,,SYSPLEX,LEAVEGROUP"));
        lines.push(format!("  lab down {name}"));
    }
    lines.join("\n")
}

fn line_of(sysplex: &Sysplex, dvipa: &Dvipa) -> String {
    let owner = sysplex.lpar(dvipa.owner).map_or("?", |lpar| lpar.name.as_str());
    let ports = dvipa.distribute.iter().flat_map(|statement| match &statement.ports {
        Ports::Listed(ports) => ports.iter().map(ToString::to_string).collect(),
        Ports::Dynamic => vec!["those that servers bind".to_owned()],
    });
    let ports: Vec<String> = ports.collect();
    let distributed = if ports.is_empty() { String::new() } else { format!(", ports {}", some_of(&ports)) };
    format!("  {:<8}  {}, defined on {owner}{distributed}", "DVIPA", dvipa.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tasks: &[Option<&str>], since: Option<u64>) -> Listed {
        let task = |ended: &Option<&str>| TaskStatus {
            system: "LPAR1".into(),
            task: "DBGMGR".into(),
            ended: ended.map(str::to_owned),
        };
        let status = Status {
            lpars: (1..=6).map(|n| format!("LPAR{n}")).collect(),
            workstations: vec!["WS1".into()],
            tasks: tasks.iter().map(task).collect(),
            backend: "nftables".into(),
            since,
        };
        Listed { name: "PLEX1".into(), pid: Some(42), status: Some(status) }
    }

    #[test]
    fn a_table_shows_what_is_up_and_what_is_not() {
        let silent = Listed { name: "LONGER-NAME".into(), pid: Some(7), status: None };
        let all = [listed(&[None, Some("exit status 1")], Some(1_700_000_000)), listed(&[], None), silent];
        let expected = "\
NAME         STATE     LPARS                               TASKS          BACKEND   SINCE                 PID
PLEX1        up        LPAR1 LPAR2 LPAR3 LPAR4 and 2 more  1 up, 1 ended  nftables  2023-11-14T22:13:20Z  42
PLEX1        starting  LPAR1 LPAR2 LPAR3 LPAR4 and 2 more  0 up           nftables  -                     42
LONGER-NAME  stale     -                                   -              -         -                     7";
        assert_eq!(table(&all), expected);
    }

    #[test]
    fn json_says_how_a_task_ended() {
        let line: serde_json::Value =
            serde_json::from_str(&json(&listed(&[Some("exit status 1")], Some(0)))).expect("JSON");
        assert_eq!(line["state"], "up");
        assert_eq!(line["tasks"][0]["ended"], "exit status 1");
        assert_eq!(line["since"], "1970-01-01T00:00:00Z");
        let silent = Listed { name: "X".into(), pid: None, status: None };
        let line: serde_json::Value = serde_json::from_str(&json(&silent)).expect("JSON");
        assert_eq!(
            (line["state"].as_str(), line["lpars"].is_null(), line["pid"].is_null()),
            (Some("stale"), true, true)
        );
    }

    #[test]
    fn what_is_up_is_said_with_what_to_do_next() {
        let said = up("mine", &Sysplex::uniform(2), "nftables", 71.6);
        for part in
            ["mine is up after 72 ms: 2 LPARs", "LPAR2", "DVIPA", "lab exec --name mine LPAR1 -- ip", "lab down mine"]
        {
            assert!(said.contains(part), "no `{part}` in\n{said}");
        }
    }
}
