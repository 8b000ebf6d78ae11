//! The table of connections.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{Agreement, Ends, Views};
use crate::report::run_dir::Run;
use crate::report::words;

/// Rows that are shown.
const MOST: usize = 300;

/// The section.
pub(in crate::report) fn section(run: &Run) -> Markup {
    let all = super::of(run);
    let mut rows: Vec<(Agreement, &Ends, &Views)> =
        all.iter().map(|(ends, views)| (views.agreement(), ends, views)).collect();
    let disagree = rows.iter().filter(|(agreement, ..)| matches!(agreement, Agreement::No(_))).count();
    let agree = rows.iter().filter(|(agreement, ..)| *agreement == Agreement::Yes).count();
    // What is wrong first, then what a client tells of, by time.
    rows.sort_by_key(|(agreement, _, views)| (!matches!(agreement, Agreement::No(_)), !views.connected, views.t_ns));
    let left_out = rows.len().saturating_sub(MOST);
    let left_out = left_out + run.record.pictures.iter().map(|picture| picture.left_out).sum::<usize>();
    rows.truncate(MOST);
    html! {
        section #connections aria-labelledby="connections-h" {
            h2 #connections-h { "Connections to the DVIPA" }
            @if rows.is_empty() {
                p.none { "None was seen." }
            } @else {
                p {
                    (words::count(all.len() as u64, "connection")) ", seen from the client, the distributor and the target. "
                    @if disagree > 0 { strong.bad { (disagree) " on which they disagree" } ", " }
                    (agree) " on which all three agree."
                }
                div.scroll.tall[rows.len() > 25] tabindex="0" role="region" aria-label="Connections, a table" { (table(run, &rows)) }
                @if left_out > 0 { p.cut { (words::count(left_out as u64, "entry")) " left out." } }
            }
        }
    }
}

fn table(run: &Run, rows: &[(Agreement, &Ends, &Views)]) -> Markup {
    html! {
        table.connections {
            caption { "Where each connection is, as each of the three shows it" }
            thead {
                tr {
                    th scope="col" { "At" } th scope="col" { "For" } th scope="col" { "Connection" }
                    th scope="col" { "Client was told" } th scope="col" { "Distributor" } th scope="col" { "Target" }
                    th scope="col" { "Do they agree?" }
                }
            }
            tbody {
                @for (agreement, (client, dvipa), views) in rows {
                    tr class=(class(agreement)) {
                        td.num { @if views.t_ns > 0 { (words::at(run.ms(views.t_ns))) } }
                        td { (what(views)) }
                        th scope="row" { code { (client) " > " (dvipa) } }
                        td { (names(&views.client, if views.connected { "connected" } else { "–" })) }
                        td { (distributor(views)) }
                        td {
                            (names(&views.target, "–"))
                            @if !views.holders.is_empty() { br; span.when { "socket of " (names(&views.holders, "")) } }
                        }
                        td.agree { (mark(agreement)) }
                    }
                }
            }
        }
    }
}

fn what(views: &Views) -> &str {
    match views.what.as_str() {
        "rsed" => "logon",
        "rse_server" => "logon, second",
        "engine" => "debug engine",
        "" => "–",
        other => other,
    }
}

fn distributor(views: &Views) -> Markup {
    html! {
        @if !views.table.is_empty() {
            (names(&views.table, "")) " " span.when { "VCRT" }
        } @else if !views.forwarded.is_empty() {
            "forwarded by " (names(&views.forwarded, ""))
        } @else if !views.arrived.is_empty() {
            (names(&views.arrived, "")) " " span.when { "kept, none forwarded" }
        } @else { "–" }
        @if views.sent > 0 { br; span.when { "XCF: " (words::count(views.sent, "packet")) " in, " (views.received) " out" } }
    }
}

fn names(systems: &BTreeSet<String>, none: &str) -> String {
    if systems.is_empty() {
        return none.to_owned();
    }
    systems.iter().cloned().collect::<Vec<_>>().join(" and ")
}

fn class(agreement: &Agreement) -> &'static str {
    match agreement {
        Agreement::No(_) => "bad",
        Agreement::Partly(_) => "partly",
        Agreement::Yes => "good",
    }
}

fn mark(agreement: &Agreement) -> Markup {
    match agreement {
        Agreement::No(why) => html! { strong { "✗ no" } ": " (why) },
        Agreement::Partly(why) => html! { "– " (why) },
        Agreement::Yes => html! { "✓ yes" },
    }
}

/// For the summary: how many agree, and how many do not.
pub(in crate::report) fn tally(all: &BTreeMap<Ends, Views>) -> (usize, usize) {
    let of = |wanted: fn(&Agreement) -> bool| all.values().filter(|views| wanted(&views.agreement())).count();
    (of(|agreement| *agreement == Agreement::Yes), of(|agreement| matches!(agreement, Agreement::No(_))))
}
