//! `lab completions` and `lab man`: what shells and `man` want to know of the command line, made from it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::exit;

pub(crate) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  lab completions bash > ~/.local/share/bash-completion/completions/lab
  lab completions zsh > ~/.zfunc/_lab
  lab completions fish > ~/.config/fish/completions/lab.fish";

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  lab man ~/.local/share/man/man1 && man lab-up";

/// `lab completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// For which shell
    shell: Shell,
}

/// `lab man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Where to write a page for each command: lab.1, lab-run.1, ...
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Prints the completions.
pub(crate) fn completions<C: CommandFactory>(arguments: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut C::command(), "lab", &mut script);
    match io::stdout().write_all(&script) {
        Ok(()) => exit::PASSED,
        Err(e) => {
            crate::note!("error: the completions cannot be printed: {e}");
            exit::FAILED
        }
    }
}

/// Writes the pages.
pub(crate) fn man<C: CommandFactory>(arguments: &Man) -> u8 {
    match write_pages(C::command(), &arguments.directory) {
        Ok(()) => exit::PASSED,
        Err(e) => {
            crate::note!("error: {}: {e}", arguments.directory.display());
            exit::BAD_INPUT
        }
    }
}

fn write_pages(command: clap::Command, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(command, directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_command_that_is_shown() {
        let command = || {
            let hidden = clap::Command::new("hidden").hide(true);
            clap::Command::new("lab").about("x").subcommand(clap::Command::new("run").about("y")).subcommand(hidden)
        };
        let directory = tempfile::tempdir().expect("a directory");
        write_pages(command(), directory.path()).expect("written");
        let mut names: Vec<_> = std::fs::read_dir(directory.path())
            .expect("read")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["lab-run.1", "lab.1"]);
        let page = std::fs::read_to_string(directory.path().join("lab-run.1")).expect("read");
        assert!(page.contains("lab\\-run") || page.contains("lab-run"), "{page}");
    }
}
