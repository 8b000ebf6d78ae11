//! Command line of the traffic stub.

fn main() {}
