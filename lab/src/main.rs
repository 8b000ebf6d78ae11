//! The command `lab`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(lab::cli::main())
}
