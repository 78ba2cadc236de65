//! `palier completions` and `palier man`: what shells and `man` want to know, from the same definitions as `--help`.

use std::fs;
use std::path::PathBuf;

use clap::Command;

use super::failure::Failure;
use super::{ExitCode, terminal};

/// Whose completions.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier completions bash > ~/.local/share/bash-completion/completions/palier
  palier completions zsh > ~/.zfunc/_palier                 a folder in fpath
  palier completions fish > ~/.config/fish/completions/palier.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: clap_complete::Shell,
}

/// Where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  palier man > palier.1
  palier man ~/.local/share/man/man1          a page for each command")]
pub(super) struct ManArgs {
    /// A folder for the pages of all commands; without it palier's own goes to standard output
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Prints the script of a shell.
pub(super) fn completions(args: &CompletionsArgs, mut command: Command) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "palier", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Pass)
}

/// Prints a page, or writes all of them.
pub(super) fn man(args: &ManArgs, command: Command) -> Result<ExitCode, Failure> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(Failure::other)?;
        terminal::print(&String::from_utf8_lossy(&page))?;
        return Ok(ExitCode::Pass);
    };
    let doing = format!("cannot write man pages into `{}`", folder.display());
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|error| Failure::other(error).while_doing(doing))?;
    Ok(ExitCode::Pass)
}
