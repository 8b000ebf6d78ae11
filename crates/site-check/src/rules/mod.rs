//! The rules, one file for each subject. A rule looks at the facts and says what it found; texts for users are in [`crate::page`].

mod attls;
mod distribution;
mod dvipas;
mod hub;
mod logon;
mod ports;
mod reservations;
mod routes;
mod symbols;

use crate::facts::{Facts, Found};

/// All rules.
pub(crate) fn all(facts: &Facts<'_>, found: &mut Found) {
    const RULES: [fn(&Facts<'_>, &mut Found); 9] = [
        ports::check,
        hub::check,
        symbols::check,
        logon::check,
        distribution::check,
        dvipas::check,
        routes::check,
        reservations::check,
        attls::check,
    ];
    for rule in RULES {
        rule(facts, found);
    }
}
