//! The text that `iptables-restore` reads.

use std::fmt::Arguments;

use crate::text::line;

/// With so many rules in a run, what follows can wait for the next one. The `nf_tables` variant hands a run to the kernel as one
/// message. Who is not root of the machine has room there for `net.core.wmem_default`, 212,992 bytes: some 850 rules with a set,
/// fewer with `-m u32`.
const MANY: usize = 300;

/// Chains and rules of one table.
#[derive(Default)]
pub(super) struct Rules {
    runs: Vec<Run>,
    run: Run,
}

/// What is done at once.
#[derive(Default)]
struct Run {
    chains: String,
    rules: String,
    count: usize,
}

impl Rules {
    /// A chain without rules, also when it has some already.
    pub(super) fn chain(&mut self, chain: &str) {
        line(&mut self.run.chains, format_args!(":{chain} - [0:0]"));
    }

    /// One more rule of a chain.
    pub(super) fn add(&mut self, chain: &str, rule: Arguments<'_>) {
        line(&mut self.run.rules, format_args!("-A {chain} {rule}"));
        self.run.count += 1;
    }

    /// A chain with all its rules.
    pub(super) fn whole(&mut self, chain: &str, rules: &[String]) {
        self.chain(chain);
        for rule in rules {
            self.add(chain, format_args!("{rule}"));
        }
    }

    /// Takes a chain away, to which nothing leads any more. That it is not there is no error.
    pub(super) fn remove(&mut self, chain: &str) {
        self.chain(chain);
        line(&mut self.run.rules, format_args!("-X {chain}"));
    }

    /// What was added so far may be done before the rest: nothing follows it yet, or it is complete.
    pub(super) fn may_pause(&mut self) {
        if self.run.count >= MANY {
            self.runs.push(std::mem::take(&mut self.run));
        }
    }

    /// What the tool reads, a text for each run; nothing when there is nothing to do.
    pub(super) fn scripts(self, table: &str) -> impl Iterator<Item = String> {
        let runs = self.runs.into_iter().chain([self.run]).filter(|run| !run.chains.is_empty() || run.count > 0);
        runs.map(move |Run { chains, rules, .. }| format!("*{table}\n{chains}{rules}COMMIT\n"))
    }
}
