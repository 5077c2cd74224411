//! `man`: manual pages, made from the same definitions as `--help`.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man as Page;

use super::Run;
use crate::cli::args::Man;
use crate::cli::{Cli, Exit, Failure};

pub(super) fn run(run: &Run<'_>, args: &Man) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    match &args.out {
        Some(folder) => write_all(command, folder)?,
        None => run.screen.result(&page(command)?)?,
    }
    Ok(Exit::Done)
}

fn write_all(command: clap::Command, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder)).map_err(
        |error| Failure::because(&format!("could not write `{}`", folder.display()), &error),
    )
}

fn page(command: clap::Command) -> Result<String, Failure> {
    let mut text = Vec::new();
    Page::new(command)
        .render(&mut text)
        .map_err(|error| Failure::because("could not make the manual page", &error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
