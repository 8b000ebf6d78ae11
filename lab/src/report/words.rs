//! Times and texts as a report writes them. Pure.

use maud::{Markup, html};

/// Milliseconds since the first step, with sign and microseconds, and a digit fewer from a second on.
pub(super) fn at(ms: f64) -> String {
    if ms.abs() < 1000.0 { format!("{ms:+.3}") } else { format!("{ms:+.1}") }
}

/// A duration for a person.
pub(super) fn lasting(ms: f64) -> String {
    match ms {
        _ if ms < 1.0 => format!("{:.0} µs", ms * 1000.0),
        _ if ms < 100.0 => format!("{ms:.1} ms"),
        _ if ms < 10_000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// Time from the beginning: hours, minutes and seconds.
pub(super) fn elapsed(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// The same, with a tenth of a second.
pub(super) fn moment(ms: u64) -> String {
    format!("{}.{}", elapsed(ms), ms % 1000 / 100)
}

/// At most `most` characters, and how many there were more.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} (and {} characters more)", &text[..end], text[end..].chars().count()),
    }
}

/// At most `most` characters, the last of them an ellipsis when it was longer: for drawings.
pub(super) fn cut_short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A text of the field catalogue: what stands between backticks is code.
pub(super) fn marked(text: &str) -> Markup {
    html! { @for (index, part) in text.split('`').enumerate() { @if index % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// Something that may be an `id`, of any text.
pub(super) fn id(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// `1 event`, `2 events`.
pub(super) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("größer", 3), "grö (and 3 characters more)");
        assert_eq!(cut("kurz", 4), "kurz");
    }

    #[test]
    fn code_in_a_text_is_marked_and_nothing_else_is_markup() {
        assert_eq!(marked("say `D,U` <now>").into_string(), "say <code>D,U</code> &lt;now&gt;");
    }

    #[test]
    fn time_from_the_beginning_has_hours() {
        assert_eq!([elapsed(0), elapsed(61_950), moment(259_200_000)], ["0:00:00", "0:01:01", "72:00:00.0"]);
    }

    #[test]
    fn times_are_as_exact_as_they_are_short() {
        assert_eq!([at(1.5), at(-0.0421), at(12_345.678)], ["+1.500", "-0.042", "+12345.7"]);
        assert_eq!(
            [lasting(0.25), lasting(12.34), lasting(2013.0), lasting(61_000.0)],
            ["250 µs", "12.3 ms", "2013 ms", "61.0 s"]
        );
    }
}
