//! What is wrong with a topology file, and where.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::names::did_you_mean;

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where: bytes of the file. Empty at 0 when it is about the file as a whole.
    pub span: Range<usize>,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// Entry of the field catalogue, such as `F07`, when it is a known mistake of sites.
    pub code: Option<&'static str>,
}

impl Diagnostic {
    /// A diagnostic without help.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, code: None }
    }

    /// The same with help.
    #[must_use]
    pub fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// The same as a known mistake of the field catalogue.
    #[must_use]
    pub fn with_code(mut self, code: Option<&'static str>) -> Self {
        self.code = code;
        self
    }

    /// What the TOML reader found: a key or value that is not known gets the nearest right word.
    pub fn from_toml(error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        let (message, help) = reworded(error.message());
        Self { span, message, help, code: None }
    }

    /// For a person: message, `file:line:column`, the line with a caret under it, and the help. No colour.
    pub fn render(&self, file: &str, source: &str) -> String {
        let start = char_boundary(source, self.span.start);
        let end = char_boundary(source, self.span.end).max(start);
        let snippet = Snippet::source(source).path(file).annotation(AnnotationKind::Primary.span(start..end));
        let mut report = vec![Level::ERROR.primary_title(self.message.as_str()).element(snippet)];
        if let Some(help) = &self.help {
            report.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
        }
        Renderer::plain().render(&report)
    }
}

/// The last place at or before `at` where a character starts.
fn char_boundary(source: &str, at: usize) -> usize {
    (0..=at.min(source.len())).rev().find(|&i| source.is_char_boundary(i)).unwrap_or(0)
}

/// serde's words in ours, and the nearest right word where it lists the right ones.
fn reworded(message: &str) -> (String, Option<String>) {
    for (prefix, kind) in [("unknown field ", "key"), ("unknown variant ", "value")] {
        if let Some(rest) = message.strip_prefix(prefix) {
            let mut words = rest.split('`').skip(1).step_by(2);
            let found = words.next().unwrap_or_default();
            let right: Vec<&str> = words.collect();
            let help = did_you_mean(found, right.iter().copied())
                .or_else(|| (!right.is_empty()).then(|| format!("expected one of: {}", right.join(", "))));
            return (format!("unknown {kind} `{found}`"), help);
        }
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return (format!("missing key {rest}"), None);
    }
    (message.to_owned(), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rendered_diagnostic_shows_place_caret_and_help() {
        let source = "[[dvipa]]\nprots = 1\n";
        let diagnostic = Diagnostic::new(10..15, "unknown key `prots`").with_help(Some("try".into()));
        let text = diagnostic.render("a.toml", source);
        assert_eq!(text, "error: unknown key `prots`\n --> a.toml:2:1\n  |\n2 | prots = 1\n  | ^^^^^\n  |\nhelp: try",);
    }

    #[test]
    fn words_of_the_reader_are_reworded() {
        let (message, help) = reworded("unknown field `prots`, expected one of `ports`, `method`");
        assert_eq!((message.as_str(), help.as_deref()), ("unknown key `prots`", Some("did you mean `ports`?")));
        let (_, help) = reworded("unknown field `colour`, expected `ports` or `method`");
        assert_eq!(help.as_deref(), Some("expected one of: ports, method"));
        assert_eq!(reworded("missing field `name`").0, "missing key `name`");
    }

    proptest! {
        #[test]
        fn rendering_never_panics(source in any::<String>(), a in 0usize..200, b in 0usize..200, message in any::<String>()) {
            #[expect(clippy::reversed_empty_ranges, reason = "a span that is upside down must not panic either")]
            let upside_down = 9..3;
            for span in [a..b, upside_down] {
                Diagnostic::new(span, message.clone()).with_help(Some(message.clone())).render("f", &source);
            }
        }
    }
}
