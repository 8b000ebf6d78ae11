//! What is wrong with a sysplex, said before it runs: `lab check`.
//!
//! Every known mistake of sites has a code and a [`Page`]: F01 to F34 are those of the lab's field catalogue, D codes are
//! documented restrictions and rules of configuration beside it. [`of_topology`] looks at a topology file, [`of_site`] at z/OS
//! members, which show more (reservations of ports, routes, what a backup distributes), and [`of_sysplex`] at a sysplex whose
//! file is not at hand. A [`Finding`] is one mistake at one place; what is wrong but no known mistake is in
//! [`Checked::unreadable`].
//!
//! Pure: no file, no socket, no clock. Where the catalogue is from memory or an inference, the page says so.

mod facts;
mod finding;
pub mod page;
mod rules;
mod run;
pub mod sarif;

pub use finding::{Finding, Location, Severity};
pub use page::Page;
pub use run::{Checked, of_site, of_sysplex, of_topology};
