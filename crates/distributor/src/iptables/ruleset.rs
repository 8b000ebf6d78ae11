//! The text that `iptables-restore` reads.

use std::fmt::{Arguments, Write};

/// Chains and rules of one table.
#[derive(Default)]
pub(super) struct Rules {
    chains: String,
    rules: String,
}

impl Rules {
    /// A chain without rules, also when it has some already.
    pub(super) fn chain(&mut self, chain: &str) {
        line(&mut self.chains, format_args!(":{chain} - [0:0]"));
    }

    /// One more rule of a chain.
    pub(super) fn add(&mut self, chain: &str, rule: Arguments<'_>) {
        line(&mut self.rules, format_args!("-A {chain} {rule}"));
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
        line(&mut self.rules, format_args!("-X {chain}"));
    }

    /// What the tool reads; nothing when there is nothing to do.
    pub(super) fn script(self, table: &str) -> Option<String> {
        let text = self.chains + &self.rules;
        (!text.is_empty()).then(|| format!("*{table}\n{text}COMMIT\n"))
    }
}

/// Writes a line.
pub(super) fn line(text: &mut String, content: Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = text.write_fmt(content);
    text.push('\n');
}
