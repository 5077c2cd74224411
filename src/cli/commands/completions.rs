//! `completions`: what a shell needs to complete our commands.

use clap::CommandFactory as _;

use super::Run;
use crate::cli::args::Completions;
use crate::cli::{Cli, Exit, Failure};

pub(super) fn run(run: &Run<'_>, args: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gitdeploy", &mut script);
    run.screen.result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
