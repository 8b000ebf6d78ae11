//! Assertions over time: what must, or must not, be among the events of a run. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use evidence::Event;
use serde_json::Value;

/// What an event must be like: its fields, as `events.jsonl` names them, and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(pub BTreeMap<String, Wanted>);

/// What a field must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Just this text, or a number or truth value that reads so.
    Text(String),
    /// What an earlier step has captured under this name.
    Captured(String),
}

/// Values that steps have captured.
pub type Values = BTreeMap<String, String>;

impl Pattern {
    /// Is the event like this? A captured value that was never captured is like nothing.
    pub fn is(&self, event: &Value, values: &Values) -> bool {
        self.0.iter().all(|(field, wanted)| {
            let wanted = match wanted {
                Wanted::Text(text) => Some(text),
                Wanted::Captured(name) => values.get(name),
            };
            wanted.is_some() && text_of(event, field).as_ref() == wanted
        })
    }

    /// For a person.
    pub fn describe(&self) -> String {
        let field = |(field, wanted): (&String, &Wanted)| match wanted {
            Wanted::Text(text) => format!("{field} {text}"),
            Wanted::Captured(name) => format!("{field} ${name}"),
        };
        self.0.iter().map(field).collect::<Vec<_>>().join(", ")
    }
}

/// A field of an event, as text. `refusal.code` is a field of a field.
pub fn text_of(event: &Value, field: &str) -> Option<String> {
    match event.get(field)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// Events as their lines in `events.jsonl`.
pub fn lines(events: &[Event]) -> Vec<Value> {
    events.iter().map(|event| serde_json::to_value(event).unwrap_or_default()).collect()
}

/// An assertion about the events that are there.
#[derive(Clone, Debug, PartialEq)]
pub enum Assertion {
    /// There is one like this.
    Eventually(Pattern),
    /// There is none like this, and there will be none until the end of the scenario.
    Never(Pattern),
    /// There are so many.
    Count {
        /// Like this.
        of: Pattern,
        /// Not fewer.
        at_least: usize,
        /// Not more.
        at_most: usize,
    },
    /// There is one like the first, after it one like the second, and so on.
    InOrder(Vec<Pattern>),
    /// The times between two events.
    Times(Times),
}

/// The times between two events that have the same value in a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// The earlier.
    pub from: Pattern,
    /// The later.
    pub to: Pattern,
    /// The field.
    pub by: String,
    /// Percentiles (1 to 100), and how long each may be.
    pub limits: Vec<(u8, Duration)>,
}

/// How an assertion stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds; what shows it.
    Holds(String),
    /// It does not hold yet, and may later; what is missing.
    NotYet(String),
    /// It does not hold, and never will; what shows that.
    Broken(String),
}

impl Assertion {
    /// How it stands with these events.
    pub fn check(&self, events: &[Value], values: &Values) -> Standing {
        match self {
            Self::Eventually(pattern) => match events.iter().find(|event| pattern.is(event, values)) {
                Some(event) => Standing::Holds(event.to_string()),
                None => Standing::NotYet(nothing(pattern, events)),
            },
            Self::Never(pattern) => match events.iter().find(|event| pattern.is(event, values)) {
                Some(event) => Standing::Broken(event.to_string()),
                None => Standing::Holds(format!("none among {} events", events.len())),
            },
            Self::Count { of, at_least, at_most } => {
                let count = events.iter().filter(|event| of.is(event, values)).count();
                match count {
                    count if count > *at_most => Standing::Broken(format!("there are {count}")),
                    count if count < *at_least => Standing::NotYet(format!("there are {count}")),
                    count => Standing::Holds(format!("there are {count}")),
                }
            }
            Self::InOrder(patterns) => in_order(patterns, events, values),
            Self::Times(times) => times.check(events, values),
        }
    }

