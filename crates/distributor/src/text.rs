//! Text for tools, line by line.

use std::fmt::{Arguments, Write};

/// One more line.
pub(crate) fn line(text: &mut String, content: Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = text.write_fmt(content);
    text.push('\n');
}
