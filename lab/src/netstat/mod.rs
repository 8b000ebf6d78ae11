//! NETSTAT: what the kernels show of the distribution, laid out as z/OS lays it out, or as JSON.
//!
//! [`gather()`] asks the kernels, [`render`] lays out, and nothing in between remembers anything. Each report has a file of its own,
//! with `rows` for programs. Where the layout is not documented in what was found of IBM's pages, the report's file says so, and
//! it is our choice; the line with the system's name is ours in all of them, because a stack does not know its neighbours and a
//! lab shows them side by side.

mod gather;
pub mod home;
mod request;
mod text;
pub mod vcrt;
pub mod vdpt;
pub mod vipadcfg;
pub mod vipadyn;

#[cfg(test)]
mod sample;

use serde::Serialize;
use sysplex::Sysplex;

pub use gather::{Facts, gather};
pub use request::{Report, Request};

/// The report.
pub fn render(request: &Request, sysplex: &Sysplex, facts: &Facts) -> String {
    let page = Page { request, sysplex, facts };
    match request.report {
        Report::Vdpt => page.render(&vdpt::rows(sysplex, facts), vdpt::text),
        Report::Vcrt => page.render(&vcrt::rows(sysplex, facts), vcrt::text),
        Report::Vipadcfg => page.render(&vipadcfg::rows(sysplex, facts), vipadcfg::text),
        Report::Vipadyn => page.render(&vipadyn::rows(sysplex, facts), vipadyn::text),
        Report::Home => page.render(&home::rows(sysplex, facts), home::text),
    }
}

struct Page<'a> {
    request: &'a Request,
    sysplex: &'a Sysplex,
    facts: &'a Facts,
}

/// The report for programs.
#[derive(Serialize)]
struct Json<'a, R> {
    report: Report,
    system: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<String>,
    rows: &'a [R],
}

impl Page<'_> {
    fn render<R: Serialize>(&self, rows: &[R], text: impl Fn(&[R], bool) -> String) -> String {
        let (report, messages) = (self.request.report, self.messages());
        let system = self.sysplex.lpar(self.facts.on).map_or("?", |lpar| lpar.name.as_str());
        if self.request.json {
            return serde_json::to_string(&Json { report, system, messages, rows }).unwrap_or_default() + "\n";
        }
        let mut page = format!("DVIPA LAB NETSTAT                TCPIP Name: TCPIP    System: {system}\n");
        page.extend(messages.into_iter().map(|message| message + "\n"));
        page + &text(rows, self.request.detail)
    }

    /// What a stack says that is out of the sysplex group. That VIPADCFG is preceded by EZZ2502I and EZZ2503I, and what they mean,
    /// is documented; their wording is ours. EZZ8269I is documented, for DISPLAY TCPIP,,SYSPLEX,VIPADYN; that NETSTAT says it too
    /// is our choice.
    fn messages(&self) -> Vec<String> {
        let name = self.sysplex.lpar(self.facts.on).map_or("?", |lpar| lpar.name.as_str());
        match self.request.report {
            _ if self.facts.is_member() => Vec::new(),
            Report::Vipadcfg => vec![
                "EZZ2502I TCPIP IS NOT A MEMBER OF THE SYSPLEX GROUP".to_owned(),
                "EZZ2503I ALL DYNAMIC VIPA CONFIGURATION IS INACTIVE".to_owned(),
            ],
            Report::Vipadyn => vec![format!("EZZ8269I TCPIP {name} IS NOT A MEMBER OF A SYSPLEX GROUP")],
            Report::Vdpt | Report::Vcrt | Report::Home => Vec::new(),
        }
    }
}