    /// For a person: what is asserted.
    pub fn describe(&self) -> String {
        match self {
            Self::Eventually(pattern) => format!("there is an event: {}", pattern.describe()),
            Self::Never(pattern) => format!("there is never an event: {}", pattern.describe()),
            Self::Count { of, at_least, at_most } if at_least == at_most => {
                format!("there are exactly {at_least} events: {}", of.describe())
            }
            Self::Count { of, at_least, at_most: usize::MAX } => {
                format!("there are at least {at_least} events: {}", of.describe())
            }
            Self::Count { of, at_least, at_most } => {
                format!("there are {at_least} to {at_most} events: {}", of.describe())
            }
            Self::InOrder(patterns) => {
                let all: Vec<String> = patterns.iter().map(Pattern::describe).collect();
                format!("there are events in this order: {}", all.join("; then "))
            }
            Self::Times(Times { from, to, by, limits }) => {
                let limit =
                    |(percent, most): &(u8, Duration)| format!("p{percent} {}", humantime::format_duration(*most));
                let limits: Vec<String> = limits.iter().map(limit).collect();
                let (from, to) = (from.describe(), to.describe());
                format!("from {from} to {to}, by {by}, takes at most: {}", limits.join(", "))
            }
        }
    }
}

/// Why nothing is like the pattern: perhaps because no such event has such a field.
fn nothing(pattern: &Pattern, events: &[Value]) -> String {
    let Some(Wanted::Text(name)) = pattern.0.get("event") else { return "there is none".to_owned() };
    let same: Vec<&Value> = events.iter().filter(|event| text_of(event, "event").as_ref() == Some(name)).collect();
    let Some(first) = same.first() else { return format!("there is no {name} among {} events", events.len()) };
    match pattern.0.keys().find(|field| same.iter().all(|event| event.get(*field).is_none())) {
        Some(field) => format!("no {name} has a field `{field}`, such as: {first}"),
        None => format!("there are {} of {name}, none like this, such as: {first}", same.len()),
    }
}

fn in_order(patterns: &[Pattern], events: &[Value], values: &Values) -> Standing {
    // The order of time, which is not that of arrival.
    let mut by_time: Vec<&Value> = events.iter().collect();
    by_time.sort_by_key(|event| t_ns(event));
    let mut rest = by_time.into_iter();
    for (pattern, n) in patterns.iter().zip(1..) {
        if !rest.any(|event| pattern.is(event, values)) {
            return Standing::NotYet(format!(
                "number {n} is not there, or not behind the one before it: {}",
                pattern.describe()
            ));
        }
    }
    Standing::Holds(format!("all {}, in this order", patterns.len()))
}

fn t_ns(event: &Value) -> u64 {
    event.get("t_ns").and_then(Value::as_u64).unwrap_or(0)
}

impl Times {
    fn check(&self, events: &[Value], values: &Values) -> Standing {
        let first = |pattern: &Pattern| {
            let mut first: BTreeMap<String, u64> = BTreeMap::new();
            for event in events.iter().filter(|event| pattern.is(event, values)) {
                let Some(key) = text_of(event, &self.by) else { continue };
                let time = first.entry(key).or_insert(u64::MAX);
                *time = t_ns(event).min(*time);
            }
            first
        };
        let (from, to) = (first(&self.from), first(&self.to));
        if from.is_empty() {
            return Standing::NotYet(nothing(&self.from, events));
        }
        let open = from.keys().filter(|key| !to.contains_key(*key)).count();
        if open > 0 {
            return Standing::NotYet(format!("{open} of {} have not come to the later event", from.len()));
        }
        let mut took: Vec<u64> =
            from.iter().filter_map(|(key, begin)| Some(to.get(key)?.saturating_sub(*begin))).collect();
        took.sort_unstable();
        let shown: Vec<(u8, Duration, Duration)> = self
            .limits
            .iter()
            .map(|&(percent, most)| (percent, Duration::from_nanos(percentile(&took, percent)), most))
            .collect();
        let text = |(percent, found, _): &(u8, Duration, Duration)| format!("p{percent} {found:?}");
        let said = format!("{} times: {}", took.len(), shown.iter().map(text).collect::<Vec<_>>().join(", "));
        if shown.iter().any(|(_, found, most)| found > most) { Standing::Broken(said) } else { Standing::Holds(said) }
    }
}

