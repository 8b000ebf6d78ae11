//! A topology file as it is written: every value with a comment that names the place it came from, and kept, so that what
//! `sysplex` finds wrong in the file can be told as a place in a member.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::Range;

use crate::source::{Members, Place};

/// The file so far.
pub(super) struct Toml<'m> {
    members: &'m Members,
    pub(super) text: String,
    pub(super) origins: Vec<(Range<usize>, Place)>,
}

/// One key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// As TOML.
    pub(super) value: String,
    pub(super) place: Option<Place>,
}

impl Entry {
    pub(super) fn new(key: impl Into<String>, value: String, place: impl Into<Option<Place>>) -> Self {
        Self { key: key.into(), value, place: place.into() }
    }
}

impl<'m> Toml<'m> {
    pub(super) fn new(members: &'m Members) -> Self {
        Self { members, text: String::new(), origins: Vec::new() }
    }

    pub(super) fn comment(&mut self, text: &str) {
        let _ = writeln!(self.text, "# {text}");
    }

    /// Begins a table, such as `[[lpar]]`.
    pub(super) fn table(&mut self, header: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = writeln!(self.text, "{header}");
    }

    pub(super) fn key(&mut self, key: &str, value: &str, place: impl Into<Option<Place>>) {
        self.key_of(key, value, place.into().as_slice());
    }

    /// A value that several places have a part in.
    pub(super) fn key_of(&mut self, key: &str, value: &str, places: &[Place]) {
        let start = self.text.len();
        let _ = write!(self.text, "{key} = {value}");
        if let Some(first) = places.first() {
            let shown: Vec<String> = places.iter().map(|place| self.members.show(*place)).collect();
            let _ = write!(self.text, "  # {}", shown.join(", "));
            self.origins.push((start..self.text.len(), *first));
        }
        self.text.push('\n');
    }

    pub(super) fn entry(&mut self, entry: &Entry) {
        self.key(&entry.key, &entry.value, entry.place);
    }
}

/// The place of the value there; what is about a table as a whole belongs to the next value.
pub(super) fn origin(origins: &[(Range<usize>, Place)], at: usize) -> Option<Place> {
    origins.get(origins.partition_point(|(range, _)| range.end <= at)).map(|(_, place)| *place)
}

/// A text as TOML.
pub(crate) fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A number as such, all else as text.
pub(crate) fn value(text: &str) -> String {
    let is_number =
        text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_number && !text.is_empty() { text.to_owned() } else { string(text) }
}

/// A list.
pub(crate) fn list(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(", "))
}

/// An address.
pub(super) fn address(address: impl Into<IpAddr>) -> String {
    string(&address.into().to_string())
}
