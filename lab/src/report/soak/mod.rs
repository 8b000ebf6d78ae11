//! The report of a soak: the same kind of page, from what `lab soak` leaves, bounded however long it went on.
//!
//! [`dir`] reads the directory: [`course`] are its snapshots, [`stood`] its faults, [`around`] the events around violations. Everything
//! else is pure, a part of the page each.

mod around;
mod chart;
mod course;
mod dir;
mod faults;
mod growth;
mod lanes;
mod latency;
mod page;
mod sessions;
mod stood;
mod timeline;
mod verdict;
mod violations;

use std::path::Path;

use super::REPORT;
use crate::run::attempt::write_whole;
pub(super) use dir::{is_one, load};
pub(super) use page::render;

/// Writes the report into the directory of a soak. What cannot be written is told: the verdict is the same without it.
pub(crate) fn keep(directory: &Path) {
    let path = directory.join(REPORT);
    let written = load(directory).map_err(|e| e.to_string()).and_then(|soak| {
        write_whole(&path, &render(&soak)).map_err(|e| format!("cannot write {}: {e}", path.display()))
    });
    match written {
        Ok(()) => crate::note!("report: {}", path.display()),
        Err(e) => crate::note!("no report: {e}"),
    }
}