/// The smallest value that so many percent of all are not above (nearest rank).
fn percentile(sorted: &[u64], percent: u8) -> u64 {
    let rank = (sorted.len() * usize::from(percent)).div_ceil(100).max(1);
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pattern(fields: &[(&str, &str)]) -> Pattern {
        let wanted = |text: &str| match text.strip_prefix('$') {
            Some(name) => Wanted::Captured(name.to_owned()),
            None => Wanted::Text(text.to_owned()),
        };
        Pattern(fields.iter().map(|(field, text)| ((*field).to_owned(), wanted(text))).collect())
    }

    fn waiting(t_ns: u64, session: &str) -> Value {
        json!({ "t_ns": t_ns, "system": "LPAR2", "event": "session_waiting", "session": session, "local": false })
    }

    fn linked(t_ns: u64, session: &str) -> Value {
        json!({ "t_ns": t_ns, "system": "LPAR2", "event": "linked", "session": session, "port": 5335 })
    }

    fn holds(assertion: &Assertion, events: &[Value]) -> &'static str {
        match assertion.check(events, &Values::from([("S".to_owned(), "b".to_owned())])) {
            Standing::Holds(_) => "holds",
            Standing::NotYet(_) => "not yet",
            Standing::Broken(_) => "broken",
        }
    }

    #[test]
    fn eventually_and_never() {
        let events = [waiting(1, "a"), linked(2, "b")];
        let of_b = pattern(&[("event", "linked"), ("session", "$S"), ("port", "5335")]);
        assert_eq!(holds(&Assertion::Eventually(of_b.clone()), &events), "holds", "numbers, and what was captured");
        assert_eq!(holds(&Assertion::Never(of_b), &events), "broken");
        let of_a = pattern(&[("event", "linked"), ("session", "a")]);
        assert_eq!(holds(&Assertion::Eventually(of_a.clone()), &events), "not yet");
        assert_eq!(holds(&Assertion::Never(of_a), &events), "holds");
        let unknown = pattern(&[("event", "linked"), ("session", "$NOBODY")]);
        assert_eq!(holds(&Assertion::Eventually(unknown), &events), "not yet", "never captured");
    }

    #[test]
    fn a_field_that_is_not_there_is_named() {
        let wrong = Assertion::Eventually(pattern(&[("event", "linked"), ("jobb", "X")]));
        let Standing::NotYet(why) = wrong.check(&[linked(1, "a")], &Values::new()) else { panic!("it holds") };
        assert!(why.contains("no linked has a field `jobb`"), "{why}");
    }

    #[test]
    fn counts() {
        let events = [linked(1, "a"), linked(2, "b")];
        let count = |at_least, at_most| Assertion::Count { of: pattern(&[("event", "linked")]), at_least, at_most };
        assert_eq!(holds(&count(2, 2), &events), "holds");
        assert_eq!(holds(&count(3, usize::MAX), &events), "not yet");
        assert_eq!(holds(&count(0, 1), &events), "broken", "more will not make it fewer");
    }

    #[test]
    fn the_order_is_that_of_time() {
        let order = Assertion::InOrder(vec![
            pattern(&[("event", "session_waiting"), ("session", "a")]),
            pattern(&[("event", "linked"), ("session", "a")]),
        ]);
        assert_eq!(holds(&order, &[linked(2, "a"), waiting(1, "a")]), "holds", "however they arrived");
        assert_eq!(holds(&order, &[linked(1, "a"), waiting(2, "a")]), "not yet");
    }

    #[test]
    fn times_by_a_field() {
        let times = |limits: &[(u8, u64)]| {
            let limits = limits.iter().map(|&(percent, ns)| (percent, Duration::from_nanos(ns))).collect();
            let (from, to) = (pattern(&[("event", "session_waiting")]), pattern(&[("event", "linked")]));
            Assertion::Times(Times { from, to, by: "session".into(), limits })
        };
        let events = [waiting(0, "a"), waiting(5, "b"), linked(10, "a"), linked(105, "b")];
        assert_eq!(holds(&times(&[(50, 10), (100, 100)]), &events), "holds");
        assert_eq!(holds(&times(&[(50, 9)]), &events), "broken");
        assert_eq!(holds(&times(&[(99, 99)]), &events), "broken");
        assert_eq!(holds(&times(&[(50, 10)]), &events[..3]), "not yet", "b is not linked");
        assert_eq!(holds(&times(&[(50, 10)]), &[]), "not yet");
    }
}
