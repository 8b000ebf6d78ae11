//! `assert` and `capture` in a scenario file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use sysplex::raw::Spanned;

use super::acts::Act;
use super::resolve::Resolver;
use crate::run::assertions::{Assertion, Pattern, Times, Wanted};

/// Fields of an event, and what each must be; a text that begins with `$` is what an earlier step has captured.
type Fields = BTreeMap<Spanned<String>, Spanned<toml::Value>>;

/// `assert`: one of its forms.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assert {
    eventually: Option<Spanned<Fields>>,
    never: Option<Spanned<Fields>>,
    exactly_once: Option<Spanned<Fields>>,
    count: Option<Spanned<Fields>>,
    at_least: Option<u32>,
    at_most: Option<u32>,
    in_order: Option<Vec<Spanned<Fields>>>,
    from: Option<Spanned<Fields>>,
    to: Option<Spanned<Fields>>,
    by: Option<String>,
    p50: Option<Spanned<String>>,
    p90: Option<Spanned<String>>,
    p99: Option<Spanned<String>>,
    max: Option<Spanned<String>>,
}

/// `capture`: a field of the first event like this.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capture {
    name: Spanned<String>,
    field: String,
    of: Spanned<Fields>,
}

const FORMS: &str = "expected one of: eventually, never, exactly_once, count (with at_least or at_most), in_order, from (with to, by, and a limit)";

impl Resolver<'_> {
    pub(super) fn assertion(&mut self, assert: &Spanned<Assert>) -> Option<Act> {
        let (span, assert) = (assert.span(), assert.get_ref());
        let Assert { eventually, never, exactly_once, count, in_order, from, to, by, .. } = assert;
        let forms = [
            eventually.is_some(),
            never.is_some(),
            exactly_once.is_some(),
            count.is_some(),
            in_order.is_some(),
            from.is_some(),
        ];
        if forms.iter().filter(|there| **there).count() != 1 {
            self.problem(
                span,
                format!("an assert of {} forms: {FORMS}", forms.iter().filter(|there| **there).count()),
                None,
            );
            return None;
        }
        let bounds = (assert.at_least, assert.at_most);
        if count.is_some() == (bounds == (None, None)) {
            self.problem(
                span,
                "`count` and its bounds belong together: expected `count` with at_least or at_most".into(),
                None,
            );
            return None;
        }
        let number =
            |bound: Option<u32>, other: usize| bound.and_then(|bound| usize::try_from(bound).ok()).unwrap_or(other);
        let found = if let Some(fields) = eventually {
            Assertion::Eventually(self.pattern(fields)?)
        } else if let Some(fields) = never {
            Assertion::Never(self.pattern(fields)?)
        } else if let Some(fields) = exactly_once {
            Assertion::Count { of: self.pattern(fields)?, at_least: 1, at_most: 1 }
        } else if let Some(fields) = count {
            let (at_least, at_most) = (number(bounds.0, 0), number(bounds.1, usize::MAX));
            Assertion::Count { of: self.pattern(fields)?, at_least, at_most }
        } else if let Some(patterns) = in_order {
            Assertion::InOrder(patterns.iter().map(|fields| self.pattern(fields)).collect::<Option<_>>()?)
        } else {
            let limits = self.limits(assert)?;
            let (Some(from), Some(to), Some(by), false) = (from, to, by, limits.is_empty()) else {
                let message = "times of what? expected `from`, `to`, `by`, and one of p50, p90, p99, max";
                self.problem(span, message.into(), None);
                return None;
            };
            Assertion::Times(Times { from: self.pattern(from)?, to: self.pattern(to)?, by: by.clone(), limits })
        };
        Some(Act::Assert(found))
    }

    pub(super) fn capture(&mut self, capture: &Capture) -> Option<Act> {
        let of = self.pattern(&capture.of)?;
        let name = capture.name.get_ref().clone();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message = format!("`{name}` is no name for a value: expected letters, digits and _");
            self.problem(capture.name.span(), message, None);
            return None;
        }
        self.captured.push(name.clone());
        Some(Act::Capture { name, field: capture.field.clone(), of })
    }

    fn limits(&mut self, assert: &Assert) -> Option<Vec<(u8, Duration)>> {
        let limits = [(50, &assert.p50), (90, &assert.p90), (99, &assert.p99), (100, &assert.max)];
        let written = limits.into_iter().filter_map(|(percent, limit)| Some((percent, limit.as_ref()?)));
        written.map(|(percent, limit)| Some((percent, self.duration(limit)?))).collect()
    }

    fn pattern(&mut self, fields: &Spanned<Fields>) -> Option<Pattern> {
        if fields.get_ref().is_empty() {
            self.problem(
                fields.span(),
                "an event of any kind: expected fields, such as { event = \"linked\" }".into(),
                None,
            );
            return None;
        }
        let mut pattern = Pattern::default();
        for (field, value) in fields.get_ref() {
            let wanted = self.wanted(field, value)?;
            pattern.0.insert(field.get_ref().clone(), wanted);
        }
        Some(pattern)
    }

    fn wanted(&mut self, field: &Spanned<String>, value: &Spanned<toml::Value>) -> Option<Wanted> {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            other => {
                let message =
                    format!("a field of an event is no {}: expected a text, a number, true or false", other.type_str());
                self.problem(value.span(), message, None);
                return None;
            }
        };
        if let Some(name) = text.strip_prefix('$') {
            let known: Vec<String> = self.captured.clone();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let name = self.one_of(&Spanned::new(value.span(), name.to_owned()), "captured value", &known)?;
            return Some(Wanted::Captured(name));
        }
        if field.get_ref() == "event" {
            let known = known_events();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            self.one_of(&Spanned::new(value.span(), text.clone()), "event", &known)?;
        }
        Some(Wanted::Text(text))
    }
}

/// The names of all events, as the vocabulary itself tells whoever asks for one that is not there.
fn known_events() -> Vec<String> {
    let unknown = serde_json::json!({ "event": "" });
    let said = serde_json::from_value::<evidence::What>(unknown).err().map(|e| e.to_string()).unwrap_or_default();
    said.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_names_its_events() {
        let known = known_events();
        for name in ["listening", "session_waiting", "linked", "console"] {
            assert!(known.iter().any(|known| known == name), "no {name} in {known:?}");
        }
        assert!(known.iter().all(|name| !name.is_empty() && !name.contains(' ')), "{known:?}");
    }
}
