//! Columns and fields.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sysplex::{Lpar, LparIndex, Method, Sysplex};

/// A table: each column as wide as z/OS has it, or as its longest cell, which is wider only with addresses of IPv6. (z/OS prints the
/// long form when a stack has IPv6.)
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, usize); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Names and widths of the columns.
    pub(super) fn new(columns: [(&'static str, usize); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Another row.
    pub(super) fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// The names, and under each a line of its length when `ruled`; then the rows.
    pub(super) fn print(mut self, ruled: bool) -> String {
        let names = self.columns.map(|(name, _)| name.to_owned());
        let lines = self.columns.map(|(name, _)| "-".repeat(name.len()));
        let widest = |column: usize| self.rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(|column| widest(column).max(self.columns[column].1)).collect();
        let head = if ruled { vec![names, lines] } else { vec![names] };
        self.rows.splice(0..0, head);
        let line = |row: &[String; N]| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line: Vec<String> = cells.collect();
            line.join(" ").trim_end().to_owned() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}

/// Address and port as z/OS writes them: `10.10.10.1..4035`.
pub(super) fn at(address: IpAddr, port: u16) -> String {
    format!("{address}..{port}")
}

/// The mask of an IPv4 prefix; IPv6 has none, so its length.
pub(super) fn mask(address: IpAddr, prefix: u8) -> String {
    let bits = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    if address.is_ipv4() { Ipv4Addr::from(bits).to_string() } else { format!("/{prefix}") }
}

/// DISTMETHOD as a word and a letter of a Flg field. BaseWLM, ServerWLM and Roundrobin, and the letter B, are documented; the rest
/// is made alike.
pub(super) fn method(method: Method) -> (&'static str, char) {
    match method {
        Method::RoundRobin => ("Roundrobin", 'R'),
        Method::BaseWlm => ("BaseWLM", 'B'),
        Method::ServerWlm => ("ServerWLM", 'S'),
        Method::WeightedActive => ("WeightedActive", 'W'),
        Method::HotStandby { .. } => ("HotStandby", 'H'),
    }
}

/// The dynamic XCF address of a target, of the family of its DVIPA.
pub(super) fn dest_xcf(lpar: &Lpar, dvipa: IpAddr) -> IpAddr {
    if dvipa.is_ipv4() { lpar.xcf.into() } else { lpar.xcf6.into() }
}

/// Name and dynamic XCF address of a target.
pub(super) fn target(sysplex: &Sysplex, target: LparIndex, dvipa: SocketAddr) -> Option<(String, IpAddr)> {
    sysplex.lpar(target).map(|lpar| (lpar.name.clone(), dest_xcf(lpar, dvipa.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new([("A", 3), ("B", 2)]);
        table.push(["x".into(), "y".into()]);
        assert_eq!(table.print(true), "A   B\n-   -\nx   y\n");
        let mut table = Table::new([("A", 3), ("B", 2)]);
        table.push(["12345".into(), "y".into()]);
        assert_eq!(table.print(false), "A     B\n12345 y\n");
        assert_eq!(Table::new([("A", 3)]).print(false), "A\n");
    }

    #[test]
    fn masks() {
        let ipv4 = Ipv4Addr::new(10, 10, 10, 1).into();
        assert_eq!(mask(ipv4, 32), "255.255.255.255");
        assert_eq!(mask(ipv4, 28), "255.255.255.240");
        assert_eq!(mask(ipv4, 0), "0.0.0.0");
        assert_eq!(mask("fd00::1".parse().expect("an address"), 128), "/128");
    }
}
