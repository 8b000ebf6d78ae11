//! z/OS members and topologies: what a site has, read as it is written, and the lab's own files.
//!
//! [`source`] reads a member's bytes; [`profile`], [`jcl`], [`ieasym`], [`eqadvipa`] and [`rseenv`] understand one kind of member
//! each, with a place for every value; [`site`] knows which member belongs to which system; [`import`] makes a topology of a site
//! and [`export`] a site of a topology. A [`report::Problem`] stops an import, a [`report::Note`] tells what it could not carry.
//!
//! Nothing here knows a socket or a namespace; files are read in [`site::disk`] alone.

mod commands;
pub mod eqadvipa;
pub mod export;
mod firewalls;
pub mod ieasym;
pub mod import;
pub mod jcl;
mod keyword;
pub mod profile;
pub mod report;
pub mod rseenv;
pub mod site;
pub mod source;
mod substitute;

pub use substitute::Resolved;
