//! A page for every code: the symptom first, as a person would search for it. `lab check --explain` shows them, and
//! `docs/codes` is generated from them.
//!
//! Sources are those of the project's collection of z/OS facts: `S` and a number is a page or APAR that was read, `MEM` is from
//! memory, `INF` an inference.

mod f01_f11;
mod f12_f22;
mod f23_f34;
mod own;
mod scenarios;

use std::fmt::Write as _;

use crate::finding::Severity;

/// What is known of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its code.
    pub code: &'static str,
    /// The mistake, in a line.
    pub title: &'static str,
    /// How bad it is as a rule; nothing when configuration cannot show it.
    pub severity: Option<Severity>,
    /// What a user sees.
    pub symptom: &'static str,
    /// Why.
    pub cause: &'static str,
    /// How to see it on z/OS.
    pub look: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// What `lab check` looks at, or why it cannot.
    pub check: &'static str,
    /// Sources, and how certain it is.
    pub sources: &'static str,
}

/// All pages, in the order of their codes: D first, then F.
pub fn all() -> impl Iterator<Item = &'static Page> {
    [&own::PAGES[..], &f01_f11::PAGES[..], &f12_f22::PAGES[..], &f23_f34::PAGES[..]].into_iter().flatten()
}

/// The page of a code, in upper or lower case.
pub fn of(code: &str) -> Option<&'static Page> {
    all().find(|page| page.code.eq_ignore_ascii_case(code))
}

/// Width of a page in plain text.
const WIDTH: usize = 100;

impl Page {
    fn sections(&self) -> [(&'static str, &'static str); 6] {
        [
            ("What a user sees", self.symptom),
            ("Cause", self.cause),
            ("How to see it on z/OS", self.look),
            ("Remedy", self.remedy),
            ("lab check", self.check),
            ("Sources and certainty", self.sources),
        ]
    }

    /// In a word: `error`, `warning`, `note`, or that configuration does not show it.
    pub fn severity_word(&self) -> &'static str {
        self.severity.map_or("not shown by configuration", Severity::as_str)
    }

    /// The scenarios in which it goes wrong and then right, as files of the project.
    pub fn scenarios(&self) -> impl Iterator<Item = &'static str> {
        let code = self.code;
        scenarios::FILES.iter().copied().filter(move |file| file.split('-').next() == Some(code))
    }

    /// In plain text.
    pub fn plain(&self) -> String {
        let mut text = format!("{} ({})\n{}\n", self.code, self.severity_word(), self.title);
        for (heading, body) in self.sections() {
            let _ = write!(text, "\n{heading}\n");
            for line in wrap(body, WIDTH - 2) {
                let _ = writeln!(text, "  {line}");
            }
        }
        for file in self.scenarios() {
            let _ = write!(text, "\nSee it go wrong, and right\n  lab run scenarios/field/{file}\n");
        }
        text
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}: {}\n\nSeverity: {}\n", self.code, self.title, self.severity_word());
        for (heading, body) in self.sections() {
            let heading = if heading == "lab check" { "`lab check`" } else { heading };
            let _ = write!(text, "\n## {heading}\n\n{}\n", wrap(body, WIDTH).join("\n"));
        }
        for file in self.scenarios() {
            let _ = write!(
                text,
                "\n## See it go wrong, and right\n\n`lab run scenarios/field/{file}`: [the scenario](../../scenarios/field/{file})\n"
            );
        }
        text
    }
}

/// The list of all codes as Markdown.
pub fn index() -> String {
    let mut text = String::from(
        "# Codes of `lab check`\n\n\
         F codes are the lab's field catalogue, D codes other rules of configuration. `lab check --explain CODE` shows a page.\n\
         These pages are generated: `UPDATE_SNAPSHOTS=1 cargo test -p site-check --test pages`.\n\n\
         | code | severity | what is wrong | what a user sees |\n|---|---|---|---|\n",
    );
    for page in all() {
        let _ = writeln!(
            text,
            "| [{0}]({0}.md) | {1} | {2} | {3} |",
            page.code,
            page.severity_word(),
            page.title,
            page.symptom
        );
    }
    text.push_str("\n## What configuration does not show\n\n");
    for page in all().filter(|page| page.severity.is_none()) {
        let _ = writeln!(text, "- [{0}]({0}.md): {1}", page.code, page.check);
    }
    text
}

/// Words in lines of at most `width` characters; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_once() {
        let codes: Vec<&str> = all().map(|page| page.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        let catalogue: Vec<String> = (1..=34).map(|n| format!("F{n:02}")).collect();
        assert!(catalogue.iter().all(|code| codes.contains(&code.as_str())), "F01 to F34");
        assert_eq!(of("f02").map(|page| page.code), Some("F02"));
        assert_eq!(of("F99"), None);
    }

    #[test]
    fn no_page_has_a_gap_and_sources_say_how_certain_it_is() {
        for page in all() {
            assert!(!page.title.ends_with('.') && !page.title.is_empty(), "{}", page.code);
            for (heading, body) in page.sections() {
                assert!(body.ends_with('.'), "{}: {heading}", page.code);
            }
        }
    }

    #[test]
    fn lines_are_wrapped() {
        assert_eq!(wrap("a bb ccc dddd", 4), ["a bb", "ccc", "dddd"]);
        assert!(of("F01").expect("a page").plain().lines().all(|line| line.chars().count() <= WIDTH));
    }
}
